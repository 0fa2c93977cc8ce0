(component
 (component $t (import "r" (type $r (sub resource))) (type $i (list u8)) (export "b" (type $i)))
 (component $o (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))
 (type $rr (resource (rep i32)))
 (instance $o (instantiate $o))
 (instance $t (instantiate $t (with "r" (type $rr))))
 (export "g" (func $o "f")))
