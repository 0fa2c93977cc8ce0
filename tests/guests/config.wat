;; Answers with the value of the variable of wasi:config that the path names: /NAME. The
;; status is 404 if there is none.
(component $component
  ;; include http.wat

  (import "wasi:config/store@0.2.0-rc.1" (instance $store
    (type $error' (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $error (eq $error')))
    (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))

  ;; Results are at the start, what the host hands over is from 4096 on.
  (core module $memory
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $place i32)
      (local.set $place (global.get $free))
      (global.set $free (i32.and
        (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7)) (i32.const -8)))
      (local.get $place)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $request.drop (canon resource.drop $incoming-request))
  (core func $get (canon lower (func $store "get") (memory $mem) (realloc $realloc)))
  (core func $fields.new (canon lower (func $types "[constructor]fields")))
  (core func $response.new (canon lower (func $types "[constructor]outgoing-response")))
  (core func $status (canon lower (func $types "[method]outgoing-response.set-status-code")))
  (core func $body (canon lower (func $types "[method]outgoing-response.body") (memory $mem)))
  (core func $output (canon lower (func $types "[method]outgoing-body.write") (memory $mem)))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))
  (core func $output.drop (canon resource.drop $output-stream))
  (core func $finish (canon lower
    (func $types "[static]outgoing-body.finish") (memory $mem) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $mem)))

  (core module $guest
    (import "memory" "memory" (memory 1))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "request.drop" (func $request.drop (param i32)))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "status" (func $status (param i32 i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $response i32)
      (local $body i32)
      (local $stream i32)
      ;; The option of a path is at 64, and what was found at 128: the tag of the result,
      ;; the tag of the option, a pointer and a length.
      (call $path (local.get $request) (i32.const 64))
      (call $request.drop (local.get $request))
      (call $get
        (i32.add (i32.load (i32.const 68)) (i32.const 1))
        (i32.sub (i32.load (i32.const 72)) (i32.const 1))
        (i32.const 128))
      (if (i32.load8_u (i32.const 128)) (then (unreachable)))

      (local.set $response (call $response.new (call $fields.new)))
      (if (i32.eqz (i32.load8_u (i32.const 132)))
        (then (drop (call $status (local.get $response) (i32.const 404)))))
      (call $body (local.get $response) (i32.const 64))
      (local.set $body (i32.load (i32.const 68)))
      (call $output (local.get $body) (i32.const 64))
      (local.set $stream (i32.load (i32.const 68)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (if (i32.load8_u (i32.const 132))
        (then (call $write
          (local.get $stream) (i32.load (i32.const 136)) (i32.load (i32.const 140))
          (i32.const 64))))
      (call $output.drop (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "path" (func $path))
      (export "request.drop" (func $request.drop))
      (export "get" (func $get))
      (export "fields.new" (func $fields.new))
      (export "response.new" (func $response.new))
      (export "status" (func $status))
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
