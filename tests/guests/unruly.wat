;; Answers at `/good` and misbehaves at every other path, so that one server can
;; be asked for both. The letter after the slash decides.
(component $component
  (import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))

  (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
    (alias outer $component $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))

  ;; include http.wat

  ;; The memory is a module of its own, because the imports need it before the
  ;; guest can be made. Its first page holds texts and results, the second what
  ;; the host hands over.
  (core module $memory
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $start i32)
      (local.set $start (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $start) (local.get 3)))
      (local.get $start)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $timer (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $fields.new (canon lower (func $types "[constructor]fields")))
  (core func $fields.append (canon lower (func $types "[method]fields.append") (memory $mem)))
  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $response.new (canon lower (func $types "[constructor]outgoing-response")))
  (core func $body (canon lower (func $types "[method]outgoing-response.body") (memory $mem)))
  (core func $stream (canon lower (func $types "[method]outgoing-body.write") (memory $mem)))
  (core func $finish (canon lower
    (func $types "[static]outgoing-body.finish") (memory $mem) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $mem)))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))
  (core func $stream.drop (canon resource.drop $output-stream))

  (core module $guest
    (import "memory" "memory" (memory 2))
    (import "host" "timer" (func $timer (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "fields.append" (func $fields.append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "stream" (func $stream (param i32 i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "stream.drop" (func $stream.drop (param i32)))

    (data (i32.const 0) "content-length")
    (data (i32.const 16) "4")
    (data (i32.const 17) "100")
    (data (i32.const 32) "good")
    ;; Results of imports are written to 64.

    (global $headers (mut i32) (i32.const 0))
    (global $outgoing-body (mut i32) (i32.const 0))
    (global $output-stream (mut i32) (i32.const 0))

    ;; Announces a body of the length that these digits say.
    (func $announce-length (param $digits i32) (param $count i32)
      (call $fields.append (global.get $headers)
        (i32.const 0) (i32.const 14) (local.get $digits) (local.get $count) (i32.const 64)))

    ;; Sets a response with the headers so far, and opens its body.
    (func $respond (param $out i32)
      (local $response i32)
      (local.set $response (call $response.new (global.get $headers)))
      (call $body (local.get $response) (i32.const 64))
      (global.set $outgoing-body (i32.load (i32.const 68)))
      (call $stream (global.get $outgoing-body) (i32.const 64))
      (global.set $output-stream (i32.load (i32.const 68)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))

    (func $write-good
      (call $write (global.get $output-stream) (i32.const 32) (i32.const 4) (i32.const 64)))

    (func $good (param $out i32)
      (call $announce-length (i32.const 16) (i32.const 1))
      (call $respond (local.get $out))
      (call $write-good)
      (call $stream.drop (global.get $output-stream))
      (call $finish (global.get $outgoing-body) (i32.const 0) (i32.const 0) (i32.const 64)))

    ;; Sets a response and writes the beginning of its body, and traps after the
    ;; host had its turn, in which it sends what is there.
    (func $break-off (param $out i32)
      (call $respond (local.get $out))
      (call $write-good)
      (call $block (call $timer (i64.const 1000000)))
      (unreachable))

    (func $recurse (param $depth i64) (result i64)
      (i64.add (call $recurse (i64.add (local.get $depth) (i64.const 1))) (local.get $depth)))

    ;; Grows the memory by so many pages as often as it can.
    (func $grow-by (param $pages i32)
      (block $full
        (loop $more
          (br_if $full (i32.eq (memory.grow (local.get $pages)) (i32.const -1)))
          (br $more))))

    ;; Takes all the memory that there is, and writes to every 4 KiB of it.
    (func $take-all-memory
      (local $at i32)
      (local.set $at (i32.const 131072))
      (call $grow-by (i32.const 256))
      (call $grow-by (i32.const 1))
      (loop $touch
        (i32.store8 (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        ;; The first address behind 4 GiB is 0.
        (br_if $touch
          (i32.and
            (i32.ne (local.get $at) (i32.const 0))
            (i32.lt_u (i32.shr_u (local.get $at) (i32.const 16)) (memory.size))))))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $letter i32)
      (call $path (local.get $request) (i32.const 64))
      (local.set $letter (i32.load8_u (i32.add (i32.load (i32.const 68)) (i32.const 1))))
      (global.set $headers (call $fields.new))

      ;; /good
      (if (i32.eq (local.get $letter) (i32.const 0x67))
        (then (call $good (local.get $out)) (return)))
      ;; /silent: returns without a response.
      (if (i32.eq (local.get $letter) (i32.const 0x73)) (then (return)))
      ;; /loop: for ever.
      (if (i32.eq (local.get $letter) (i32.const 0x6c))
        (then (loop $forever (br $forever))))
      ;; /recurse: until the stack is used up.
      (if (i32.eq (local.get $letter) (i32.const 0x72))
        (then (drop (call $recurse (i64.const 0)))))
      ;; /unfinished: traps while the client has part of a chunked body.
      (if (i32.eq (local.get $letter) (i32.const 0x75))
        (then (call $break-off (local.get $out))))
      ;; /missing-bytes: traps while the client has 4 bytes of 100.
      (if (i32.eq (local.get $letter) (i32.const 0x6d))
        (then
          (call $announce-length (i32.const 17) (i32.const 3))
          (call $break-off (local.get $out))))
      ;; /premature: traps after it has set a response of which nothing was sent.
      (if (i32.eq (local.get $letter) (i32.const 0x70))
        (then
          (call $announce-length (i32.const 16) (i32.const 1))
          (call $respond (local.get $out)) (unreachable)))
      ;; /hungry: takes all the memory that it gets, then answers.
      (if (i32.eq (local.get $letter) (i32.const 0x68))
        (then (call $take-all-memory) (call $good (local.get $out)) (return)))
      ;; /overfull: takes all the memory that it gets, then traps.
      (if (i32.eq (local.get $letter) (i32.const 0x6f))
        (then (call $take-all-memory) (unreachable)))
      ;; /trap and everything else: at once.
      (unreachable)))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "timer" (func $timer))
      (export "block" (func $block))
      (export "fields.new" (func $fields.new))
      (export "fields.append" (func $fields.append))
      (export "path" (func $path))
      (export "response.new" (func $response.new))
      (export "body" (func $body))
      (export "stream" (func $stream))
      (export "finish" (func $finish))
      (export "set" (func $set))
      (export "write" (func $write))
      (export "stream.drop" (func $stream.drop))))))

  (func $handle
    (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
