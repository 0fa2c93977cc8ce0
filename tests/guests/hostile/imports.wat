;; What the hostile guest imports, as functions of a core module. It is included, within
;; the component $component.
  (import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
    (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))

  (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
    (alias outer $component $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))

  (import "wasi:random/random@0.2.12" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))

  (import "wasi:cli/exit@0.2.12" (instance $exit
    (export "exit" (func (param "status" (result))))))

  ;; include http.wat

  ;; The same interface in an older version, for what `http.wat` does not use of it.
  (import "wasi:http/types@0.2.0" (instance $more
    (alias outer $component $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (alias outer $component $future-incoming-response (type $future'))
    (export "future-incoming-response" (type $future (eq $future')))
    (export "[method]future-incoming-response.subscribe" (func
      (param "self" (borrow $future)) (result (own $pollable))))))

  (import "wasi:cli/stdout@0.2.12" (instance $stdout
    (alias outer $component $output-stream (type $output-stream'))
    (export "output-stream" (type $output-stream (eq $output-stream')))
    (export "get-stdout" (func (result (own $output-stream))))))
  (import "wasi:cli/stderr@0.2.12" (instance $stderr
    (alias outer $component $output-stream (type $output-stream'))
    (export "output-stream" (type $output-stream (eq $output-stream')))
    (export "get-stderr" (func (result (own $output-stream))))))

  (import "wasi:http/outgoing-handler@0.2.12" (instance $outgoing
    (alias outer $component $outgoing-request (type $outgoing-request'))
    (export "outgoing-request" (type $outgoing-request (eq $outgoing-request')))
    (alias outer $component $request-options (type $request-options'))
    (export "request-options" (type $request-options (eq $request-options')))
    (alias outer $component $future-incoming-response (type $future-incoming-response'))
    (export "future-incoming-response"
      (type $future-incoming-response (eq $future-incoming-response')))
    (alias outer $component $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "handle" (func
      (param "request" (own $outgoing-request)) (param "options" (option (own $request-options)))
      (result (result (own $future-incoming-response) (error $error-code)))))))

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

  ;; include hostile/memory-module.wat

  (core func $now (canon lower (func $clock "now")))
  (core func $timer (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $ready (canon lower (func $poll "[method]pollable.ready")))
  (core func $poll (canon lower (func $poll "poll") (memory $mem) (realloc $realloc)))
  (core func $random (canon lower
    (func $random "get-random-bytes") (memory $mem) (realloc $realloc)))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))
  (core func $exit (canon lower (func $exit "exit")))
  (core func $fields.new (canon lower (func $types "[constructor]fields")))
  (core func $fields.append (canon lower (func $types "[method]fields.append") (memory $mem)))
  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $consume (canon lower
    (func $types "[method]incoming-request.consume") (memory $mem)))
  (core func $input (canon lower (func $types "[method]incoming-body.stream") (memory $mem)))
  (core func $read (canon lower
    (func $streams "[method]input-stream.blocking-read") (memory $mem) (realloc $realloc)))
  (core func $response.new (canon lower (func $types "[constructor]outgoing-response")))
  (core func $set-status (canon lower
    (func $types "[method]outgoing-response.set-status-code")))
  (core func $body (canon lower (func $types "[method]outgoing-response.body") (memory $mem)))
  (core func $stream (canon lower (func $types "[method]outgoing-body.write") (memory $mem)))
  (core func $finish (canon lower
    (func $types "[static]outgoing-body.finish") (memory $mem) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $mem)))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))
  (core func $request.new (canon lower (func $types "[constructor]outgoing-request")))
  (core func $set-scheme (canon lower
    (func $types "[method]outgoing-request.set-scheme") (memory $mem)))
  (core func $set-authority (canon lower
    (func $types "[method]outgoing-request.set-authority") (memory $mem)))
  (core func $send (canon lower (func $outgoing "handle") (memory $mem) (realloc $realloc)))
  (core func $future.get (canon lower
    (func $types "[method]future-incoming-response.get") (memory $mem) (realloc $realloc)))
  (core func $future.subscribe (canon lower
    (func $more "[method]future-incoming-response.subscribe")))
  (core func $append (canon lower (func $audit "append") (memory $mem) (realloc $realloc)))
  (core func $incoming-request.drop (canon resource.drop $incoming-request))
  (core func $pollable.drop (canon resource.drop $pollable))
  (core func $stream.drop (canon resource.drop $output-stream))
  (core func $body.drop (canon resource.drop $outgoing-body))
  (core func $future.drop (canon resource.drop $future-incoming-response))

  (core instance $host
    (export "now" (func $now))
    (export "timer" (func $timer))
    (export "block" (func $block))
    (export "ready" (func $ready))
    (export "poll" (func $poll))
    (export "random" (func $random))
    (export "stdout" (func $stdout))
    (export "stderr" (func $stderr))
    (export "exit" (func $exit))
    (export "fields.new" (func $fields.new))
    (export "fields.append" (func $fields.append))
    (export "path" (func $path))
    (export "consume" (func $consume))
    (export "input" (func $input))
    (export "read" (func $read))
    (export "response.new" (func $response.new))
    (export "set-status" (func $set-status))
    (export "body" (func $body))
    (export "stream" (func $stream))
    (export "finish" (func $finish))
    (export "set" (func $set))
    (export "write" (func $write))
    (export "request.new" (func $request.new))
    (export "set-scheme" (func $set-scheme))
    (export "set-authority" (func $set-authority))
    (export "send" (func $send))
    (export "future.get" (func $future.get))
    (export "future.subscribe" (func $future.subscribe))
    (export "append" (func $append))
    (export "incoming-request.drop" (func $incoming-request.drop))
    (export "pollable.drop" (func $pollable.drop))
    (export "stream.drop" (func $stream.drop))
    (export "body.drop" (func $body.drop))
    (export "future.drop" (func $future.drop)))
