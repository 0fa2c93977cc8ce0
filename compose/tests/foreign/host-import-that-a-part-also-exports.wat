(component
 (import "f" (func $f))
 (component $a (import "f" (func $f)) (export "run" (func $f)))
 (component $b (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))
 (instance $a (instantiate $a (with "f" (func $f))))
 (instance $b (instantiate $b))
 (export "run" (func $a "run"))
 (export "f2" (func $b "f")))
