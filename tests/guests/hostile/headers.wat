;; Guests whose headers and trailers are not as they should be.
    (data (i32.const 5872) "header-many")
    (data (i32.const 5896) "header-huge")
    (data (i32.const 5920) "header-name-huge")
    (data (i32.const 5944) "header-no-name")
    (data (i32.const 5968) "header-name-space")
    (data (i32.const 5992) "header-name-colon")
    (data (i32.const 6016) "header-value-line")
    (data (i32.const 6040) "header-value-zero")
    (data (i32.const 6064) "header-coding")
    (data (i32.const 6088) "header-connection")
    (data (i32.const 6112) "header-keep-alive")
    (data (i32.const 6136) "header-upgrade")
    (data (i32.const 6160) "header-host")
    (data (i32.const 6184) "header-length-twice")
    (data (i32.const 6208) "header-length-invalid")
    (data (i32.const 6232) "trailer-many")
    (data (i32.const 6256) "trailer-huge")
    (data (i32.const 6280) "trailer-length")
    (data (i32.const 6760) "trailer-one")
    (data (i32.const 6784) "trailer-late")

    (data (i32.const 128) "x")
    (data (i32.const 136) "a b")
    (data (i32.const 144) "transfer-encoding")
    (data (i32.const 168) "connection")
    (data (i32.const 184) "upgrade")
    (data (i32.const 192) "host")
    (data (i32.const 200) "x:")
    (data (i32.const 208) "keep-alive")
    (data (i32.const 256) "a\0d\0ab: c")
    (data (i32.const 280) "chunked")
    (data (i32.const 288) "close")
    (data (i32.const 296) "a\00b")

    ;; Answers if the host has refused a header, and traps if it has taken it.
    (func $answer-if-refused (param $out i32)
      (if (i32.eqz (i32.load8_u (global.get $result))) (then (unreachable)))
      (call $good (local.get $out)))

    ;; Answers with the headers that are there, and ends the body with trailers that have
    ;; this field.
    (func $answer-with-trailer (param $out i32) (param $name i32) (param $name-bytes i32)
        (param $value i32) (param $value-bytes i32) (param $times i32)
      (call $open)
      (call $set-response (local.get $out))
      (call $write-good)
      (global.set $headers (call $fields.new))
      (loop $more
        (call $add-header (local.get $name) (local.get $name-bytes)
          (local.get $value) (local.get $value-bytes))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $more (local.get $times)))
      (call $stream.drop (global.get $output-stream))
      (call $finish (global.get $outgoing-body)
        (i32.const 1) (global.get $headers) (global.get $result)))

    (func $headers (param $out i32) (result i32)
      (local $count i32)
      ;; /header-many: adds headers for ever.
      (if (call $asked (i32.const 5872))
        (then
          (loop $forever
            (call $add-header (i32.const 128) (i32.const 1) (i32.const 16) (i32.const 1))
            (br $forever))))
      ;; /header-huge: adds a header of 500000 bytes.
      (if (call $asked (i32.const 5896))
        (then
          (memory.fill (global.get $scratch) (i32.const 0x61) (i32.const 500000))
          (call $add-header (i32.const 128) (i32.const 1)
            (global.get $scratch) (i32.const 500000))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-name-huge: adds a header with a name of 100000 bytes.
      (if (call $asked (i32.const 5920))
        (then
          (memory.fill (global.get $scratch) (i32.const 0x61) (i32.const 100000))
          (call $add-header (global.get $scratch) (i32.const 100000) (i32.const 16) (i32.const 1))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-no-name: adds a header without a name.
      (if (call $asked (i32.const 5944))
        (then
          (call $add-header (i32.const 128) (i32.const 0) (i32.const 16) (i32.const 1))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-name-space: adds a header whose name has a space in it.
      (if (call $asked (i32.const 5968))
        (then
          (call $add-header (i32.const 136) (i32.const 3) (i32.const 288) (i32.const 5))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-name-colon: adds a header whose name has a colon in it.
      (if (call $asked (i32.const 5992))
        (then
          (call $add-header (i32.const 200) (i32.const 2) (i32.const 288) (i32.const 5))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-value-line: adds a header whose value hides another one.
      (if (call $asked (i32.const 6016))
        (then
          (call $add-header (i32.const 128) (i32.const 1) (i32.const 256) (i32.const 7))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-value-zero: adds a header whose value has a zero byte in it.
      (if (call $asked (i32.const 6040))
        (then
          (call $add-header (i32.const 128) (i32.const 1) (i32.const 296) (i32.const 3))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-coding: says that its body is chunked.
      (if (call $asked (i32.const 6064))
        (then
          (call $add-header (i32.const 144) (i32.const 17) (i32.const 280) (i32.const 7))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-connection: says that the connection ends.
      (if (call $asked (i32.const 6088))
        (then
          (call $add-header (i32.const 168) (i32.const 10) (i32.const 288) (i32.const 5))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-keep-alive: says how long the connection is kept.
      (if (call $asked (i32.const 6112))
        (then
          (call $add-header (i32.const 208) (i32.const 10) (i32.const 288) (i32.const 5))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-upgrade: wants another protocol.
      (if (call $asked (i32.const 6136))
        (then
          (call $add-header (i32.const 184) (i32.const 7) (i32.const 128) (i32.const 1))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-host: names a host.
      (if (call $asked (i32.const 6160))
        (then
          (call $add-header (i32.const 192) (i32.const 4) (i32.const 128) (i32.const 1))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /header-length-twice: announces two lengths.
      (if (call $asked (i32.const 6184))
        (then
          (call $announce (i32.const 16) (i32.const 1))
          (call $announce (i32.const 17) (i32.const 3))
          (if (i32.eqz (i32.load8_u (global.get $result))) (then (unreachable)))
          (global.set $headers (call $fields.new))
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /header-length-invalid: announces a length that is a word.
      (if (call $asked (i32.const 6208))
        (then
          (call $add-header (i32.const 0) (i32.const 14) (i32.const 288) (i32.const 5))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /trailer-many: ends its body with trailers of 1000 fields.
      (if (call $asked (i32.const 6232))
        (then
          (call $answer-with-trailer (local.get $out) (i32.const 128) (i32.const 1)
            (i32.const 16) (i32.const 1) (i32.const 1000)) (return (i32.const 1))))
      ;; /trailer-huge: ends its body with a trailer of 500000 bytes.
      (if (call $asked (i32.const 6256))
        (then
          (memory.fill (global.get $scratch) (i32.const 0x61) (i32.const 500000))
          (call $answer-with-trailer (local.get $out) (i32.const 128) (i32.const 1)
            (global.get $scratch) (i32.const 500000) (i32.const 1)) (return (i32.const 1))))
      ;; /trailer-length: ends its body with a length.
      (if (call $asked (i32.const 6280))
        (then
          (call $answer-with-trailer (local.get $out) (i32.const 0) (i32.const 14)
            (i32.const 16) (i32.const 1) (i32.const 1)) (return (i32.const 1))))
      ;; /trailer-one: ends its body with one trailer.
      (if (call $asked (i32.const 6760))
        (then
          (call $answer-with-trailer (local.get $out) (i32.const 128) (i32.const 1)
            (i32.const 16) (i32.const 1) (i32.const 1)) (return (i32.const 1))))
      ;; /trailer-late: does so when the client has a part of the body.
      (if (call $asked (i32.const 6784))
        (then
          (call $begin-answer (local.get $out))
          (global.set $headers (call $fields.new))
          (call $add-header (i32.const 128) (i32.const 1) (i32.const 16) (i32.const 1))
          (call $stream.drop (global.get $output-stream))
          (call $finish (global.get $outgoing-body)
            (i32.const 1) (global.get $headers) (global.get $result))
          (return (i32.const 1))))
      (i32.const 0))
