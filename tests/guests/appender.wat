;; Appends an entry whose strings come from the body of the request, and answers with
;; its place in the log, as decimal digits. If the log does not take it, it answers
;; with `error: ` and the name of the case, and the status 500. The letter after the
;; slash says where the body goes.
(component $component
  ;; include http.wat

  (import "runner:audit/audit-log@0.1.0" (instance $audit
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

  ;; The first page holds texts and results, the others what the host hands over,
  ;; without a gap: the parts of a body follow each other.
  (core module $memory
    (memory (export "memory") 4)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3)))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $consume (canon lower
    (func $types "[method]incoming-request.consume") (memory $mem)))
  (core func $input (canon lower (func $types "[method]incoming-body.stream") (memory $mem)))
  (core func $read (canon lower
    (func $streams "[method]input-stream.blocking-read") (memory $mem) (realloc $realloc)))
  (core func $append (canon lower (func $audit "append") (memory $mem) (realloc $realloc)))
  (core func $fields.new (canon lower (func $types "[constructor]fields")))
  (core func $response.new (canon lower (func $types "[constructor]outgoing-response")))
  (core func $set-status (canon lower
    (func $types "[method]outgoing-response.set-status-code")))
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
    (import "host" "consume" (func $consume (param i32 i32)))
    (import "host" "input" (func $input (param i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "set-status" (func $set-status (param i32 i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "output" (func $output (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output.drop" (func $output.drop (param i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    (data (i32.const 0) "append")
    (data (i32.const 8) "value")
    ;; What it answers in each case of the error: 32 bytes, the last one the length.
    (data (i32.const 128) "error: unavailable             \12")
    (data (i32.const 160) "error: too-large               \10")
    (data (i32.const 192) "error: invalid                 \0e")
    (data (i32.const 224) "error: quota-exceeded          \15")
    ;; Results of imports are written to 256, that of `append` to 288.
    ;; The one attribute: its name and its value, each where it is and how long.
    (data (i32.const 320) "\08\00\00\00\05\00\00\00\00\00\00\00\00\00\00\00")
    ;; Digits are written to where they end at 384.

    ;; Reads the body to its end. It is at $start, and this is how long it is.
    (func $read-all (param $request i32) (param $start i32) (result i32)
      (local $stream i32)
      (local $end i32)
      (call $consume (local.get $request) (i32.const 256))
      (call $input (i32.load (i32.const 260)) (i32.const 256))
      (local.set $stream (i32.load (i32.const 260)))
      (local.set $end (local.get $start))
      (block $closed
        (loop $more
          (call $read (local.get $stream) (i64.const 65536) (i32.const 256))
          (br_if $closed (i32.load8_u (i32.const 256)))
          (local.set $end (i32.add (local.get $end) (i32.load (i32.const 264))))
          (br $more)))
      (i32.sub (local.get $end) (local.get $start)))

    ;; The number that digits in the memory say.
    (func $number (param $at i32) (param $bytes i32) (result i32)
      (local $number i32)
      (loop $more
        (if (local.get $bytes)
          (then
            (local.set $number (i32.add
              (i32.mul (local.get $number) (i32.const 10))
              (i32.sub (i32.load8_u (local.get $at)) (i32.const 0x30))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $bytes (i32.sub (local.get $bytes) (i32.const 1)))
            (br $more))))
      (local.get $number))

    ;; Writes a number in digits that end at 384, and says where they begin.
    (func $digits (param $number i64) (result i32)
      (local $at i32)
      (local.set $at (i32.const 384))
      (loop $more
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at) (i32.add
          (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10))) (i32.const 0x30)))
        (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
        (br_if $more (i64.ne (local.get $number) (i64.const 0))))
      (local.get $at))

    (func $answer (param $out i32) (param $status i32) (param $text i32) (param $bytes i32)
      (local $response i32)
      (local $body i32)
      (local $stream i32)
      (local.set $response (call $response.new (call $fields.new)))
      (drop (call $set-status (local.get $response) (local.get $status)))
      (call $body (local.get $response) (i32.const 256))
      (local.set $body (i32.load (i32.const 260)))
      (call $output (local.get $body) (i32.const 256))
      (local.set $stream (i32.load (i32.const 260)))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $write (local.get $stream) (local.get $text) (local.get $bytes) (i32.const 256))
      (call $output.drop (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 256)))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $letter i32)
      (local $start i32)
      (local $bytes i32)
      (local $action i32)
      (local $action-bytes i32)
      (local $has-resource i32)
      (local $times i32)
      (local $text i32)
      (call $path (local.get $request) (i32.const 256))
      (local.set $letter (i32.load8_u (i32.add (i32.load (i32.const 260)) (i32.const 1))))
      (local.set $start (i32.add (i32.load (i32.const 260)) (i32.load (i32.const 264))))
      (local.set $bytes (call $read-all (local.get $request) (local.get $start)))
      (local.set $action-bytes (i32.const 6))
      (local.set $times (i32.const 1))
      ;; /value and everything else: to the value of the attribute.
      (i32.store (i32.const 328) (local.get $start))
      (i32.store (i32.const 332) (local.get $bytes))

      ;; /action
      (if (i32.eq (local.get $letter) (i32.const 0x61))
        (then
          (local.set $action (local.get $start))
          (local.set $action-bytes (local.get $bytes))
          (i32.store (i32.const 332) (i32.const 0))))
      ;; /resource
      (if (i32.eq (local.get $letter) (i32.const 0x72))
        (then
          (local.set $has-resource (i32.const 1))
          (i32.store (i32.const 332) (i32.const 0))))
      ;; /name: to the name of the attribute.
      (if (i32.eq (local.get $letter) (i32.const 0x6e))
        (then
          (i32.store (i32.const 320) (local.get $start))
          (i32.store (i32.const 324) (local.get $bytes))
          (i32.store (i32.const 332) (i32.const 0))))
      ;; /invalid-length: a value that goes on behind the end of the memory.
      (if (i32.eq (local.get $letter) (i32.const 0x69))
        (then (i32.store (i32.const 332) (i32.const -1))))
      ;; /many: the value is a number, and the entry is appended so many times.
      (if (i32.eq (local.get $letter) (i32.const 0x6d))
        (then (local.set $times (call $number (local.get $start) (local.get $bytes)))))

      (loop $again
        (call $append
          (local.get $action) (local.get $action-bytes) (i32.const 0)
          (local.get $has-resource) (local.get $start) (local.get $bytes)
          (i32.const 320) (i32.const 1) (i32.const 288))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $again (local.get $times)))

      (if (i32.load8_u (i32.const 288))
        (then
          (local.set $text
            (i32.add (i32.const 128) (i32.shl (i32.load8_u (i32.const 296)) (i32.const 5))))
          (call $answer (local.get $out)
            ;; /careless: the value, and 200 whatever becomes of it.
            (select (i32.const 200) (i32.const 500)
              (i32.eq (local.get $letter) (i32.const 0x63)))
            (local.get $text) (i32.load8_u (i32.add (local.get $text) (i32.const 31)))))
        (else
          (local.set $text (call $digits (i64.load (i32.const 296))))
          (call $answer (local.get $out) (i32.const 200)
            (local.get $text) (i32.sub (i32.const 384) (local.get $text)))))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "path" (func $path))
      (export "consume" (func $consume))
      (export "input" (func $input))
      (export "read" (func $read))
      (export "append" (func $append))
      (export "fields.new" (func $fields.new))
      (export "response.new" (func $response.new))
      (export "set-status" (func $set-status))
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
