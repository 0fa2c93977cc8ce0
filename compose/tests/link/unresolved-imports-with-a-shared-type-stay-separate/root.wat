(component
  (type $interface (instance (export "go" (func))))
  (import "t:x/first@0.1.0" (instance $first (type $interface)))
  (import "t:x/second@0.1.0" (instance $second (type $interface)))
  (export "t:app/run@0.1.0" (instance $second)))
