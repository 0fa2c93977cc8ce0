;; A component that is fine but serves no HTTP.
(component
  (core module $guest (func (export "run")))
  (core instance $guest (instantiate $guest))
  (func (export "run") (canon lift (core func $guest "run"))))
