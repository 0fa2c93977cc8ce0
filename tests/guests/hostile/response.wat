;; Guests whose responses are not as they should be.
    (data (i32.const 5200) "silent")
    (data (i32.const 5224) "error")
    (data (i32.const 5248) "error-long")
    (data (i32.const 5272) "trap-after-set")
    (data (i32.const 5296) "trap-in-body")
    (data (i32.const 5320) "trap-in-length")
    (data (i32.const 5344) "trap-after-body")
    (data (i32.const 5368) "set-twice")
    (data (i32.const 5392) "set-nothing")
    (data (i32.const 5416) "finish-twice")
    (data (i32.const 5440) "write-after-finish")
    (data (i32.const 5464) "finish-while-writing")
    (data (i32.const 5488) "body-twice")
    (data (i32.const 5512) "drop-body")
    (data (i32.const 5536) "leave-body")
    (data (i32.const 5560) "length-too-large")
    (data (i32.const 5584) "length-too-small")
    (data (i32.const 5608) "status-0")
    (data (i32.const 5632) "status-99")
    (data (i32.const 5656) "status-100")
    (data (i32.const 5680) "status-101")
    (data (i32.const 5704) "status-204")
    (data (i32.const 5728) "status-304")
    (data (i32.const 5752) "status-1000")
    (data (i32.const 5776) "status-65535")
    (data (i32.const 5800) "write-for-ever")
    (data (i32.const 5824) "write-byte-by-byte")
    (data (i32.const 5848) "write-nothing")
    (data (i32.const 6640) "leave-at-once")
    (data (i32.const 6664) "leave-too-much")
    (data (i32.const 6688) "length-of-nothing")
    (data (i32.const 6736) "end-in-body")

    (data (i32.const 96) "8")
    (data (i32.const 104) "good, and more")

    ;; Sets an error instead of a response: an internal one, which says these bytes.
    (func $set-error (param $out i32) (param $bytes i32)
      (call $set (local.get $out) (i32.const 1) (i32.const 38)
        (i32.const 1) (i64.extend_i32_u (global.get $scratch)) (local.get $bytes)
        (i32.const 0) (i32.const 0) (i32.const 0)))

    ;; Answers with `good` under a status, unless the host refuses the status.
    (func $answer-with (param $out i32) (param $status i32)
      (call $announce (i32.const 16) (i32.const 1))
      (call $open)
      (drop (call $set-status (global.get $response) (local.get $status)))
      (call $set-response (local.get $out))
      (call $write-good)
      (call $end-body))

    (func $response (param $out i32) (result i32)
      (local $count i32)
      ;; /silent: returns without a response.
      (if (call $asked (i32.const 5200)) (then (return (i32.const 1))))
      ;; /error: sets an error instead of a response.
      (if (call $asked (i32.const 5224))
        (then
          (call $set-error (local.get $out) (i32.const 0)) (return (i32.const 1))))
      ;; /error-long: sets an error of 100000 bytes instead of a response.
      (if (call $asked (i32.const 5248))
        (then
          (memory.fill (global.get $scratch) (i32.const 0x0a) (i32.const 100000))
          (call $set-error (local.get $out) (i32.const 100000)) (return (i32.const 1))))
      ;; /trap-after-set: traps after it has set a response of which nothing was sent.
      (if (call $asked (i32.const 5272))
        (then
          (call $announce (i32.const 16) (i32.const 1))
          (call $open)
          (call $set-response (local.get $out))
          (unreachable)))
      ;; /trap-in-body: traps while the client has a part of a chunked body.
      (if (call $asked (i32.const 5296))
        (then
          (call $begin-answer (local.get $out))
          (unreachable)))
      ;; /trap-in-length: traps while the client has 4 bytes of 100.
      (if (call $asked (i32.const 5320))
        (then
          (call $announce (i32.const 17) (i32.const 3))
          (call $begin-answer (local.get $out))
          (unreachable)))
      ;; /trap-after-body: answers, and then traps.
      (if (call $asked (i32.const 5344))
        (then
          (call $good (local.get $out))
          (unreachable)))
      ;; /set-twice: sets its response twice.
      (if (call $asked (i32.const 5368))
        (then
          (call $open)
          (call $set-response (local.get $out))
          (call $set-response (local.get $out))))
      ;; /set-nothing: sets a response that it does not have.
      (if (call $asked (i32.const 5392))
        (then
          (global.set $response (i32.const 12345))
          (call $set-response (local.get $out))))
      ;; /finish-twice: ends its body twice.
      (if (call $asked (i32.const 5416))
        (then
          (call $good (local.get $out))
          (call $finish (global.get $outgoing-body) (i32.const 0) (i32.const 0) (global.get $result))))
      ;; /write-after-finish: writes to a stream whose body has ended.
      (if (call $asked (i32.const 5440))
        (then
          (call $good (local.get $out))
          (call $write-good)))
      ;; /finish-while-writing: ends its body while it has the stream.
      (if (call $asked (i32.const 5464))
        (then
          (call $begin-answer (local.get $out))
          (call $finish (global.get $outgoing-body) (i32.const 0) (i32.const 0) (global.get $result))))
      ;; /body-twice: asks for its body twice, and answers if it gets it once.
      (if (call $asked (i32.const 5488))
        (then
          (call $announce (i32.const 16) (i32.const 1))
          (call $open)
          (call $body (global.get $response) (global.get $result))
          (if (i32.eqz (i32.load8_u (global.get $result))) (then (unreachable)))
          (call $set-response (local.get $out))
          (call $write-good)
          (call $end-body) (return (i32.const 1))))
      ;; /drop-body: drops its body in the middle.
      (if (call $asked (i32.const 5512))
        (then
          (call $begin-answer (local.get $out))
          (call $stream.drop (global.get $output-stream))
          (call $body.drop (global.get $outgoing-body)) (return (i32.const 1))))
      ;; /leave-body: returns in the middle of its body.
      (if (call $asked (i32.const 5536))
        (then
          (call $announce (i32.const 17) (i32.const 3))
          (call $begin-answer (local.get $out)) (return (i32.const 1))))
      ;; /leave-at-once: returns in the middle of its body, before anybody got any of it.
      (if (call $asked (i32.const 6640))
        (then
          (call $announce (i32.const 17) (i32.const 3))
          (call $open)
          (call $set-response (local.get $out))
          (call $write-good) (return (i32.const 1))))
      ;; /leave-too-much: announces 4 bytes, writes 14, and returns.
      (if (call $asked (i32.const 6664))
        (then
          (call $announce (i32.const 16) (i32.const 1))
          (call $open)
          (call $set-response (local.get $out))
          (call $write (global.get $output-stream)
            (i32.const 104) (i32.const 14) (global.get $result)) (return (i32.const 1))))
      ;; /length-of-nothing: announces 100 bytes and never opens its body.
      (if (call $asked (i32.const 6688))
        (then
          (call $announce (i32.const 17) (i32.const 3))
          (global.set $response (call $response.new (global.get $headers)))
          (call $set-response (local.get $out)) (return (i32.const 1))))
      ;; /end-in-body: announces no length, and ends while the host sends what is there.
      (if (call $asked (i32.const 6736))
        (then
          (call $begin-answer (local.get $out))
          (call $end-body) (return (i32.const 1))))
      ;; /length-too-large: announces 100 bytes and ends after 4.
      (if (call $asked (i32.const 5560))
        (then
          (call $announce (i32.const 17) (i32.const 3))
          (call $begin-answer (local.get $out))
          (call $end-body) (return (i32.const 1))))
      ;; /length-too-small: announces 4 bytes and writes 14.
      (if (call $asked (i32.const 5584))
        (then
          (call $announce (i32.const 16) (i32.const 1))
          (call $open)
          (call $set-response (local.get $out))
          (call $write (global.get $output-stream)
            (i32.const 104) (i32.const 14) (global.get $result))
          (call $end-body) (return (i32.const 1))))
      ;; /status-0: wants the status 0.
      (if (call $asked (i32.const 5608))
        (then
          (call $answer-with (local.get $out) (i32.const 0)) (return (i32.const 1))))
      ;; /status-99: wants the status 99.
      (if (call $asked (i32.const 5632))
        (then
          (call $answer-with (local.get $out) (i32.const 99)) (return (i32.const 1))))
      ;; /status-100: wants the status 100.
      (if (call $asked (i32.const 5656))
        (then
          (call $answer-with (local.get $out) (i32.const 100)) (return (i32.const 1))))
      ;; /status-101: wants the status 101.
      (if (call $asked (i32.const 5680))
        (then
          (call $answer-with (local.get $out) (i32.const 101)) (return (i32.const 1))))
      ;; /status-204: wants the status 204, and a body.
      (if (call $asked (i32.const 5704))
        (then
          (call $answer-with (local.get $out) (i32.const 204)) (return (i32.const 1))))
      ;; /status-304: wants the status 304, and a body.
      (if (call $asked (i32.const 5728))
        (then
          (call $answer-with (local.get $out) (i32.const 304)) (return (i32.const 1))))
      ;; /status-1000: wants the status 1000.
      (if (call $asked (i32.const 5752))
        (then
          (call $answer-with (local.get $out) (i32.const 1000)) (return (i32.const 1))))
      ;; /status-65535: wants the status 65535.
      (if (call $asked (i32.const 5776))
        (then
          (call $answer-with (local.get $out) (i32.const 65535)) (return (i32.const 1))))
      ;; /write-for-ever: writes a body that does not end.
      (if (call $asked (i32.const 5800))
        (then
          (call $open)
          (call $set-response (local.get $out))
          (loop $forever
            (call $write (global.get $output-stream)
              (global.get $scratch) (i32.const 4096) (global.get $result))
            (br_if $forever (i32.eqz (i32.load8_u (global.get $result)))))
          (unreachable)))
      ;; /write-byte-by-byte: writes a body that does not end, one byte after the other.
      (if (call $asked (i32.const 5824))
        (then
          (call $open)
          (call $set-response (local.get $out))
          (loop $forever
            (call $write (global.get $output-stream)
              (global.get $scratch) (i32.const 1) (global.get $result))
            (br_if $forever (i32.eqz (i32.load8_u (global.get $result)))))
          (unreachable)))
      ;; /write-nothing: writes nothing, for ever.
      (if (call $asked (i32.const 5848))
        (then
          (call $open)
          (call $set-response (local.get $out))
          (loop $forever
            (call $write (global.get $output-stream)
              (global.get $scratch) (i32.const 0) (global.get $result))
            (br_if $forever (i32.eqz (i32.load8_u (global.get $result)))))
          (unreachable)))
      (i32.const 0))
