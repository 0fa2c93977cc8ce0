(component
 (component $d (import "f" (func $f)) (export "run" (func $f)))
 (import "f" (func $f))
 (instance $x (instantiate $d (with "f" (func $f))))
 (instance $y (@name "x") (instantiate $d (with "f" (func $f))))
 (instance $z (@name "x-2") (instantiate $d (with "f" (func $f))))
 (instance $w (@name "host") (instantiate $d (with "f" (func $y "run"))))
 (export "r1" (func $x "run")) (export "r2" (func $y "run")) (export "r3" (func $z "run")) (export "r4" (func $w "run")))
