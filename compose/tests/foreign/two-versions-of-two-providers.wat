(component
 (component $c
  (import "x:y/z@0.2.0" (instance $f (export "f" (func))))
  (import "x:y/z@0.2.1" (instance $g (export "f" (func))))
  (export "one" (func $f "f")) (export "two" (func $g "f")))
 (component $p (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f")))
  (instance $e (export "f" (func $f))) (export "x:y/z@0.2.0" (instance $e)))
 (component $q (core module $m (func (export "f") nop)) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f")))
  (instance $e (export "f" (func $f))) (export "x:y/z@0.2.1" (instance $e)))
 (instance $p (instantiate $p))
 (instance $q (instantiate $q))
 (instance $c (instantiate $c (with "x:y/z@0.2.0" (instance $p "x:y/z@0.2.0")) (with "x:y/z@0.2.1" (instance $q "x:y/z@0.2.1"))))
 (export "one" (func $c "one")) (export "two" (func $c "two")))
