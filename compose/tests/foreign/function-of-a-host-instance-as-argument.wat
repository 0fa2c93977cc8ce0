(component
 (import "wasi:filesystem/types@0.2.0" (instance $h (export "f" (func))))
 (component $d (import "f" (func $f)) (export "run" (func $f)))
 (instance $d2 (instantiate $d (with "f" (func $h "f"))))
 (export "r" (func $d2 "run")))
