;; Counts the requests that this instance has got, and answers with the number. The
;; letter after the slash says what it does besides.
(component $component
  ;; include http.wat

  (import "wasi:cli/stdout@0.2.12" (instance $stdout
    (alias outer $component $output-stream (type $output-stream'))
    (export "output-stream" (type $output-stream (eq $output-stream')))
    (export "get-stdout" (func (result (own $output-stream))))))

  ;; Texts and results are at the start, what the host hands over is at 4096.
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $consume (canon lower
    (func $types "[method]incoming-request.consume") (memory $mem)))
  (core func $request.drop (canon resource.drop $incoming-request))
  (core func $input (canon lower (func $types "[method]incoming-body.stream") (memory $mem)))
  (core func $input-body.drop (canon resource.drop $incoming-body))
  (core func $read (canon lower
    (func $streams "[method]input-stream.blocking-read") (memory $mem) (realloc $realloc)))
  (core func $input.drop (canon resource.drop $input-stream))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
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
    (import "memory" "memory" (memory 1))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "consume" (func $consume (param i32 i32)))
    (import "host" "request.drop" (func $request.drop (param i32)))
    (import "host" "input" (func $input (param i32 i32)))
    (import "host" "input-body.drop" (func $input-body.drop (param i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "input.drop" (func $input.drop (param i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    ;; The number of this request in this instance, as a digit.
    (data (i32.const 0) "0")
    (data (i32.const 16) "whole 0\nbroken off 0")
    ;; Results of imports are written to 64.

    (global $count (mut i32) (i32.const 0x30))
    ;; The standard output, which is kept from the first request on that prints.
    (global $output-stream (mut i32) (i32.const 0))

    ;; Prints a line and the beginning of another.
    (func $print
      (if (i32.eqz (global.get $output-stream))
        (then (global.set $output-stream (call $stdout))))
      (i32.store8 (i32.const 22) (global.get $count))
      (i32.store8 (i32.const 35) (global.get $count))
      (call $write (global.get $output-stream) (i32.const 16) (i32.const 20) (i32.const 64)))

    ;; Reads the body of the request until there is no more.
    (func $read-all (param $request i32)
      (local $body i32)
      (local $stream i32)
      (call $consume (local.get $request) (i32.const 64))
      (local.set $body (i32.load (i32.const 68)))
      (call $input (local.get $body) (i32.const 64))
      (local.set $stream (i32.load (i32.const 68)))
      (loop $more
        (call $read (local.get $stream) (i64.const 1024) (i32.const 64))
        (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
      (call $input.drop (local.get $stream))
      (call $input-body.drop (local.get $body)))

    ;; Answers with the count, and ends the body if so told.
    (func $answer (param $out i32) (param $ends i32)
      (local $response i32)
      (local $body i32)
      (local $stream i32)
      (local.set $response (call $response.new (call $fields.new)))
      (call $body (local.get $response) (i32.const 64))
      (local.set $body (i32.load (i32.const 68)))
      (call $output (local.get $body) (i32.const 64))
      (local.set $stream (i32.load (i32.const 68)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (i32.store8 (i32.const 0) (global.get $count))
      (call $write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 64))
      (if (local.get $ends)
        (then
          (call $output.drop (local.get $stream))
          (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64)))))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $letter i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (call $path (local.get $request) (i32.const 64))
      (local.set $letter (i32.load8_u (i32.add (i32.load (i32.const 68)) (i32.const 1))))

      ;; /trap: before it answers.
      (if (i32.eq (local.get $letter) (i32.const 0x74)) (then (unreachable)))
      ;; /late-trap: after it has answered, with nothing left to do.
      (if (i32.eq (local.get $letter) (i32.const 0x6c))
        (then
          (call $request.drop (local.get $request))
          (call $answer (local.get $out) (i32.const 1))
          (unreachable)))
      ;; /endless: does not end.
      (if (i32.eq (local.get $letter) (i32.const 0x65))
        (then (loop $forever (br $forever))))
      ;; /silent: does not answer.
      (if (i32.eq (local.get $letter) (i32.const 0x73))
        (then (call $request.drop (local.get $request)) (return)))
      ;; /hold: keeps its request, the body of which it has not read.
      (if (i32.eq (local.get $letter) (i32.const 0x68))
        (then (call $answer (local.get $out) (i32.const 1)) (return)))
      ;; /open: keeps the body of its response and does not end it.
      (if (i32.eq (local.get $letter) (i32.const 0x6f))
        (then
          (call $request.drop (local.get $request))
          (call $answer (local.get $out) (i32.const 0))
          (return)))
      ;; /print: to its standard output.
      (if (i32.eq (local.get $letter) (i32.const 0x70)) (then (call $print)))
      ;; /read: answers after it has read the body.
      (if (i32.eq (local.get $letter) (i32.const 0x72))
        (then (call $read-all (local.get $request))))
      ;; Everything else just answers.
      (call $request.drop (local.get $request))
      (call $answer (local.get $out) (i32.const 1))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "path" (func $path))
      (export "consume" (func $consume))
      (export "request.drop" (func $request.drop))
      (export "input" (func $input))
      (export "input-body.drop" (func $input-body.drop))
      (export "read" (func $read))
      (export "input.drop" (func $input.drop))
      (export "stdout" (func $stdout))
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
