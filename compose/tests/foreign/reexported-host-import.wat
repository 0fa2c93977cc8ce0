(component
 (import "h" (instance $h (export "f" (func))))
 (component $d (import "f" (func $f)) (export "run" (func $f)))
 (component $p (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f"))) (export "f" (func $f)) (export "g" (func $f)))
 (instance $p (instantiate $p))
 (instance $d2 (instantiate $d (with "f" (func $p "f"))))
 (export "hh" (instance $h))
 (export "r" (func $d2 "run")))
