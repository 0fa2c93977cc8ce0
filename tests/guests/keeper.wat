;; Makes the server keep as much as it can. The path says how:
;;
;;     /LETTER[d][/AUTHORITY]
;;
;; It does what the LETTER stands for 9,000 times, and then answers `kept`. With a `d` it
;; does it 900 times and drops each handle before the next one. To the AUTHORITY it sends
;; requests.
(component $component
  (import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))

  ;; include http.wat

  ;; What http.wat does not have, under the names of other versions: they are the same
  ;; interfaces.
  (import "wasi:io/streams@0.2.0" (instance $writing
    (alias outer $component $output-stream (type $output-stream'))
    (export "output-stream" (type $output-stream (eq $output-stream')))
    (alias outer $component $error (type $error'))
    (export "error" (type $error (eq $error')))
    (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]output-stream.check-write" (func
      (param "self" (borrow $output-stream)) (result (result u64 (error $stream-error)))))
    (export "[method]output-stream.write" (func
      (param "self" (borrow $output-stream)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (import "wasi:http/types@0.2.0" (instance $more
    (alias outer $component $fields (type $fields'))
    (export "fields" (type $fields (eq $fields')))
    (export "trailers" (type $trailers (eq $fields)))
    (export "future-trailers" (type $future-trailers (sub resource)))
    (type $header-error' (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header-error (eq $header-error')))
    (alias outer $component $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (alias outer $component $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (alias outer $component $incoming-body (type $incoming-body'))
    (export "incoming-body" (type $incoming-body (eq $incoming-body')))
    (alias outer $component $future-incoming-response (type $future'))
    (export "future-incoming-response" (type $future (eq $future')))
    (export "[static]fields.from-list" (func
      (param "entries" (list (tuple string (list u8))))
      (result (result (own $fields) (error $header-error)))))
    (export "[method]fields.set" (func
      (param "self" (borrow $fields)) (param "name" string) (param "value" (list (list u8)))
      (result (result (error $header-error)))))
    (export "[method]fields.clone" (func
      (param "self" (borrow $fields)) (result (own $fields))))
    (export "[static]incoming-body.finish" (func
      (param "this" (own $incoming-body)) (result (own $future-trailers))))
    (export "[method]future-trailers.subscribe" (func
      (param "self" (borrow $future-trailers)) (result (own $pollable))))
    (export "[method]future-trailers.get" (func
      (param "self" (borrow $future-trailers))
      (result (option (result (result (option (own $trailers)) (error $error-code)))))))
    (export "[method]future-incoming-response.subscribe" (func
      (param "self" (borrow $future)) (result (own $pollable))))))
  (alias export $more "future-trailers" (type $future-trailers))
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
  (import "wasi:cli/stdout@0.2.12" (instance $stdout
    (alias outer $component $output-stream (type $output-stream'))
    (export "output-stream" (type $output-stream (eq $output-stream')))
    (export "get-stdout" (func (result (own $output-stream))))))
  (import "wasi:cli/stderr@0.2.12" (instance $stderr
    (alias outer $component $output-stream (type $output-stream'))
    (export "output-stream" (type $output-stream (eq $output-stream')))
    (export "get-stderr" (func (result (own $output-stream))))))

  ;; The first page holds texts and results, the second what the host hands over: the path
  ;; first, and then whatever it is, over what was there before.
  (core module $memory
    (memory (export "memory") 32)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $start i32)
      (local.set $start (global.get $next))
      (global.set $next (i32.const 98304))
      (local.get $start)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $fields.new (canon lower (func $types "[constructor]fields")))
  (core func $fields.append (canon lower (func $types "[method]fields.append") (memory $mem)))
  (core func $fields.set (canon lower (func $more "[method]fields.set") (memory $mem)))
  (core func $fields.from-list (canon lower
    (func $more "[static]fields.from-list") (memory $mem)))
  (core func $fields.clone (canon lower (func $more "[method]fields.clone")))
  (core func $fields.drop (canon resource.drop $fields))
  (core func $request.new (canon lower (func $types "[constructor]outgoing-request")))
  (core func $request.body (canon lower
    (func $types "[method]outgoing-request.body") (memory $mem)))
  (core func $request.method (canon lower
    (func $types "[method]outgoing-request.set-method") (memory $mem)))
  (core func $request.path (canon lower
    (func $types "[method]outgoing-request.set-path-with-query") (memory $mem)))
  (core func $request.scheme (canon lower
    (func $types "[method]outgoing-request.set-scheme") (memory $mem)))
  (core func $request.authority (canon lower
    (func $types "[method]outgoing-request.set-authority") (memory $mem)))
  (core func $request.drop (canon resource.drop $outgoing-request))
  (core func $response.new (canon lower (func $types "[constructor]outgoing-response")))
  (core func $response.body (canon lower
    (func $types "[method]outgoing-response.body") (memory $mem)))
  (core func $output (canon lower (func $types "[method]outgoing-body.write") (memory $mem)))
  (core func $check-write (canon lower
    (func $writing "[method]output-stream.check-write") (memory $mem)))
  (core func $write (canon lower
    (func $writing "[method]output-stream.write") (memory $mem)))
  (core func $output.drop (canon resource.drop $output-stream))
  (core func $finish (canon lower
    (func $types "[static]outgoing-body.finish") (memory $mem) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $mem)))
  (core func $send (canon lower
    (func $outgoing "handle") (memory $mem) (realloc $realloc)))
  (core func $future.subscribe (canon lower
    (func $more "[method]future-incoming-response.subscribe")))
  (core func $future.get (canon lower
    (func $types "[method]future-incoming-response.get") (memory $mem) (realloc $realloc)))
  (core func $incoming.consume (canon lower
    (func $types "[method]incoming-response.consume") (memory $mem)))
  (core func $incoming.finish (canon lower (func $more "[static]incoming-body.finish")))
  (core func $trailers.subscribe (canon lower
    (func $more "[method]future-trailers.subscribe")))
  (core func $trailers.get (canon lower
    (func $more "[method]future-trailers.get") (memory $mem) (realloc $realloc)))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))

  (core module $guest
    (import "memory" "memory" (memory 32))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "fields.append" (func $fields.append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "fields.set" (func $fields.set (param i32 i32 i32 i32 i32 i32)))
    (import "host" "fields.from-list" (func $fields.from-list (param i32 i32 i32)))
    (import "host" "fields.clone" (func $fields.clone (param i32) (result i32)))
    (import "host" "fields.drop" (func $fields.drop (param i32)))
    (import "host" "request.new" (func $request.new (param i32) (result i32)))
    (import "host" "request.body" (func $request.body (param i32 i32)))
    (import "host" "request.method" (func $request.method (param i32 i32 i32 i32) (result i32)))
    (import "host" "request.path" (func $request.path (param i32 i32 i32 i32) (result i32)))
    (import "host" "request.scheme" (func $request.scheme
      (param i32 i32 i32 i32 i32) (result i32)))
    (import "host" "request.authority" (func $request.authority
      (param i32 i32 i32 i32) (result i32)))
    (import "host" "request.drop" (func $request.drop (param i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "response.body" (func $response.body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "check-write" (func $check-write (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32)))
    (import "host" "future.subscribe" (func $future.subscribe (param i32) (result i32)))
    (import "host" "future.get" (func $future.get (param i32 i32)))
    (import "host" "incoming.consume" (func $incoming.consume (param i32 i32)))
    (import "host" "incoming.finish" (func $incoming.finish (param i32) (result i32)))
    (import "host" "trailers.subscribe" (func $trailers.subscribe (param i32) (result i32)))
    (import "host" "trailers.get" (func $trailers.get (param i32 i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "stderr" (func $stderr (result i32)))

    (data (i32.const 0) "kept")
    (data (i32.const 8) "x")
    (data (i32.const 12) "/")
    ;; One entry, `x` and 120,000 bytes: as a list of fields at 16, as a list of values at 24.
    (data (i32.const 16) "\08\00\00\00\01\00\00\00\00\00\10\00\c0\d4\01\00")
    ;; Results of imports are written to 64.
    (global $result i32 (i32.const 64))
    ;; Many bytes `a`, which are one name, a value or a chunk; the first may be a slash.
    (global $bytes i32 (i32.const 0x100000))
    (global $value-bytes i32 (i32.const 120000))
    (global $text-bytes i32 (i32.const 60000))

    (global $drops (mut i32) (i32.const 0))
    (global $authority (mut i32) (i32.const 0))
    (global $authority-bytes (mut i32) (i32.const 0))
    (global $full (mut i32) (i32.const 0))

    ;; A map of fields that is as large as it may be.
    (func $full-fields (result i32)
      (local $fields i32)
      (local.set $fields (call $fields.new))
      (call $append (local.get $fields))
      (local.get $fields))

    (func $append (param $fields i32)
      (call $fields.append (local.get $fields) (i32.const 8) (i32.const 1)
        (global.get $bytes) (global.get $value-bytes) (global.get $result)))

    (func $end-fields (param $fields i32)
      (if (global.get $drops) (then (call $fields.drop (local.get $fields)))))

    (func $end-request (param $request i32)
      (if (global.get $drops) (then (call $request.drop (local.get $request)))))

    ;; Writes to a body, whose handle is at 68, for as long as it takes something.
    (func $fill-body
      (local $stream i32) (local $permit i32)
      (call $output (i32.load (i32.const 68)) (global.get $result))
      (local.set $stream (i32.load (i32.const 68)))
      (loop $more
        (call $check-write (local.get $stream) (global.get $result))
        (local.set $permit (i32.load (i32.const 72)))
        (if (local.get $permit)
          (then
            (call $write (local.get $stream)
              (global.get $bytes) (local.get $permit) (global.get $result))
            (br $more)))))

    ;; Sends a request with these fields. Returns what to wait for.
    (func $send-one (param $fields i32) (result i32)
      (local $request i32)
      (local.set $request (call $request.new (local.get $fields)))
      (drop (call $request.scheme
        (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
      (drop (call $request.authority (local.get $request) (i32.const 1)
        (global.get $authority) (global.get $authority-bytes)))
      (drop (call $request.path
        (local.get $request) (i32.const 1) (i32.const 12) (i32.const 1)))
      (call $send (local.get $request) (i32.const 0) (i32.const 0) (global.get $result))
      (if (i32.load8_u (global.get $result)) (then (unreachable)))
      (i32.load (i32.const 72)))

    ;; Sends a request and waits for the response. Returns it; there has to be one.
    (func $exchange (result i32)
      (local $future i32)
      (local.set $future (call $send-one (call $fields.new)))
      (call $block (call $future.subscribe (local.get $future)))
      (call $future.get (local.get $future) (global.get $result))
      (if (i32.load8_u (i32.const 80)) (then (unreachable)))
      (i32.load (i32.const 88)))

    (func $once (param $case i32)
      (local $handle i32)
      (block $p (block $o (block $n (block $m (block $l (block $k (block $j (block $i
      (block $h (block $g (block $f (block $e (block $d (block $c (block $b (block $a
        (br_table $a $b $c $d $e $f $g $h $i $j $k $l $m $n $o $p
          (i32.sub (local.get $case) (i32.const 0x61))))
        ;; wasi:http/types@0.2 [constructor]fields: /a
        (call $end-fields (call $fields.new)) (return))
        ;; wasi:http/types@0.2 [static]fields.from-list: /b
        (call $fields.from-list (i32.const 16) (i32.const 1) (global.get $result))
        (call $end-fields (i32.load (i32.const 68))) (return))
        ;; wasi:http/types@0.2 [method]fields.set: /c
        (local.set $handle (call $fields.new))
        (call $fields.set (local.get $handle) (i32.const 8) (i32.const 1)
          (i32.const 24) (i32.const 1) (global.get $result))
        (call $end-fields (local.get $handle)) (return))
        ;; wasi:http/types@0.2 [method]fields.append: /d
        (call $end-fields (call $full-fields)) (return))
        ;; wasi:http/types@0.2 [method]fields.clone: /e, which copies once the clone is changed
        (local.set $handle (call $fields.clone (global.get $full)))
        (call $fields.append (local.get $handle) (i32.const 8) (i32.const 1)
          (global.get $bytes) (i32.const 1) (global.get $result))
        (call $end-fields (local.get $handle)) (return))
        ;; wasi:http/types@0.2 [method]outgoing-request.body: /f
        (call $request.body (call $request.new (call $fields.new)) (global.get $result))
        (call $fill-body) (return))
        ;; wasi:http/types@0.2 [method]outgoing-response.body: /g
        (call $response.body (call $response.new (call $fields.new)) (global.get $result))
        (call $fill-body) (return))
        ;; wasi:http/types@0.2 [method]outgoing-request.set-method: /h
        (local.set $handle (call $request.new (call $fields.new)))
        (drop (call $request.method (local.get $handle) (i32.const 9)
          (global.get $bytes) (global.get $text-bytes)))
        (call $end-request (local.get $handle)) (return))
        ;; wasi:http/types@0.2 [method]outgoing-request.set-path-with-query: /i
        (local.set $handle (call $request.new (call $fields.new)))
        (i32.store8 (global.get $bytes) (i32.const 0x2f))
        (drop (call $request.path (local.get $handle) (i32.const 1)
          (global.get $bytes) (global.get $text-bytes)))
        (call $end-request (local.get $handle)) (return))
        ;; wasi:http/types@0.2 [method]outgoing-request.set-scheme: /j
        (local.set $handle (call $request.new (call $fields.new)))
        (drop (call $request.scheme (local.get $handle) (i32.const 1) (i32.const 2)
          (global.get $bytes) (i32.const 64)))
        (call $end-request (local.get $handle)) (return))
        ;; wasi:http/types@0.2 [method]outgoing-request.set-authority: /k
        (local.set $handle (call $request.new (call $fields.new)))
        (drop (call $request.authority (local.get $handle) (i32.const 1)
          (global.get $bytes) (global.get $text-bytes)))
        (call $end-request (local.get $handle)) (return))
        ;; wasi:http/outgoing-handler@0.2 handle: /l
        (drop (call $send-one (call $full-fields))) (return))
        ;; wasi:http/types@0.2 [method]future-incoming-response.get: /m
        (drop (call $exchange)) (return))
        ;; wasi:http/types@0.2 [method]future-trailers.get: /n
        (call $incoming.consume (call $exchange) (global.get $result))
        (local.set $handle (call $incoming.finish (i32.load (i32.const 68))))
        (call $block (call $trailers.subscribe (local.get $handle)))
        (call $trailers.get (local.get $handle) (global.get $result)) (return))
        ;; wasi:cli/stdout@0.2 get-stdout: /o
        (drop (call $stdout)) (return))
        ;; wasi:cli/stderr@0.2 get-stderr: /p
        (drop (call $stderr)))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $path i32) (local $end i32) (local $case i32) (local $left i32)
      (memory.fill (global.get $bytes) (i32.const 0x61) (i32.const 0x100000))
      (call $path (local.get $request) (global.get $result))
      (local.set $path (i32.load (i32.const 68)))
      (local.set $end (i32.add (local.get $path) (i32.load (i32.const 72))))
      (local.set $case (i32.load8_u offset=1 (local.get $path)))
      (global.set $drops (i32.eq (i32.load8_u offset=2 (local.get $path)) (i32.const 0x64)))
      (global.set $authority (i32.add (local.get $path) (i32.const 3)))
      (global.set $authority-bytes (i32.sub (local.get $end) (global.get $authority)))
      (global.set $full (call $full-fields))

      (local.set $left
        (select (i32.const 900) (i32.const 9000) (global.get $drops)))
      (loop $again
        (call $once (local.get $case))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left)))
      (call $answer (local.get $out)))

    ;; Answers `kept`, while everything is there.
    (func $answer (param $out i32)
      (local $response i32) (local $body i32) (local $stream i32)
      (local.set $response (call $response.new (call $fields.new)))
      (call $response.body (local.get $response) (global.get $result))
      (local.set $body (i32.load (i32.const 68)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $output (local.get $body) (global.get $result))
      (local.set $stream (i32.load (i32.const 68)))
      (call $write (local.get $stream) (i32.const 0) (i32.const 4) (global.get $result))
      (call $output.drop (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (global.get $result))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "path" (func $path))
      (export "block" (func $block))
      (export "fields.new" (func $fields.new))
      (export "fields.append" (func $fields.append))
      (export "fields.set" (func $fields.set))
      (export "fields.from-list" (func $fields.from-list))
      (export "fields.clone" (func $fields.clone))
      (export "fields.drop" (func $fields.drop))
      (export "request.new" (func $request.new))
      (export "request.body" (func $request.body))
      (export "request.method" (func $request.method))
      (export "request.path" (func $request.path))
      (export "request.scheme" (func $request.scheme))
      (export "request.authority" (func $request.authority))
      (export "request.drop" (func $request.drop))
      (export "response.new" (func $response.new))
      (export "response.body" (func $response.body))
      (export "output" (func $output))
      (export "check-write" (func $check-write))
      (export "write" (func $write))
      (export "output.drop" (func $output.drop))
      (export "finish" (func $finish))
      (export "set" (func $set))
      (export "send" (func $send))
      (export "future.subscribe" (func $future.subscribe))
      (export "future.get" (func $future.get))
      (export "incoming.consume" (func $incoming.consume))
      (export "incoming.finish" (func $incoming.finish))
      (export "trailers.subscribe" (func $trailers.subscribe))
      (export "trailers.get" (func $trailers.get))
      (export "stdout" (func $stdout))
      (export "stderr" (func $stderr))))))

  (func $handle
    (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
