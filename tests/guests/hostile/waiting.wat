;; Guests that print, and guests that wait.
    (data (i32.const 4912) "print-for-ever")
    (data (i32.const 4936) "print-without-lines")
    (data (i32.const 4960) "print-much-at-once")
    (data (i32.const 4984) "sleep")
    (data (i32.const 5008) "sleep-in-body")
    (data (i32.const 5032) "sleep-after-body")
    (data (i32.const 6808) "write-slowly")
    (data (i32.const 6832) "print-in-pieces")
    (data (i32.const 5056) "wait-for-nothing")
    (data (i32.const 5080) "ask-whether-ready")
    (data (i32.const 5104) "poll-many")
    (data (i32.const 5128) "poll-too-many")
    (data (i32.const 5152) "poll-the-same")
    (data (i32.const 5176) "poll-nothing")

    (data (i32.const 64) "a line\0a")

    ;; Writes these bytes to a stream, for ever.
    (func $print-for-ever (param $stream i32) (param $at i32) (param $bytes i32)
      (loop $forever
        (call $write (local.get $stream) (local.get $at) (local.get $bytes) (global.get $result))
        (br $forever)))

    ;; Waits for $count timers of an hour and one of a millisecond. There is room for 100,000
    ;; handles from the second MiB on.
    (func $poll-many (param $count i32)
      (local $at i32)
      (local.set $at (global.get $scratch))
      (loop $more
        (i32.store (local.get $at) (call $timer (i64.const 3600000000000)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count)))
      (i32.store (local.get $at) (call $timer (i64.const 1000000)))
      (call $poll (global.get $scratch)
        (i32.shr_u (i32.sub (i32.add (local.get $at) (i32.const 4)) (global.get $scratch))
          (i32.const 2))
        (global.get $result)))

    (func $waiting (param $out i32) (result i32)
      (local $count i32)
      ;; /print-for-ever: prints lines for ever.
      (if (call $asked (i32.const 4912))
        (then
          (call $print-for-ever (call $stdout) (i32.const 64) (i32.const 7))))
      ;; /print-without-lines: prints for ever, and ends no line.
      (if (call $asked (i32.const 4936))
        (then
          (call $print-for-ever (call $stderr) (i32.const 64) (i32.const 6))))
      ;; /print-much-at-once: prints 4 KiB of binary zeros for ever.
      (if (call $asked (i32.const 4960))
        (then
          (call $print-for-ever (call $stderr) (global.get $scratch) (i32.const 4096))))
      ;; /print-in-pieces: prints a line, the two halves of which over handles of their own.
      (if (call $asked (i32.const 6832))
        (then
          (call $write (call $stdout) (i32.const 64) (i32.const 3) (global.get $result))
          (call $write (call $stdout) (i32.const 67) (i32.const 4) (global.get $result))
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /sleep: sleeps for ever.
      (if (call $asked (i32.const 4984)) (then (call $wait-for-ever)))
      ;; /sleep-in-body: sleeps for ever while the client has a part of its body.
      (if (call $asked (i32.const 5008))
        (then
          (call $begin-answer (local.get $out))
          (call $wait-for-ever)))
      ;; /sleep-after-body: answers, and then sleeps for ever.
      (if (call $asked (i32.const 5032))
        (then
          (call $good (local.get $out))
          (call $wait-for-ever)))
      ;; /write-slowly: answers byte by byte, a second apart.
      (if (call $asked (i32.const 6808))
        (then
          (call $open)
          (call $set-response (local.get $out))
          (loop $more
            (call $wait (i64.const 1000000000))
            (call $write (global.get $output-stream)
              (i32.add (i32.const 104) (local.get $count)) (i32.const 1) (global.get $result))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $count) (i32.const 4))))
          (call $end-body) (return (i32.const 1))))
      ;; /wait-for-nothing: waits for what is there, for ever.
      (if (call $asked (i32.const 5056)) (then (loop $forever (call $wait (i64.const 0)) (br $forever))))
      ;; /ask-whether-ready: asks for ever whether a timer of an hour has ended.
      (if (call $asked (i32.const 5080))
        (then
          (local.set $count (call $timer (i64.const 3600000000000)))
          (loop $forever (drop (call $ready (local.get $count))) (br $forever))))
      ;; /poll-many: waits for 400 timers at once, then answers.
      (if (call $asked (i32.const 5104))
        (then
          (call $poll-many (i32.const 400))
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /poll-too-many: waits for 50000 timers at once.
      (if (call $asked (i32.const 5128))
        (then
          (call $poll-many (i32.const 50000))
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /poll-the-same: waits for one timer 50000 times at once.
      (if (call $asked (i32.const 5152))
        (then
          (i32.store (global.get $scratch) (call $timer (i64.const 1000000)))
          (memory.copy (i32.add (global.get $scratch) (i32.const 4)) (global.get $scratch)
            (i32.const 4))
          (loop $more
            (i32.store
              (i32.add (global.get $scratch) (i32.shl (local.get $count) (i32.const 2)))
              (i32.load (global.get $scratch)))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $count) (i32.const 50000))))
          (call $poll (global.get $scratch) (i32.const 50000) (global.get $result))
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /poll-nothing: waits for no timer at all.
      (if (call $asked (i32.const 5176))
        (then
          (call $poll (global.get $scratch) (i32.const 0) (global.get $result))))
      (i32.const 0))
