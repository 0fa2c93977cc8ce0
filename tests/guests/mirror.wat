;; Answers every request with what it saw of it: the method, the path, the authority
;; and the body, with a space before each but the first.
(component $component
  ;; include http.wat

  ;; The first page holds texts and results, the next ones what the host hands over, and
  ;; those from 8 MiB on the answer.
  (core module $memory
    (memory (export "memory") 256)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3)))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $method (canon lower
    (func $types "[method]incoming-request.method") (memory $mem) (realloc $realloc)))
  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $authority (canon lower
    (func $types "[method]incoming-request.authority") (memory $mem) (realloc $realloc)))
  (core func $consume (canon lower
    (func $types "[method]incoming-request.consume") (memory $mem)))
  (core func $input (canon lower (func $types "[method]incoming-body.stream") (memory $mem)))
  (core func $read (canon lower
    (func $streams "[method]input-stream.blocking-read") (memory $mem) (realloc $realloc)))
  (core func $fields.new (canon lower (func $types "[constructor]fields")))
  (core func $response.new (canon lower (func $types "[constructor]outgoing-response")))
  (core func $body (canon lower (func $types "[method]outgoing-response.body") (memory $mem)))
  (core func $output (canon lower (func $types "[method]outgoing-body.write") (memory $mem)))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))
  (core func $output.drop (canon resource.drop $output-stream))
  (core func $finish (canon lower
    (func $types "[static]outgoing-body.finish") (memory $mem) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $mem)))

  (core module $guest
    (import "memory" "memory" (memory 256))
    (import "host" "method" (func $method (param i32 i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "authority" (func $authority (param i32 i32)))
    (import "host" "consume" (func $consume (param i32 i32)))
    (import "host" "input" (func $input (param i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    ;; The methods that have a name, each in 8 bytes with spaces behind it.
    (data (i32.const 0) "GET     HEAD    POST    PUT     DELETE  CONNECT OPTIONS TRACE   PATCH   ")
    (data (i32.const 96) " ")
    ;; Results of imports are written to 256.

    (global $start i32 (i32.const 0x800000))
    (global $end (mut i32) (i32.const 0x800000))

    (func $add (param $at i32) (param $bytes i32)
      (memory.copy (global.get $end) (local.get $at) (local.get $bytes))
      (global.set $end (i32.add (global.get $end) (local.get $bytes))))

    (func $add-space
      (call $add (i32.const 96) (i32.const 1)))

    (func $add-method (param $request i32)
      (local $at i32)
      (local $bytes i32)
      (call $method (local.get $request) (i32.const 256))
      (if (i32.eq (i32.load8_u (i32.const 256)) (i32.const 9))
        (then
          (call $add (i32.load (i32.const 260)) (i32.load (i32.const 264)))
          (return)))
      (local.set $at (i32.shl (i32.load8_u (i32.const 256)) (i32.const 3)))
      (loop $more
        (local.set $bytes (i32.add (local.get $bytes) (i32.const 1)))
        (br_if $more (i32.ne
          (i32.load8_u (i32.add (local.get $at) (local.get $bytes))) (i32.const 0x20))))
      (call $add (local.get $at) (local.get $bytes)))

    ;; Adds the text of an option at 256, if there is one.
    (func $add-optional
      (if (i32.load8_u (i32.const 256))
        (then (call $add (i32.load (i32.const 260)) (i32.load (i32.const 264))))))

    (func $add-body (param $request i32)
      (local $stream i32)
      (local $has-begun i32)
      (call $consume (local.get $request) (i32.const 256))
      (call $input (i32.load (i32.const 260)) (i32.const 256))
      (local.set $stream (i32.load (i32.const 260)))
      (block $closed
        (loop $more
          (call $read (local.get $stream) (i64.const 65536) (i32.const 256))
          (br_if $closed (i32.load8_u (i32.const 256)))
          (if (i32.load (i32.const 264))
            (then
              (if (i32.eqz (local.get $has-begun)) (then (call $add-space)))
              (local.set $has-begun (i32.const 1))
              (call $add (i32.load (i32.const 260)) (i32.load (i32.const 264)))))
          (br $more)))
      ;; A body that broke off is not answered.
      (if (i32.eqz (i32.load8_u (i32.const 260))) (then (unreachable))))

    (func $answer (param $out i32)
      (local $response i32)
      (local $body i32)
      (local $stream i32)
      (local $at i32)
      (local $bytes i32)
      (local.set $response (call $response.new (call $fields.new)))
      (call $body (local.get $response) (i32.const 256))
      (local.set $body (i32.load (i32.const 260)))
      (call $output (local.get $body) (i32.const 256))
      (local.set $stream (i32.load (i32.const 260)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (local.set $at (global.get $start))
      (block $done
        (loop $more
          (local.set $bytes (i32.sub (global.get $end) (local.get $at)))
          (br_if $done (i32.eqz (local.get $bytes)))
          (if (i32.gt_u (local.get $bytes) (i32.const 4096))
            (then (local.set $bytes (i32.const 4096))))
          (call $write (local.get $stream) (local.get $at) (local.get $bytes) (i32.const 256))
          (br_if $done (i32.load8_u (i32.const 256)))
          (local.set $at (i32.add (local.get $at) (local.get $bytes)))
          (br $more)))
      (call $output.drop (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 256)))

    (func (export "handle") (param $request i32) (param $out i32)
      (call $add-method (local.get $request))
      (call $add-space)
      (call $path (local.get $request) (i32.const 256))
      (call $add-optional)
      (call $add-space)
      (call $authority (local.get $request) (i32.const 256))
      (call $add-optional)
      (call $add-body (local.get $request))
      (call $answer (local.get $out))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "method" (func $method))
      (export "path" (func $path))
      (export "authority" (func $authority))
      (export "consume" (func $consume))
      (export "input" (func $input))
      (export "read" (func $read))
      (export "fields.new" (func $fields.new))
      (export "response.new" (func $response.new))
      (export "body" (func $body))
      (export "output" (func $output))
      (export "write" (func $write))
      (export "output.drop" (func $output.drop))
      (export "finish" (func $finish))
      (export "set" (func $set))))))

  (func $handle
    (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
