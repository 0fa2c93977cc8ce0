;; Guests that compute for ever, trap or exit.
    (data (i32.const 4096) "good")
    (data (i32.const 4120) "loop")
    (data (i32.const 4144) "loop-with-calls")
    (data (i32.const 4168) "loop-after-set")
    (data (i32.const 4192) "loop-in-body")
    (data (i32.const 4216) "recurse")
    (data (i32.const 4240) "trap")
    (data (i32.const 4264) "divide")
    (data (i32.const 4288) "call-nothing")
    (data (i32.const 4312) "exit-ok")
    (data (i32.const 4336) "exit-error")
    (data (i32.const 4360) "exit-in-body")

    (func $recurse (param $depth i64) (result i64)
      (i64.add (call $recurse (i64.add (local.get $depth) (i64.const 1))) (local.get $depth)))

    (table $functions 4 4 funcref)
    (type $nothing (func))

    (func $compute (param $out i32) (result i32)
      (local $count i32)
      ;; /good: what everybody expects.
      (if (call $asked (i32.const 4096))
        (then (call $good-and-done (local.get $out)) (return (i32.const 1))))
      ;; /loop: computes for ever.
      (if (call $asked (i32.const 4120)) (then (loop $forever (br $forever))))
      ;; /loop-with-calls: asks the clock for ever.
      (if (call $asked (i32.const 4144)) (then (loop $forever (drop (call $now)) (br $forever))))
      ;; /loop-after-set: sets a response, and then computes for ever.
      (if (call $asked (i32.const 4168))
        (then
          (call $open)
          (call $set-response (local.get $out))
          (loop $forever (br $forever))))
      ;; /loop-in-body: writes a part of its body, and then computes for ever.
      (if (call $asked (i32.const 4192))
        (then
          (call $begin-answer (local.get $out))
          (loop $forever (br $forever))))
      ;; /recurse: calls itself until the stack is used up.
      (if (call $asked (i32.const 4216)) (then (drop (call $recurse (i64.const 0)))))
      ;; /trap: traps at once.
      (if (call $asked (i32.const 4240)) (then (unreachable)))
      ;; /divide: divides by zero.
      (if (call $asked (i32.const 4264)) (then (drop (i32.div_u (i32.const 1) (local.get $count)))))
      ;; /call-nothing: calls a function that is not there.
      (if (call $asked (i32.const 4288)) (then (call_indirect $functions (type $nothing) (i32.const 1))))
      ;; /exit-ok: exits as if all were well.
      (if (call $asked (i32.const 4312)) (then (call $exit (i32.const 0))))
      ;; /exit-error: exits with an error.
      (if (call $asked (i32.const 4336)) (then (call $exit (i32.const 1))))
      ;; /exit-in-body: exits while the client has a part of its body.
      (if (call $asked (i32.const 4360))
        (then
          (call $begin-answer (local.get $out))
          (call $exit (i32.const 0))))
      (i32.const 0))
