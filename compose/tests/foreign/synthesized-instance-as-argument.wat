(component
 (component $p (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f"))) (export "f" (func $f)) (export "g" (func $f)))
 (component $c (import "z" (instance $f (export "f" (func)))) (export "run" (func $f "f")))
 (instance $p (instantiate $p))
 (alias export $p "f" (func $nf))
 (instance $bag (export "f" (func $nf)))
 (instance $c (instantiate $c (with "z" (instance $bag))))
 (export "run" (func $c "run")))
