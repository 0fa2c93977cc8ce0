;; The memory is a module of its own, because the imports need it before the guest can be
;; made. Its second page begins what the host hands over.
  (core module $memory
    (memory (export "memory") 32)
    (global $next (export "next") (mut i32) (i32.const 65536))
    ;; How memory is handed to the host.
    (global $mode (export "mode") (mut i32) (i32.const 0))

    (func $recurse (param $depth i64) (result i64)
      (i64.add (call $recurse (i64.add (local.get $depth) (i64.const 1))) (local.get $depth)))

    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $start i32)
      ;; 1: it is outside.
      (if (i32.eq (global.get $mode) (i32.const 1)) (then (return (i32.const -16))))
      ;; 2: there is none.
      (if (i32.eq (global.get $mode) (i32.const 2)) (then (unreachable)))
      ;; 3: it takes for ever.
      (if (i32.eq (global.get $mode) (i32.const 3)) (then (loop $forever (br $forever))))
      ;; 4: the stack is used up.
      (if (i32.eq (global.get $mode) (i32.const 4)) (then (drop (call $recurse (i64.const 0)))))
      ;; 5: it is not aligned.
      (if (i32.eq (global.get $mode) (i32.const 5)) (then (return (i32.const 65537))))
      (local.set $start (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $start) (local.get 3)))
      (local.get $start)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
