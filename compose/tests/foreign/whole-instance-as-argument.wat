(component
 (component $p (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))
 (component $c (import "z" (instance $f (export "f" (func)))) (export "run" (func $f "f")))
 (instance $p (instantiate $p))
 (instance $c (instantiate $c (with "z" (instance $p))))
 (export "whole" (instance $p))
 (export "run" (func $c "run")))
