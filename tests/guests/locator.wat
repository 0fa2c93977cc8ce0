;; Answers with its version, the path that it sees, each value of x-forwarded-prefix, and
;; its version again: `VERSION /path VALUE VERSION`. Tests put other texts of 7 letters in
;; the place of VERSION.
(component $component
  ;; include http.wat

  ;; Texts are at the start, results of imports at 64, and what the host hands over is
  ;; from 4096 on.
  (core module $memory
    (memory (export "memory") 4)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $place i32)
      (local.set $place (global.get $next))
      (global.set $next (i32.and
        (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7))
        (i32.const -8)))
      (local.get $place)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $headers (canon lower (func $types "[method]incoming-request.headers")))
  (core func $get (canon lower
    (func $types "[method]fields.get") (memory $mem) (realloc $realloc)))
  (core func $fields.drop (canon resource.drop $fields))
  (core func $request.drop (canon resource.drop $incoming-request))
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
    (import "memory" "memory" (memory 4))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "headers" (func $headers (param i32) (result i32)))
    (import "host" "get" (func $get (param i32 i32 i32 i32)))
    (import "host" "fields.drop" (func $fields.drop (param i32)))
    (import "host" "request.drop" (func $request.drop (param i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    (data (i32.const 0) "VERSION ")
    (data (i32.const 16) "x-forwarded-prefix")

    (global $stream (mut i32) (i32.const 0))

    (func $say (param $text i32) (param $length i32)
      (call $write (global.get $stream) (local.get $text) (local.get $length) (i32.const 64)))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $path i32)
      (local $path-length i32)
      (local $headers i32)
      (local $values i32)
      (local $count i32)
      (local $response i32)
      (local $body i32)
      (call $path (local.get $request) (i32.const 64))
      (local.set $path (i32.load (i32.const 68)))
      (local.set $path-length (i32.load (i32.const 72)))
      (local.set $headers (call $headers (local.get $request)))
      (call $get (local.get $headers) (i32.const 16) (i32.const 18) (i32.const 64))
      (local.set $values (i32.load (i32.const 64)))
      (local.set $count (i32.load (i32.const 68)))
      (call $fields.drop (local.get $headers))
      (call $request.drop (local.get $request))

      (local.set $response (call $response.new (call $fields.new)))
      (call $body (local.get $response) (i32.const 64))
      (local.set $body (i32.load (i32.const 68)))
      (call $output (local.get $body) (i32.const 64))
      (global.set $stream (i32.load (i32.const 68)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $say (i32.const 0) (i32.const 8))
      (call $say (local.get $path) (local.get $path-length))
      (call $say (i32.const 7) (i32.const 1))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $count)))
          (call $say (i32.load (local.get $values))
            (i32.load (i32.add (local.get $values) (i32.const 4))))
          (call $say (i32.const 7) (i32.const 1))
          (local.set $values (i32.add (local.get $values) (i32.const 8)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next)))
      (call $say (i32.const 0) (i32.const 7))
      (call $output.drop (global.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "path" (func $path))
      (export "headers" (func $headers))
      (export "get" (func $get))
      (export "fields.drop" (func $fields.drop))
      (export "request.drop" (func $request.drop))
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
  ;; The types are exported, too, as tools do it: middleware imports them with the function.
  (instance $handler
    (export "incoming-request" (type $incoming-request))
    (export "response-outparam" (type $response-outparam))
    (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
