(component
 (import "ic" (component $ic (export "f" (func))))
 (import "m" (core module $m))
 (component $d (import "f" (func $f)) (export "run" (func $f)))
 (component $dd (import "ic" (component (export "f" (func)))) (import "m" (core module)))
 (instance $i (instantiate $ic))
 (instance $x (instantiate $d (with "f" (func $i "f"))))
 (instance $y (instantiate $dd (with "ic" (component $ic)) (with "m" (core module $m))))
 (export "r1" (func $x "run")))
