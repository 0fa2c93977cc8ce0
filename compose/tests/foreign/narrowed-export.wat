(component
 (component $p (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f")))
   (instance $e (export "f" (func $f)) (export "g" (func $f))) (export "n" (instance $e)) (export "f" (func $f)))
 (component $c (import "z" (instance $f (export "f" (func)))) (export "run" (func $f "f")))
 (instance $p (instantiate $p))
 (alias export $p "n" (instance $n))
 (export $x "narrow" (instance $n) (instance (export "f" (func))))
 (instance $c (instantiate $c (with "z" (instance $x))))
 (export "run" (func $c "run")))
