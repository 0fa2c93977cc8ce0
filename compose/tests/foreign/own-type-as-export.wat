(component
 (import "f" (func $f))
 (component $a (import "f" (func $f)) (export "run" (func $f)))
 (instance $a (instantiate $a (with "f" (func $f))))
 (type $u (record (field "a" u32)))
 (export "rec" (type $u))
 (export "run" (func $a "run")))
