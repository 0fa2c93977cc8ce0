(component
 (import "f" (func $f))
 (core module $m (func (export "f")))
 (component $inner (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))
 (component $d (alias outer 1 $inner (component $q)) (instance $i (instantiate $q)) (export "run" (func $i "f")))
 (instance $x (instantiate $d))
 (export "r1" (func $x "run")))
