;; Sends the request that its own path describes, and answers with what it gets for it:
;;
;;     /COUNT[OPTION]/SCHEME/AUTHORITY[/PATH]
;;
;; It sends COUNT requests (a digit) at once, waits for the last one, and passes on its
;; status, fields and body. If that failed, it answers 502, and the body is the number of
;; the error code in two digits. The OPTION is one letter: f and F set the timeout for the
;; first byte to 50 ms and to an hour, b that between bytes to 50 ms; w posts the body
;; `whole`, and p posts `part` of a body and traps; e posts without a body; g sends the body
;; `whole` with GET, and o opens a body with GET and ends it; n names no path; l posts the body
;; `whole` and says that its length is 3, and t posts it with the trailer `x-t`; c answers with
;; the error code of a body that breaks off.
(component $component
  (import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))

  ;; include http.wat

  ;; What concerns two interfaces is not in http.wat. An import can only be named once, so
  ;; this one has the name of another version; it is the same interface.
  (import "wasi:http/types@0.2.0" (instance $waiting
    (alias outer $component $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (alias outer $component $future-incoming-response (type $future'))
    (export "future-incoming-response" (type $future (eq $future')))
    (export "[method]future-incoming-response.subscribe" (func
      (param "self" (borrow $future)) (result (own $pollable))))))

  (import "wasi:http/types@0.2.1" (instance $codes
    (alias outer $component $error (type $error'))
    (export "io-error" (type $io-error (eq $error')))
    (alias outer $component $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "http-error-code" (func
      (param "err" (borrow $io-error)) (result (option $error-code))))))

  (import "wasi:http/outgoing-handler@0.2.12" (instance $outgoing
    (alias outer $component $outgoing-request (type $outgoing-request'))
    (export "outgoing-request" (type $outgoing-request (eq $outgoing-request')))
    (alias outer $component $request-options (type $request-options'))
    (export "request-options" (type $request-options (eq $request-options')))
    (alias outer $component $future-incoming-response (type $future'))
    (export "future-incoming-response" (type $future (eq $future')))
    (alias outer $component $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "handle" (func
      (param "request" (own $outgoing-request)) (param "options" (option (own $request-options)))
      (result (result (own $future) (error $error-code)))))))

  ;; The first page holds texts and results, the second what the host hands over: the
  ;; path first, and then one part of the body after the other.
  (core module $memory
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $start i32)
      (local.set $start (global.get $next))
      (global.set $next (i32.const 98304))
      (local.get $start)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $fields.new (canon lower (func $types "[constructor]fields")))
  (core func $fields.append (canon lower
    (func $types "[method]fields.append") (memory $mem)))
  (core func $request.new (canon lower (func $types "[constructor]outgoing-request")))
  (core func $request.method (canon lower
    (func $types "[method]outgoing-request.set-method") (memory $mem)))
  (core func $request.path (canon lower
    (func $types "[method]outgoing-request.set-path-with-query") (memory $mem)))
  (core func $request.scheme (canon lower
    (func $types "[method]outgoing-request.set-scheme") (memory $mem)))
  (core func $request.authority (canon lower
    (func $types "[method]outgoing-request.set-authority") (memory $mem)))
  (core func $request.body (canon lower
    (func $types "[method]outgoing-request.body") (memory $mem)))
  (core func $options.new (canon lower (func $types "[constructor]request-options")))
  (core func $options.first-byte (canon lower
    (func $types "[method]request-options.set-first-byte-timeout")))
  (core func $options.between-bytes (canon lower
    (func $types "[method]request-options.set-between-bytes-timeout")))
  (core func $send (canon lower
    (func $outgoing "handle") (memory $mem) (realloc $realloc)))
  (core func $future.subscribe (canon lower
    (func $waiting "[method]future-incoming-response.subscribe")))
  (core func $future.get (canon lower
    (func $types "[method]future-incoming-response.get") (memory $mem) (realloc $realloc)))
  (core func $incoming.status (canon lower
    (func $types "[method]incoming-response.status")))
  (core func $incoming.headers (canon lower
    (func $types "[method]incoming-response.headers")))
  (core func $incoming.consume (canon lower
    (func $types "[method]incoming-response.consume") (memory $mem)))
  (core func $input (canon lower (func $types "[method]incoming-body.stream") (memory $mem)))
  (core func $read (canon lower
    (func $streams "[method]input-stream.blocking-read") (memory $mem) (realloc $realloc)))
  (core func $code (canon lower (func $codes "http-error-code") (memory $mem) (realloc $realloc)))
  (core func $response.new (canon lower (func $types "[constructor]outgoing-response")))
  (core func $response.status (canon lower
    (func $types "[method]outgoing-response.set-status-code")))
  (core func $response.body (canon lower
    (func $types "[method]outgoing-response.body") (memory $mem)))
  (core func $output (canon lower (func $types "[method]outgoing-body.write") (memory $mem)))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))
  (core func $output.drop (canon resource.drop $output-stream))
  (core func $finish (canon lower
    (func $types "[static]outgoing-body.finish") (memory $mem) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $mem)))

  (core module $guest
    (import "memory" "memory" (memory 2))
    (import "host" "block" (func $block (param i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "fields.append" (func $fields.append
      (param i32 i32 i32 i32 i32 i32)))
    (import "host" "code" (func $code (param i32 i32)))
    (import "host" "request.new" (func $request.new (param i32) (result i32)))
    (import "host" "request.method" (func $request.method (param i32 i32 i32 i32) (result i32)))
    (import "host" "request.path" (func $request.path (param i32 i32 i32 i32) (result i32)))
    (import "host" "request.scheme" (func $request.scheme
      (param i32 i32 i32 i32 i32) (result i32)))
    (import "host" "request.authority" (func $request.authority
      (param i32 i32 i32 i32) (result i32)))
    (import "host" "request.body" (func $request.body (param i32 i32)))
    (import "host" "options.new" (func $options.new (result i32)))
    (import "host" "options.first-byte" (func $options.first-byte
      (param i32 i32 i64) (result i32)))
    (import "host" "options.between-bytes" (func $options.between-bytes
      (param i32 i32 i64) (result i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32)))
    (import "host" "future.subscribe" (func $future.subscribe (param i32) (result i32)))
    (import "host" "future.get" (func $future.get (param i32 i32)))
    (import "host" "incoming.status" (func $incoming.status (param i32) (result i32)))
    (import "host" "incoming.headers" (func $incoming.headers (param i32) (result i32)))
    (import "host" "incoming.consume" (func $incoming.consume (param i32 i32)))
    (import "host" "input" (func $input (param i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "response.status" (func $response.status (param i32 i32) (result i32)))
    (import "host" "response.body" (func $response.body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    (data (i32.const 0) "whole")
    (data (i32.const 16) "part")
    (data (i32.const 24) "/")
    (data (i32.const 1024) "content-length")
    (data (i32.const 1040) "3")
    (data (i32.const 1044) "x-t")
    ;; Results of imports are written to 64, and the digits of an error code to 32.

    (global $option (mut i32) (i32.const 0))
    (global $scheme (mut i32) (i32.const 0))
    (global $scheme-length (mut i32) (i32.const 0))
    (global $authority (mut i32) (i32.const 0))
    (global $authority-length (mut i32) (i32.const 0))
    (global $rest (mut i32) (i32.const 0))
    (global $rest-length (mut i32) (i32.const 0))
    (global $outgoing-body (mut i32) (i32.const 0))
    (global $output-stream (mut i32) (i32.const 0))

    ;; The end of what begins here: the next slash, or the end of the path.
    (func $end-of (param $at i32) (param $end i32) (result i32)
      (block $found
        (loop $next
          (br_if $found (i32.ge_u (local.get $at) (local.get $end)))
          (br_if $found (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x2f)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
      (local.get $at))

    ;; Takes the path apart, and returns how many requests it wants.
    (func $parse (param $request i32) (result i32)
      (local $path i32) (local $at i32) (local $end i32)
      (call $path (local.get $request) (i32.const 64))
      (local.set $path (i32.load (i32.const 68)))
      (local.set $end (i32.add (local.get $path) (i32.load (i32.const 72))))
      (local.set $at
        (call $end-of (i32.add (local.get $path) (i32.const 1)) (local.get $end)))
      (if (i32.eq (i32.sub (local.get $at) (local.get $path)) (i32.const 3))
        (then (global.set $option (i32.load8_u offset=2 (local.get $path)))))

      (global.set $scheme (i32.add (local.get $at) (i32.const 1)))
      (local.set $at (call $end-of (global.get $scheme) (local.get $end)))
      (global.set $scheme-length (i32.sub (local.get $at) (global.get $scheme)))

      (global.set $authority (i32.add (local.get $at) (i32.const 1)))
      (global.set $rest (call $end-of (global.get $authority) (local.get $end)))
      (global.set $authority-length (i32.sub (global.get $rest) (global.get $authority)))
      (global.set $rest-length (i32.sub (local.get $end) (global.get $rest)))
      (if (i32.eqz (global.get $rest-length))
        (then
          (global.set $rest (i32.const 24))
          (global.set $rest-length (i32.const 1))))
      (i32.sub (i32.load8_u offset=1 (local.get $path)) (i32.const 0x30)))

    ;; Takes the place for a body from the request or the response that was asked for it.
    (func $open-body
      (global.set $outgoing-body (i32.load (i32.const 68)))
      (call $output (global.get $outgoing-body) (i32.const 64))
      (global.set $output-stream (i32.load (i32.const 68))))

    (func $finish-body
      (local $trailers i32)
      (call $output.drop (global.get $output-stream))
      ;; t
      (if (i32.eq (global.get $option) (i32.const 0x74))
        (then
          (local.set $trailers (call $fields.new))
          (call $fields.append (local.get $trailers)
            (i32.const 1044) (i32.const 3) (i32.const 1040) (i32.const 1) (i32.const 64))
          (call $finish (global.get $outgoing-body)
            (i32.const 1) (local.get $trailers) (i32.const 64))
          ;; The response has none.
          (global.set $option (i32.const 0))
          (return)))
      (call $finish (global.get $outgoing-body) (i32.const 0) (i32.const 0) (i32.const 64)))

    ;; Whether the body `whole` is posted.
    (func $is-whole (result i32)
      (i32.or
        (i32.eq (global.get $option) (i32.const 0x77))
        (i32.or
          (i32.eq (global.get $option) (i32.const 0x6c))
          (i32.eq (global.get $option) (i32.const 0x74)))))

    ;; Sends a request. Returns 64, where the result is.
    (func $send-one (result i32)
      (local $request i32) (local $has-options i32) (local $options i32)
      (local $kind i32) (local $has-body i32) (local $fields i32)
      (local.set $fields (call $fields.new))
      ;; l
      (if (i32.eq (global.get $option) (i32.const 0x6c))
        (then (call $fields.append (local.get $fields)
          (i32.const 1024) (i32.const 14) (i32.const 1040) (i32.const 1) (i32.const 64))))
      (local.set $request (call $request.new (local.get $fields)))
      ;; `http` and `https` by their lengths, and `other` for what is neither.
      (local.set $kind (i32.sub (global.get $scheme-length) (i32.const 4)))
      (if (i32.gt_u (local.get $kind) (i32.const 1)) (then (local.set $kind (i32.const 2))))
      (drop (call $request.scheme (local.get $request) (i32.const 1) (local.get $kind)
        (global.get $scheme) (global.get $scheme-length)))
      (drop (call $request.authority (local.get $request) (i32.const 1)
        (global.get $authority) (global.get $authority-length)))
      ;; n
      (if (i32.ne (global.get $option) (i32.const 0x6e))
        (then (drop (call $request.path (local.get $request) (i32.const 1)
          (global.get $rest) (global.get $rest-length)))))

      (local.set $has-options (i32.or
        (i32.eq (i32.or (global.get $option) (i32.const 0x20)) (i32.const 0x66))
        (i32.eq (global.get $option) (i32.const 0x62))))
      (if (local.get $has-options)
        (then (local.set $options (call $options.new))))
      ;; f
      (if (i32.eq (global.get $option) (i32.const 0x66))
        (then (drop (call $options.first-byte
          (local.get $options) (i32.const 1) (i64.const 50_000_000)))))
      ;; F
      (if (i32.eq (global.get $option) (i32.const 0x46))
        (then (drop (call $options.first-byte
          (local.get $options) (i32.const 1) (i64.const 3_600_000_000_000)))))
      ;; b
      (if (i32.eq (global.get $option) (i32.const 0x62))
        (then (drop (call $options.between-bytes
          (local.get $options) (i32.const 1) (i64.const 50_000_000)))))
      ;; w, p, l, t
      (local.set $has-body (i32.or
        (call $is-whole)
        (i32.eq (global.get $option) (i32.const 0x70))))
      ;; e
      (if (i32.or (local.get $has-body) (i32.eq (global.get $option) (i32.const 0x65)))
        (then
          (drop (call $request.method
            (local.get $request) (i32.const 2) (i32.const 0) (i32.const 0)))))
      ;; g, o
      (local.set $has-body (i32.or (local.get $has-body) (i32.or
        (i32.eq (global.get $option) (i32.const 0x67))
        (i32.eq (global.get $option) (i32.const 0x6f)))))
      (if (local.get $has-body)
        (then
          (call $request.body (local.get $request) (i32.const 64))
          (call $open-body)))
      (call $send
        (local.get $request) (local.get $has-options) (local.get $options) (i32.const 64))
      (i32.const 64))

    ;; Waits for the outcome of what was sent, which is at 80 then: whether it failed, and
    ;; at 88 the response or the error code.
    (func $wait (param $future i32)
      (call $block (call $future.subscribe (local.get $future)))
      (call $future.get (local.get $future) (i32.const 64)))

    ;; Sets a response with these fields and opens its body.
    (func $respond (param $out i32) (param $status i32) (param $fields i32)
      (local $response i32)
      (local.set $response (call $response.new (local.get $fields)))
      (drop (call $response.status (local.get $response) (local.get $status)))
      (call $response.body (local.get $response) (i32.const 64))
      (call $open-body)
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))

    ;; Answers with an error code.
    (func $fail (param $out i32) (param $code i32)
      (i32.store8 (i32.const 32)
        (i32.add (i32.const 0x30) (i32.div_u (local.get $code) (i32.const 10))))
      (i32.store8 (i32.const 33)
        (i32.add (i32.const 0x30) (i32.rem_u (local.get $code) (i32.const 10))))
      (call $respond (local.get $out) (i32.const 502) (call $fields.new))
      (call $write (global.get $output-stream) (i32.const 32) (i32.const 2) (i32.const 64))
      (call $finish-body))

    ;; Passes a response on. Traps if its body breaks off.
    (func $pass-on (param $out i32) (param $response i32)
      (local $input i32)
      (call $incoming.consume (local.get $response) (i32.const 64))
      (call $input (i32.load (i32.const 68)) (i32.const 64))
      (local.set $input (i32.load (i32.const 68)))
      (call $respond (local.get $out)
        (call $incoming.status (local.get $response))
        (call $incoming.headers (local.get $response)))
      (block $end
        (loop $more
          (call $read (local.get $input) (i64.const 4096) (i32.const 64))
          (if (i32.load8_u (i32.const 64))
            (then
              (br_if $end (i32.eq (i32.load8_u (i32.const 68)) (i32.const 1)))
              (unreachable)))
          (call $write (global.get $output-stream)
            (i32.load (i32.const 68)) (i32.load (i32.const 72)) (i32.const 64))
          (br $more)))
      (call $finish-body))

    ;; The error code of a body that breaks off. Traps if there is none.
    (func $code-of-body (param $response i32) (result i32)
      (local $input i32)
      (call $incoming.consume (local.get $response) (i32.const 64))
      (call $input (i32.load (i32.const 68)) (i32.const 64))
      (local.set $input (i32.load (i32.const 68)))
      (loop $more
        (call $read (local.get $input) (i64.const 4096) (i32.const 64))
        (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
      (if (i32.load8_u (i32.const 68)) (then (unreachable)))
      (call $code (i32.load (i32.const 72)) (i32.const 64))
      (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
      (i32.load8_u (i32.const 72)))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $count i32) (local $future i32)
      (local.set $count (call $parse (local.get $request)))
      (loop $another
        (if (i32.load8_u (call $send-one))
          (then (call $fail (local.get $out) (i32.load8_u (i32.const 72))) (return)))
        (local.set $future (i32.load (i32.const 72)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $another (local.get $count)))

      (if (i32.eq (global.get $option) (i32.const 0x6f))
        (then (call $finish-body)))
      (if (i32.or (call $is-whole) (i32.eq (global.get $option) (i32.const 0x67)))
        (then
          (call $write (global.get $output-stream) (i32.const 0) (i32.const 5) (i32.const 64))
          (call $finish-body)))
      (if (i32.eq (global.get $option) (i32.const 0x70))
        (then
          (call $write (global.get $output-stream) (i32.const 16) (i32.const 4) (i32.const 64))
          (call $wait (local.get $future))
          (unreachable)))

      (call $wait (local.get $future))
      (if (i32.load8_u (i32.const 80))
        (then (call $fail (local.get $out) (i32.load8_u (i32.const 88))) (return)))
      ;; c
      (if (i32.eq (global.get $option) (i32.const 0x63))
        (then
          (call $fail (local.get $out) (call $code-of-body (i32.load (i32.const 88))))
          (return)))
      (call $pass-on (local.get $out) (i32.load (i32.const 88)))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "block" (func $block))
      (export "path" (func $path))
      (export "fields.new" (func $fields.new))
      (export "fields.append" (func $fields.append))
      (export "code" (func $code))
      (export "request.new" (func $request.new))
      (export "request.method" (func $request.method))
      (export "request.path" (func $request.path))
      (export "request.scheme" (func $request.scheme))
      (export "request.authority" (func $request.authority))
      (export "request.body" (func $request.body))
      (export "options.new" (func $options.new))
      (export "options.first-byte" (func $options.first-byte))
      (export "options.between-bytes" (func $options.between-bytes))
      (export "send" (func $send))
      (export "future.subscribe" (func $future.subscribe))
      (export "future.get" (func $future.get))
      (export "incoming.status" (func $incoming.status))
      (export "incoming.headers" (func $incoming.headers))
      (export "incoming.consume" (func $incoming.consume))
      (export "input" (func $input))
      (export "read" (func $read))
      (export "response.new" (func $response.new))
      (export "response.status" (func $response.status))
      (export "response.body" (func $response.body))
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
