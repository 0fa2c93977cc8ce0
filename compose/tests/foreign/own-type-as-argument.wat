(component
 (component $c (type $r u32) (import "t" (type $t (eq $r))) (import "f" (func $f (param "x" $t))) (export "a" (func $f)))
 (component $o (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))
 (type $u u32)
 (import "f" (func $f (param "x" u32)))
 (instance $o (instantiate $o))
 (instance $c (instantiate $c (with "t" (type $u)) (with "f" (func $f))))
 (export "g" (func $o "f"))
 (export "a" (func $c "a")))
