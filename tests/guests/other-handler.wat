;; Exports the handler under its name, but with another type.
(component
  (core module $guest (func (export "handle")))
  (core instance $guest (instantiate $guest))
  (func $handle (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
