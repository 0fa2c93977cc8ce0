;; Answers at `/good` and misbehaves at every other path, so that one server can
;; be asked for both. The letter after the slash decides.
(component $unruly
  (import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))

  (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
    (alias outer $unruly $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))

  (import "wasi:io/error@0.2.12" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))

  (import "wasi:io/streams@0.2.12" (instance $streams
    (export "output-stream" (type $output-stream (sub resource)))
    (alias outer $unruly $error (type $error'))
    (export "error" (type $error (eq $error')))
    (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output-stream)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))

  (import "wasi:http/types@0.2.12" (instance $types
    (alias outer $unruly $output-stream (type $output-stream'))
    (export "output-stream" (type $output-stream (eq $output-stream')))
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $incoming-request (sub resource)))
    (export "outgoing-response" (type $outgoing-response (sub resource)))
    (export "outgoing-body" (type $outgoing-body (sub resource)))
    (export "response-outparam" (type $response-outparam (sub resource)))

    (type $header-error' (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header-error (eq $header-error')))
    (type $dns' (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $dns (eq $dns')))
    (type $alert' (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $alert (eq $alert')))
    (type $size' (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $size (eq $size')))
    (type $error-code' (variant
      (case "DNS-timeout")
      (case "DNS-error" $dns)
      (case "destination-not-found")
      (case "destination-unavailable")
      (case "destination-IP-prohibited")
      (case "destination-IP-unroutable")
      (case "connection-refused")
      (case "connection-terminated")
      (case "connection-timeout")
      (case "connection-read-timeout")
      (case "connection-write-timeout")
      (case "connection-limit-reached")
      (case "TLS-protocol-error")
      (case "TLS-certificate-error")
      (case "TLS-alert-received" $alert)
      (case "HTTP-request-denied")
      (case "HTTP-request-length-required")
      (case "HTTP-request-body-size" (option u64))
      (case "HTTP-request-method-invalid")
      (case "HTTP-request-URI-invalid")
      (case "HTTP-request-URI-too-long")
      (case "HTTP-request-header-section-size" (option u32))
      (case "HTTP-request-header-size" (option $size))
      (case "HTTP-request-trailer-section-size" (option u32))
      (case "HTTP-request-trailer-size" $size)
      (case "HTTP-response-incomplete")
      (case "HTTP-response-header-section-size" (option u32))
      (case "HTTP-response-header-size" $size)
      (case "HTTP-response-body-size" (option u64))
      (case "HTTP-response-trailer-section-size" (option u32))
      (case "HTTP-response-trailer-size" $size)
      (case "HTTP-response-transfer-coding" (option string))
      (case "HTTP-response-content-coding" (option string))
      (case "HTTP-response-timeout")
      (case "HTTP-upgrade-failed")
      (case "HTTP-protocol-error")
      (case "loop-detected")
      (case "configuration-error")
      (case "internal-error" (option string))))
    (export "error-code" (type $error-code (eq $error-code')))

    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append" (func
      (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
      (result (result (error $header-error)))))
    (export "[method]incoming-request.path-with-query" (func
      (param "self" (borrow $incoming-request)) (result (option string))))
    (export "[constructor]outgoing-response" (func
      (param "headers" (own $fields)) (result (own $outgoing-response))))
    (export "[method]outgoing-response.body" (func
      (param "self" (borrow $outgoing-response)) (result (result (own $outgoing-body)))))
    (export "[method]outgoing-body.write" (func
      (param "self" (borrow $outgoing-body)) (result (result (own $output-stream)))))
    (export "[static]outgoing-body.finish" (func
      (param "this" (own $outgoing-body)) (param "trailers" (option (own $fields)))
      (result (result (error $error-code)))))
    (export "[static]response-outparam.set" (func
      (param "param" (own $response-outparam))
      (param "response" (result (own $outgoing-response) (error $error-code)))))))
  (alias export $types "incoming-request" (type $incoming-request))
  (alias export $types "response-outparam" (type $response-outparam))

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
