;; Does what a benchmark times and nothing else: calls the host in a loop, and as a
;; handler reads the body of its request and, at a path like `/out`, writes 64 KiB.
(component $component
  ;; include http.wat

  (import "wasi:cli/stdout@0.2.12" (instance $stdout
    (alias outer $component $output-stream (type $output-stream'))
    (export "output-stream" (type $output-stream (eq $output-stream')))
    (export "get-stdout" (func (result (own $output-stream))))))
  (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
    (export "now" (func (result u64)))))
  (import "wasi:random/insecure@0.2.12" (instance $random
    (export "get-insecure-random-u64" (func (result u64)))))
  (import "runner:audit/audit-log@0.1.0" (instance $audit-log
    (type $outcome' (enum "success" "denied" "failure"))
    (export "outcome" (type $outcome (eq $outcome')))
    (type $attribute' (record (field "name" string) (field "value" string)))
    (export "attribute" (type $attribute (eq $attribute')))
    (type $entry' (record
      (field "action" string) (field "outcome" $outcome)
      (field "resource" (option string)) (field "attributes" (list $attribute))))
    (export "entry" (type $entry (eq $entry')))
    (type $receipt' (record (field "sequence" u64)))
    (export "receipt" (type $receipt (eq $receipt')))
    (type $error' (variant
      (case "unavailable" string) (case "too-large" string)
      (case "invalid" string) (case "quota-exceeded" string)))
    (export "error" (type $error (eq $error')))
    (export "append" (func
      (param "entry" $entry) (result (result $receipt (error $error)))))))

  ;; Texts and results are in the first page, what is written too; what the host
  ;; hands over is in the second.
  (core module $memory
    (memory (export "memory") 2)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $now (canon lower (func $clock "now")))
  (core func $random (canon lower (func $random "get-insecure-random-u64")))
  (core func $append (canon lower
    (func $audit-log "append") (memory $mem) (realloc $realloc)))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
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
    (import "memory" "memory" (memory 2))
    (import "host" "now" (func $now (result i64)))
    (import "host" "random" (func $random (result i64)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "consume" (func $consume (param i32 i32)))
    (import "host" "request.drop" (func $request.drop (param i32)))
    (import "host" "input" (func $input (param i32 i32)))
    (import "host" "input-body.drop" (func $input-body.drop (param i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "input.drop" (func $input.drop (param i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    (data (i32.const 0) "measure")
    ;; Results of imports are written to 64; what is written begins at 4096.

    (func (export "clock") (param $count i32)
      (loop $more
        (drop (call $now))
        (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

    (func (export "random") (param $count i32)
      (loop $more
        (drop (call $random))
        (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

    ;; Writes nothing, which takes the whole way and makes no system call.
    (func (export "write") (param $count i32)
      (local $stream i32)
      (local.set $stream (call $stdout))
      (loop $more
        (call $write (local.get $stream) (i32.const 0) (i32.const 0) (i32.const 64))
        (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
      (call $output.drop (local.get $stream)))

    ;; Appends an entry without resource and attributes.
    (func (export "append") (param $count i32)
      (loop $more
        (call $append
          (i32.const 0) (i32.const 7) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then (unreachable)))
        (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

    ;; Reads the body of the request until there is no more.
    (func $read-all (param $request i32)
      (local $body i32)
      (local $stream i32)
      (call $consume (local.get $request) (i32.const 64))
      (local.set $body (i32.load (i32.const 68)))
      (call $input (local.get $body) (i32.const 64))
      (local.set $stream (i32.load (i32.const 68)))
      (loop $more
        (call $read (local.get $stream) (i64.const 65536) (i32.const 64))
        (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
      (call $input.drop (local.get $stream))
      (call $input-body.drop (local.get $body)))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $response i32)
      (local $body i32)
      (local $stream i32)
      (local $writes i32)
      (call $path (local.get $request) (i32.const 64))
      ;; The letter after the slash, if there is one.
      (if (i32.gt_u (i32.load (i32.const 72)) (i32.const 1))
        (then (local.set $writes (i32.const 16))))
      (call $read-all (local.get $request))
      (call $request.drop (local.get $request))

      (local.set $response (call $response.new (call $fields.new)))
      (call $body (local.get $response) (i32.const 64))
      (local.set $body (i32.load (i32.const 68)))
      (call $output (local.get $body) (i32.const 64))
      (local.set $stream (i32.load (i32.const 68)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (block $done
        (loop $more
          (br_if $done (i32.eqz (local.get $writes)))
          (call $write (local.get $stream) (i32.const 4096) (i32.const 4096) (i32.const 64))
          (local.set $writes (i32.sub (local.get $writes) (i32.const 1)))
          (br $more)))
      (call $output.drop (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "now" (func $now))
      (export "random" (func $random))
      (export "append" (func $append))
      (export "stdout" (func $stdout))
      (export "path" (func $path))
      (export "consume" (func $consume))
      (export "request.drop" (func $request.drop))
      (export "input" (func $input))
      (export "input-body.drop" (func $input-body.drop))
      (export "read" (func $read))
      (export "input.drop" (func $input.drop))
      (export "fields.new" (func $fields.new))
      (export "response.new" (func $response.new))
      (export "body" (func $body))
      (export "output" (func $output))
      (export "write" (func $write))
      (export "output.drop" (func $output.drop))
      (export "finish" (func $finish))
      (export "set" (func $set))))))

  (func (export "clock") (param "count" u32) (canon lift (core func $guest "clock")))
  (func (export "random") (param "count" u32) (canon lift (core func $guest "random")))
  (func (export "write") (param "count" u32) (canon lift (core func $guest "write")))
  (func (export "append") (param "count" u32) (canon lift (core func $guest "append")))
  (func $handle
    (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
