;; Answers at `/good`, and misbehaves at every other path: in each by its name, in the
;; files that this one includes. `src/hostile/` says what must come of it.
(component $component
  ;; include hostile/imports.wat

  (core module $guest
    ;; include hostile/common.wat
    ;; include hostile/compute.wat
    ;; include hostile/memory.wat
    ;; include hostile/waiting.wat
    ;; include hostile/response.wat
    ;; include hostile/headers.wat
    ;; include hostile/inputs.wat

    (global $request (mut i32) (i32.const 0))

    (func (export "handle") (param $request i32) (param $out i32)
      (global.set $request (local.get $request))
      (call $path (local.get $request) (global.get $result))
      (global.set $path-start (i32.load offset=4 (global.get $result)))
      (global.set $headers (call $fields.new))
      (if (call $compute (local.get $out)) (then (return)))
      (if (call $memory (local.get $out)) (then (return)))
      (if (call $waiting (local.get $out)) (then (return)))
      (if (call $response (local.get $out)) (then (return)))
      (if (call $headers (local.get $out)) (then (return)))
      (if (call $inputs (local.get $out)) (then (return)))
      ;; Nothing of this name.
      (unreachable)))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance $host))))

  (func $handle
    (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
