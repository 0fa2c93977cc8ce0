;; Serves HTTP, but needs something that no host provides.
(component
  (import "example:missing/thing@1.0.0" (instance $thing
    (export "touch" (func))))
  (import "wasi:http/types@0.2.12" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $incoming-request))
  (alias export $types "response-outparam" (type $response-outparam))

  (core func $touch (canon lower (func $thing "touch")))
  (core module $guest
    (import "thing" "touch" (func $touch))
    (func (export "handle") (param i32 i32)
      (call $touch)))
  (core instance $guest (instantiate $guest
    (with "thing" (instance (export "touch" (func $touch))))))

  (func $handle
    (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
