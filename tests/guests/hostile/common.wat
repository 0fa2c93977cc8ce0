;; What the core module imports, and what most behaviours need.
    (import "memory" "memory" (memory 32))
    (import "memory" "mode" (global $realloc-mode (mut i32)))
    (import "memory" "next" (global $realloc-next (mut i32)))
    (import "host" "now" (func $now (result i64)))
    (import "host" "timer" (func $timer (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "ready" (func $ready (param i32) (result i32)))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (import "host" "random" (func $random (param i64 i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "stderr" (func $stderr (result i32)))
    (import "host" "exit" (func $exit (param i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "fields.append" (func $fields.append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "consume" (func $consume (param i32 i32)))
    (import "host" "input" (func $input (param i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "set-status" (func $set-status (param i32 i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "stream" (func $stream (param i32 i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "request.new" (func $request.new (param i32) (result i32)))
    (import "host" "set-scheme" (func $set-scheme (param i32 i32 i32 i32 i32) (result i32)))
    (import "host" "set-authority" (func $set-authority (param i32 i32 i32 i32) (result i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32)))
    (import "host" "future.get" (func $future.get (param i32 i32)))
    (import "host" "future.subscribe" (func $future.subscribe (param i32) (result i32)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "incoming-request.drop" (func $incoming-request.drop (param i32)))
    (import "host" "pollable.drop" (func $pollable.drop (param i32)))
    (import "host" "stream.drop" (func $stream.drop (param i32)))
    (import "host" "body.drop" (func $body.drop (param i32)))
    (import "host" "future.drop" (func $future.drop (param i32)))

    ;; Texts are below 2048. Results of imports are written there. The names of behaviours
    ;; are from 4096 on, 24 bytes each; the second MiB and all behind it is free.
    (data (i32.const 0) "content-length")
    (data (i32.const 16) "4")
    (data (i32.const 17) "100")
    (data (i32.const 32) "good")
    (global $result i32 (i32.const 2048))
    (global $scratch i32 (i32.const 0x100000))

    (global $path-start (mut i32) (i32.const 0))
    (global $headers (mut i32) (i32.const 0))
    (global $response (mut i32) (i32.const 0))
    (global $outgoing-body (mut i32) (i32.const 0))
    (global $output-stream (mut i32) (i32.const 0))

    ;; Whether the path of the request is a slash and the 24 bytes at $name.
    (func $asked (param $name i32) (result i32)
      (i32.and
        (i64.eq (i64.load offset=1 (global.get $path-start)) (i64.load (local.get $name)))
        (i32.and
          (i64.eq (i64.load offset=9 (global.get $path-start))
            (i64.load offset=8 (local.get $name)))
          (i64.eq (i64.load offset=17 (global.get $path-start))
            (i64.load offset=16 (local.get $name))))))

    (func $add-header (param $name i32) (param $name-bytes i32)
        (param $value i32) (param $value-bytes i32)
      (call $fields.append (global.get $headers)
        (local.get $name) (local.get $name-bytes) (local.get $value) (local.get $value-bytes)
        (global.get $result)))

    ;; Announces a body of the length that these digits say.
    (func $announce (param $digits i32) (param $count i32)
      (call $add-header
        (i32.const 0) (i32.const 14) (local.get $digits) (local.get $count)))

    ;; Makes a response with the headers so far, and opens its body.
    (func $open
      (global.set $response (call $response.new (global.get $headers)))
      (call $body (global.get $response) (global.get $result))
      (global.set $outgoing-body (i32.load offset=4 (global.get $result)))
      (call $stream (global.get $outgoing-body) (global.get $result))
      (global.set $output-stream (i32.load offset=4 (global.get $result))))

    (func $set-response (param $out i32)
      (call $set (local.get $out) (i32.const 0) (global.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))

    (func $write-good
      (call $write (global.get $output-stream) (i32.const 32) (i32.const 4) (global.get $result)))

    (func $end-body
      (call $stream.drop (global.get $output-stream))
      (call $finish (global.get $outgoing-body)
        (i32.const 0) (i32.const 0) (global.get $result)))

    ;; Answers with `good`.
    (func $good (param $out i32)
      (call $announce (i32.const 16) (i32.const 1))
      (call $open)
      (call $set-response (local.get $out))
      (call $write-good)
      (call $end-body))

    ;; The same, and keeps no handle on the request: the instance can serve another one.
    (func $good-and-done (param $out i32)
      (call $good (local.get $out))
      (call $incoming-request.drop (global.get $request)))

    ;; Sets a response and writes the beginning of its body. When this returns, the host
    ;; had its turn, in which it sends what is there.
    (func $begin-answer (param $out i32)
      (call $open)
      (call $set-response (local.get $out))
      (call $write-good)
      (call $wait (i64.const 10000000)))

    ;; Waits for so many nanoseconds.
    (func $wait (param $nanoseconds i64)
      (local $timer i32)
      (local.set $timer (call $timer (local.get $nanoseconds)))
      (call $block (local.get $timer))
      (call $pollable.drop (local.get $timer)))

    (func $wait-for-ever
      (call $wait (i64.const 0x7fffffffffffffff)))
