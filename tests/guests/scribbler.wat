;; Looks for traces of other requests in everything that an instance has, and then
;; leaves as many as it can. The status of its answer says what it found: it is 200
;; for nothing, and otherwise 500 and the sum of
;;   1   the memory has grown
;;   2   bytes in the memory, or in the page by which it grows
;;   4   the table has grown
;;   8   elements of the table, or of those by which it grows
;;   16  globals
;;   32  handles
;; At `/trap` it traps after all of that.
(component $component
  (import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))))
  (alias export $poll "pollable" (type $pollable))

  (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
    (alias outer $component $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))

  ;; include http.wat

  ;; Two pages. Their beginning, their end and where they meet are not zero; the
  ;; host can make that part of an image which it maps anew for each instance.
  (core module $memory
    (memory (export "memory") 2)
    (data (i32.const 0)
      "original" "original" "original" "original" "original" "original" "original" "original")
    (data (i32.const 65472)
      "original" "original" "original" "original" "original" "original" "original" "original"
      "original" "original" "original" "original" "original" "original" "original" "original")
    (data (i32.const 131008)
      "original" "original" "original" "original" "original" "original" "original" "original")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $timer (canon lower (func $clock "subscribe-duration")))
  (core func $path (canon lower
    (func $types "[method]incoming-request.path-with-query") (memory $mem) (realloc $realloc)))
  (core func $request.drop (canon resource.drop $incoming-request))
  (core func $fields.new (canon lower (func $types "[constructor]fields")))
  (core func $response.new (canon lower (func $types "[constructor]outgoing-response")))
  (core func $status (canon lower (func $types "[method]outgoing-response.set-status-code")))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $mem)))

  (core module $guest
    (import "memory" "memory" (memory 2))
    (import "host" "timer" (func $timer (param i64) (result i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "request.drop" (func $request.drop (param i32)))
    (import "host" "fields.new" (func $fields.new (result i32)))
    (import "host" "response.new" (func $response.new (param i32) (result i32)))
    (import "host" "status" (func $status (param i32 i32) (result i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    (global $small (mut i32) (i32.const 7))
    (global $large (mut i64) (i64.const 0x0123456789abcdef))
    (global $single (mut f32) (f32.const 1.5))
    (global $double (mut f64) (f64.const -2.5))
    (global $vector (mut v128) (v128.const i64x2 3 5))
    (global $function (mut funcref) (ref.null func))

    ;; Of four elements each, the first and the last are null.
    (type $number (func (result i32)))
    (table $table 32 funcref)
    (elem (i32.const 1) func $one $two)
    (elem (i32.const 5) func $one $two)
    (elem (i32.const 9) func $one $two)
    (elem (i32.const 13) func $one $two)
    (elem (i32.const 17) func $one $two)
    (elem (i32.const 21) func $one $two)
    (elem (i32.const 25) func $one $two)
    (elem (i32.const 29) func $one $two)
    (func $one (type $number) (i32.const 1))
    (func $two (type $number) (i32.const 2))
    (func $trace (type $number) (i32.const 3))
    (elem declare func $trace)

    ;; Whether all 64-byte blocks from here to there repeat these 8 bytes.
    (func $repeats (param $at i32) (param $end i32) (param $bytes i64) (result i32)
      (local $difference i64)
      (loop $block
        (local.set $difference
          (i64.or (local.get $difference)
            (i64.or
              (i64.or
                (i64.or
                  (i64.xor (i64.load (local.get $at)) (local.get $bytes))
                  (i64.xor (i64.load offset=8 (local.get $at)) (local.get $bytes)))
                (i64.or
                  (i64.xor (i64.load offset=16 (local.get $at)) (local.get $bytes))
                  (i64.xor (i64.load offset=24 (local.get $at)) (local.get $bytes))))
              (i64.or
                (i64.or
                  (i64.xor (i64.load offset=32 (local.get $at)) (local.get $bytes))
                  (i64.xor (i64.load offset=40 (local.get $at)) (local.get $bytes)))
                (i64.or
                  (i64.xor (i64.load offset=48 (local.get $at)) (local.get $bytes))
                  (i64.xor (i64.load offset=56 (local.get $at)) (local.get $bytes)))))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br_if $block (i32.lt_u (local.get $at) (local.get $end))))
      (i64.eqz (local.get $difference)))

    ;; Whether the two pages are as they were made.
    (func $has-original-bytes (result i32)
      (i32.and
        (i32.and
          (call $repeats (i32.const 0) (i32.const 64) (i64.const 0x6c616e696769726f))
          (call $repeats (i32.const 64) (i32.const 65472) (i64.const 0)))
        (i32.and
          (call $repeats (i32.const 65472) (i32.const 65600) (i64.const 0x6c616e696769726f))
          (i32.and
            (call $repeats (i32.const 65600) (i32.const 131008) (i64.const 0))
            (call $repeats (i32.const 131008) (i32.const 131072)
              (i64.const 0x6c616e696769726f))))))

    ;; Whether this element is the function with this number, or null for 0 and 3.
    (func $is-original-element (param $index i32) (param $number i32) (result i32)
      (local $is-null i32)
      (local.set $is-null (ref.is_null (table.get $table (local.get $index))))
      (if (i32.or (i32.eqz (local.get $number)) (i32.eq (local.get $number) (i32.const 3)))
        (then (return (local.get $is-null))))
      (if (local.get $is-null) (then (return (i32.const 0))))
      (i32.eq (call_indirect $table (type $number) (local.get $index)) (local.get $number)))

    (func $has-original-elements (result i32)
      (local $index i32)
      (loop $element
        (if (i32.eqz
              (call $is-original-element
                (local.get $index) (i32.and (local.get $index) (i32.const 3))))
          (then (return (i32.const 0))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br_if $element (i32.lt_u (local.get $index) (i32.const 32))))
      (i32.const 1))

    (func $has-original-globals (result i32)
      (i32.and
        (i32.and
          (i32.and
            (i32.eq (global.get $small) (i32.const 7))
            (i64.eq (global.get $large) (i64.const 0x0123456789abcdef)))
          (i32.and
            (f32.eq (global.get $single) (f32.const 1.5))
            (f64.eq (global.get $double) (f64.const -2.5))))
        (i32.and
          (i64x2.all_true
            (i64x2.eq (global.get $vector) (v128.const i64x2 3 5)))
          (ref.is_null (global.get $function)))))

    ;; The sum of what is found.
    (func $traces (param $request i32) (param $out i32) (result i32)
      (local $old-size i32)
      (local $sum i32)
      (local.set $old-size (memory.grow (i32.const 1)))
      (local.set $sum (i32.ne (local.get $old-size) (i32.const 2)))
      (if (i32.eqz
            (i32.and
              (call $has-original-bytes)
              (call $repeats
                (i32.shl (local.get $old-size) (i32.const 16))
                (i32.shl (memory.size) (i32.const 16))
                (i64.const 0))))
        (then (local.set $sum (i32.or (local.get $sum) (i32.const 2)))))

      (local.set $old-size (table.grow $table (ref.null func) (i32.const 1)))
      (if (i32.ne (local.get $old-size) (i32.const 32))
        (then (local.set $sum (i32.or (local.get $sum) (i32.const 4)))))
      (if (i32.eqz
            (i32.and
              (call $has-original-elements)
              (call $is-original-element (local.get $old-size) (i32.const 0))))
        (then (local.set $sum (i32.or (local.get $sum) (i32.const 8)))))

      (if (i32.eqz (call $has-original-globals))
        (then (local.set $sum (i32.or (local.get $sum) (i32.const 16)))))

      ;; Handles are numbered from 1, and numbers that are free are given again.
      (if (i32.eqz
            (i32.and
              (i32.eq (local.get $request) (i32.const 1))
              (i32.eq (local.get $out) (i32.const 2))))
        (then (local.set $sum (i32.or (local.get $sum) (i32.const 32)))))
      (local.get $sum))

    (func $scribble
      (memory.fill (i32.const 0) (i32.const 0xa5) (i32.shl (memory.size) (i32.const 16)))
      (table.fill $table (i32.const 0) (ref.func $trace) (table.size $table))
      (global.set $small (i32.const 8))
      (global.set $large (i64.const 8))
      (global.set $single (f32.const 8))
      (global.set $double (f64.const 8))
      (global.set $vector (v128.const i64x2 8 8))
      (global.set $function (ref.func $trace)))

    ;; The first of them gets the number that the handle on the request had.
    (func $leave-handles
      (drop (call $fields.new))
      (drop (call $timer (i64.const 3_600_000_000_000))))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $traces i32)
      (local $response i32)
      (local.set $traces (call $traces (local.get $request) (local.get $out)))
      (call $scribble)
      (call $path (local.get $request) (i32.const 64))
      (if (i32.eq
            (i32.load8_u (i32.add (i32.load (i32.const 68)) (i32.const 1)))
            (i32.const 0x74))
        (then (unreachable)))
      (call $request.drop (local.get $request))
      (call $leave-handles)
      (local.set $response (call $response.new (call $fields.new)))
      (drop (call $status (local.get $response)
        (select
          (i32.add (i32.const 500) (local.get $traces))
          (i32.const 200)
          (local.get $traces))))
      (call $set (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))

  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "timer" (func $timer))
      (export "path" (func $path))
      (export "request.drop" (func $request.drop))
      (export "fields.new" (func $fields.new))
      (export "response.new" (func $response.new))
      (export "status" (func $status))
      (export "set" (func $set))))))

  (func $handle
    (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
