;; Answers with a number that it computes from the length of its path, as 8 hexadecimal
;; digits. How it computes it, tests put at the line FIELDS: fields of a module with the
;; function `$value`, which takes the length and returns the number.
(component $component
  ;; include http.wat

  ;; Digits are at 0, results of imports at 64, and the path is from 4096 on.
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
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

  (core module $value
    (import "memory" "memory" (memory $memory 1))
    ;; FIELDS
    (export "value" (func $value)))
  (core instance $value (instantiate $value (with "memory" (instance $memory))))

  (core module $guest
    (import "memory" "memory" (memory 1))
    (import "value" "value" (func $value (param i32) (result i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    ;; Writes the last 8 digits of a number, the last one first.
    (func $write-digits (param $number i32)
      (local $at i32)
      (local $digit i32)
      (local.set $at (i32.const 8))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (local.set $digit (i32.and (local.get $number) (i32.const 15)))
        (i32.store8 (local.get $at)
          (i32.add (local.get $digit)
            (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
        (local.set $number (i32.shr_u (local.get $number) (i32.const 4)))
        (br_if $next (local.get $at))))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $response i32)
      (local $body i32)
      (local $stream i32)
      (call $path (local.get $request) (i32.const 64))
      (call $write-digits (call $value (i32.load (i32.const 72))))
      (local.set $response (call $response.new (call $fields.new)))
      (call $body (local.get $response) (i32.const 64))
      (local.set $body (i32.load (i32.const 68)))
      (call $output (local.get $body) (i32.const 64))
      (local.set $stream (i32.load (i32.const 68)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $write (local.get $stream) (i32.const 0) (i32.const 8) (i32.const 64))
      (call $output.drop (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "value" (instance $value))
    (with "host" (instance
      (export "path" (func $path))
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
