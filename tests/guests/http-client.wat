;; What guests use of wasi:http to send requests, beside http.wat, after which they
;; bring it in; they need the type $pollable before. Handles pass between the two, as both
;; stand for the same interface: an import can only be named once, so this one is named
;; with another version.

  (import "wasi:http/types@0.2.0" (instance $client
    (alias outer $component $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (alias outer $component $fields (type $fields'))
    (export "fields" (type $fields (eq $fields')))
    (alias outer $component $incoming-body (type $incoming-body'))
    (export "incoming-body" (type $incoming-body (eq $incoming-body')))
    (alias outer $component $outgoing-body (type $outgoing-body'))
    (export "outgoing-body" (type $outgoing-body (eq $outgoing-body')))
    (alias outer $component $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (type $method' (variant
      (case "get") (case "head") (case "post") (case "put") (case "delete") (case "connect")
      (case "options") (case "trace") (case "patch") (case "other" string)))
    (export "method" (type $method (eq $method')))
    (type $scheme' (variant (case "HTTP") (case "HTTPS") (case "other" string)))
    (export "scheme" (type $scheme (eq $scheme')))
    (export "outgoing-request" (type $client-request (sub resource)))
    (export "request-options" (type $client-options (sub resource)))
    (export "incoming-response" (type $client-response (sub resource)))
    (export "future-incoming-response" (type $future (sub resource)))

    (export "[constructor]outgoing-request" (func
      (param "headers" (own $fields)) (result (own $client-request))))
    (export "[method]outgoing-request.set-method" (func
      (param "self" (borrow $client-request)) (param "method" $method) (result (result))))
    (export "[method]outgoing-request.set-path-with-query" (func
      (param "self" (borrow $client-request)) (param "path-with-query" (option string))
      (result (result))))
    (export "[method]outgoing-request.set-scheme" (func
      (param "self" (borrow $client-request)) (param "scheme" (option $scheme))
      (result (result))))
    (export "[method]outgoing-request.set-authority" (func
      (param "self" (borrow $client-request)) (param "authority" (option string))
      (result (result))))
    (export "[method]outgoing-request.body" (func
      (param "self" (borrow $client-request)) (result (result (own $outgoing-body)))))
    (export "[constructor]request-options" (func (result (own $client-options))))
    (export "[method]request-options.set-connect-timeout" (func
      (param "self" (borrow $client-options)) (param "duration" (option u64))
      (result (result))))
    (export "[method]request-options.set-first-byte-timeout" (func
      (param "self" (borrow $client-options)) (param "duration" (option u64))
      (result (result))))
    (export "[method]request-options.set-between-bytes-timeout" (func
      (param "self" (borrow $client-options)) (param "duration" (option u64))
      (result (result))))
    (export "[method]future-incoming-response.subscribe" (func
      (param "self" (borrow $future)) (result (own $pollable))))
    (export "[method]future-incoming-response.get" (func
      (param "self" (borrow $future))
      (result (option (result (result (own $client-response) (error $error-code)))))))
    (export "[method]incoming-response.status" (func
      (param "self" (borrow $client-response)) (result u16)))
    (export "[method]incoming-response.headers" (func
      (param "self" (borrow $client-response)) (result (own $fields))))
    (export "[method]incoming-response.consume" (func
      (param "self" (borrow $client-response)) (result (result (own $incoming-body)))))))
  (alias export $client "outgoing-request" (type $client-request))
  (alias export $client "request-options" (type $client-options))
  (alias export $client "incoming-response" (type $client-response))
  (alias export $client "future-incoming-response" (type $future))

  (import "wasi:http/outgoing-handler@0.2.12" (instance $outgoing-handler
    (alias outer $component $client-request (type $client-request'))
    (export "outgoing-request" (type $client-request (eq $client-request')))
    (alias outer $component $client-options (type $client-options'))
    (export "request-options" (type $client-options (eq $client-options')))
    (alias outer $component $future (type $future'))
    (export "future-incoming-response" (type $future (eq $future')))
    (alias outer $component $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "handle" (func
      (param "request" (own $client-request)) (param "options" (option (own $client-options)))
      (result (result (own $future) (error $error-code)))))))
