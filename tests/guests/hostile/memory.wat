;; Guests that take memory, tables and handles, and what they hand to the host.
    (data (i32.const 4384) "grow-and-touch")
    (data (i32.const 4408) "grow-for-ever")
    (data (i32.const 4432) "grow-too-much")
    (data (i32.const 4456) "table-grow")
    (data (i32.const 4480) "table-for-ever")
    (data (i32.const 4504) "read-outside")
    (data (i32.const 4528) "leak-fields")
    (data (i32.const 4552) "leak-pollables")
    (data (i32.const 4576) "leak-streams")
    (data (i32.const 4600) "leak-responses")
    (data (i32.const 4624) "handle-not-owned")
    (data (i32.const 4648) "handle-of-another-kind")
    (data (i32.const 4672) "give-outside")
    (data (i32.const 4696) "give-nothing")
    (data (i32.const 4720) "give-for-ever")
    (data (i32.const 4744) "give-recursing")
    (data (i32.const 4768) "list-outside")
    (data (i32.const 4792) "list-huge")
    (data (i32.const 4816) "list-of-4-gib")
    (data (i32.const 4840) "text-not-utf-8")
    (data (i32.const 4864) "random-huge")
    (data (i32.const 4888) "random-for-ever")
    (data (i32.const 6616) "hold-memory")

    (table $growing 0 funcref)

    ;; Grows the memory by so many pages as often as it can.
    (func $grow-by (param $pages i32)
      (block $full
        (loop $more
          (br_if $full (i32.eq (memory.grow (local.get $pages)) (i32.const -1)))
          (br $more))))

    ;; Writes to every 4 KiB of the memory from the second MiB on.
    (func $touch-all
      (local $at i32)
      (local.set $at (global.get $scratch))
      (loop $touch
        (i32.store8 (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        ;; The first address behind 4 GiB is 0.
        (br_if $touch
          (i32.and
            (i32.ne (local.get $at) (i32.const 0))
            (i32.lt_u (i32.shr_u (local.get $at) (i32.const 16)) (memory.size))))))

    ;; Takes all the memory that it gets, and writes to it.
    (func $take-all
      (call $grow-by (i32.const 64))
      (call $grow-by (i32.const 1))
      (call $touch-all))

    ;; Asks the host for a text, which it can have only in memory of the guest.
    (func $ask-for-memory (param $mode i32)
      (global.set $realloc-mode (local.get $mode))
      (call $random (i64.const 64) (global.get $result)))

    (func $memory (param $out i32) (result i32)
      (local $count i32)
      ;; /grow-and-touch: takes all the memory that it gets, then answers.
      (if (call $asked (i32.const 4384))
        (then
          (call $take-all)
          (call $good-and-done (local.get $out)) (return (i32.const 1))))
      ;; /hold-memory: takes all the memory that it gets, then sleeps for ever.
      (if (call $asked (i32.const 6616))
        (then
          (call $take-all)
          (call $wait-for-ever)))
      ;; /grow-for-ever: asks for more memory, whatever it is told.
      (if (call $asked (i32.const 4408))
        (then
          (loop $forever (drop (memory.grow (i32.const 1))) (br $forever))))
      ;; /grow-too-much: asks for 4 GiB at once, then answers.
      (if (call $asked (i32.const 4432))
        (then
          (if (i32.ne (memory.grow (i32.const 65000)) (i32.const -1)) (then (unreachable)))
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /table-grow: takes all elements of tables that it gets, then answers.
      (if (call $asked (i32.const 4456))
        (then
          (block $full
            (loop $more
              (br_if $full (i32.eq
                (table.grow $growing (ref.null func) (i32.const 1000)) (i32.const -1)))
              (br $more)))
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /table-for-ever: asks for more elements of tables, whatever it is told.
      (if (call $asked (i32.const 4480))
        (then
          (loop $forever
            (drop (table.grow $growing (ref.null func) (i32.const 1))) (br $forever))))
      ;; /read-outside: reads behind the end of its memory.
      (if (call $asked (i32.const 4504)) (then (drop (i32.load (i32.const -8)))))
      ;; /leak-fields: makes fields and never drops them.
      (if (call $asked (i32.const 4528)) (then (loop $forever (drop (call $fields.new)) (br $forever))))
      ;; /leak-pollables: makes timers and never drops them.
      (if (call $asked (i32.const 4552))
        (then
          (loop $forever (drop (call $timer (i64.const 1))) (br $forever))))
      ;; /leak-streams: asks for its output again and again.
      (if (call $asked (i32.const 4576)) (then (loop $forever (drop (call $stdout)) (br $forever))))
      ;; /leak-responses: makes responses with bodies and never sets them.
      (if (call $asked (i32.const 4600))
        (then
          (loop $forever
            (global.set $headers (call $fields.new))
            (call $open)
            (br $forever))))
      ;; /handle-not-owned: uses a handle that it does not have.
      (if (call $asked (i32.const 4624)) (then (call $block (i32.const 12345))))
      ;; /handle-of-another-kind: uses a handle on fields as one on a timer.
      (if (call $asked (i32.const 4648)) (then (call $block (global.get $headers))))
      ;; /give-outside: gives the host memory that it does not have.
      (if (call $asked (i32.const 4672)) (then (call $ask-for-memory (i32.const 1))))
      ;; /give-nothing: traps where the host asks it for memory.
      (if (call $asked (i32.const 4696)) (then (call $ask-for-memory (i32.const 2))))
      ;; /give-for-ever: computes for ever where the host asks it for memory.
      (if (call $asked (i32.const 4720)) (then (call $ask-for-memory (i32.const 3))))
      ;; /give-recursing: uses up the stack where the host asks it for memory.
      (if (call $asked (i32.const 4744)) (then (call $ask-for-memory (i32.const 4))))
      ;; /list-outside: hands over bytes that go on behind the end of its memory.
      (if (call $asked (i32.const 4768))
        (then
          (call $open)
          (call $write (global.get $output-stream)
            (i32.const 0x1ff000) (i32.const 4096000) (global.get $result))))
      ;; /list-huge: hands over 16 MiB in one call.
      (if (call $asked (i32.const 4792))
        (then
          (drop (memory.grow (i32.const 256)))
          (call $open)
          (call $write (global.get $output-stream)
            (global.get $scratch) (i32.const 0x1000000) (global.get $result))))
      ;; /list-of-4-gib: hands over more handles than fit into any memory.
      (if (call $asked (i32.const 4816))
        (then
          (call $poll (global.get $scratch) (i32.const 0x3fffffff) (global.get $result))))
      ;; /text-not-utf-8: hands over a text that is not UTF-8.
      (if (call $asked (i32.const 4840))
        (then
          (i32.store (global.get $scratch) (i32.const 0xfffefdfc))
          (call $add-header (global.get $scratch) (i32.const 4) (i32.const 16) (i32.const 1))))
      ;; /random-huge: asks for all random bytes that there are.
      (if (call $asked (i32.const 4864)) (then (call $random (i64.const -1) (global.get $result))))
      ;; /random-for-ever: asks for random bytes for ever.
      (if (call $asked (i32.const 4888))
        (then
          (loop $forever
            (global.set $realloc-next (global.get $scratch))
            (call $random (i64.const 4096) (global.get $result))
            (br $forever))))
      (i32.const 0))
