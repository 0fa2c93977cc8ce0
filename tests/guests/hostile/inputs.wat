;; Guests that misuse their request, the network and the audit log.
    (data (i32.const 6304) "read-all")
    (data (i32.const 6328) "read-nothing")
    (data (i32.const 6352) "read-twice")
    (data (i32.const 6376) "read-huge")
    (data (i32.const 6400) "read-none-for-ever")
    (data (i32.const 6424) "send-to-loopback")
    (data (i32.const 6448) "send-to-metadata")
    (data (i32.const 6472) "send-to-localhost")
    (data (i32.const 6496) "send-for-ever")
    (data (i32.const 6520) "send-and-keep")
    (data (i32.const 6544) "audit-for-ever")
    (data (i32.const 6568) "audit-huge")
    (data (i32.const 6592) "audit-invalid")
    (data (i32.const 6712) "audit-late")

    (data (i32.const 320) "127.0.0.1:1")
    (data (i32.const 336) "169.254.169.254")
    (data (i32.const 352) "localhost:1")
    (data (i32.const 368) "a: b")

    ;; The stream of the body of the request.
    (func $request-stream (result i32)
      (call $consume (global.get $request) (global.get $result))
      (call $input (i32.load offset=4 (global.get $result)) (global.get $result))
      (i32.load offset=4 (global.get $result)))

    ;; Reads the body to its end, or where it breaks off.
    (func $read-all
      (local $stream i32)
      (local.set $stream (call $request-stream))
      (loop $more
        (global.set $realloc-next (global.get $scratch))
        (call $read (local.get $stream) (i64.const 4096) (global.get $result))
        (br_if $more (i32.eqz (i32.load8_u (global.get $result))))))

    ;; Sends a request to this authority. Returns whether it was refused at once, and leaves
    ;; the handle on the response that it may get in the result.
    (func $send-to (param $authority i32) (param $bytes i32) (result i32)
      (local $request i32)
      (local.set $request (call $request.new (call $fields.new)))
      (drop (call $set-scheme (local.get $request)
        (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
      (drop (call $set-authority (local.get $request)
        (i32.const 1) (local.get $authority) (local.get $bytes)))
      (call $send (local.get $request) (i32.const 0) (i32.const 0) (global.get $result))
      (i32.load8_u (global.get $result)))

    ;; Answers if no request to this authority is let through, and traps if one is.
    (func $answer-if-unsent (param $out i32) (param $authority i32) (param $bytes i32)
      (local $future i32)
      (local $pollable i32)
      (if (i32.eqz (call $send-to (local.get $authority) (local.get $bytes)))
        (then
          (local.set $future (i32.load offset=8 (global.get $result)))
          (local.set $pollable (call $future.subscribe (local.get $future)))
          (call $block (local.get $pollable))
          (call $pollable.drop (local.get $pollable))
          (call $future.get (local.get $future) (global.get $result))
          ;; Not an error of the host, but a response.
          (if (i32.eqz (i32.load8_u offset=16 (global.get $result))) (then (unreachable)))))
      (call $good (local.get $out)))

    ;; Appends an entry with an action of so many bytes.
    (func $append-entry (param $bytes i32)
      (call $append (global.get $scratch) (local.get $bytes) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (global.get $result)))

    (func $inputs (param $out i32) (result i32)
      (local $count i32)
      ;; /read-all: reads its body to the end, then answers.
      (if (call $asked (i32.const 6304))
        (then
          (call $read-all)
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /read-nothing: answers without a look at its body.
      (if (call $asked (i32.const 6328)) (then (call $good (local.get $out)) (return (i32.const 1))))
      ;; /read-twice: asks for its body twice, and answers if it gets it once.
      (if (call $asked (i32.const 6352))
        (then
          (call $consume (global.get $request) (global.get $result))
          (call $consume (global.get $request) (global.get $result))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /read-huge: asks for all bytes at once that there can be.
      (if (call $asked (i32.const 6376))
        (then
          (call $read (call $request-stream) (i64.const -1) (global.get $result))
          (call $good (local.get $out)) (return (i32.const 1))))
      ;; /read-none-for-ever: reads nothing, for ever.
      (if (call $asked (i32.const 6400))
        (then
          (local.set $count (call $request-stream))
          (loop $forever
            (call $read (local.get $count) (i64.const 0) (global.get $result))
            (br $forever))))
      ;; /send-to-loopback: sends a request to the machine itself.
      (if (call $asked (i32.const 6424))
        (then
          (call $answer-if-unsent (local.get $out) (i32.const 320) (i32.const 11)) (return (i32.const 1))))
      ;; /send-to-metadata: sends a request to where clouds keep secrets.
      (if (call $asked (i32.const 6448))
        (then
          (call $answer-if-unsent (local.get $out) (i32.const 336) (i32.const 15)) (return (i32.const 1))))
      ;; /send-to-localhost: sends a request to the machine itself by its name.
      (if (call $asked (i32.const 6472))
        (then
          (call $answer-if-unsent (local.get $out) (i32.const 352) (i32.const 11)) (return (i32.const 1))))
      ;; /send-for-ever: sends requests for ever, and waits for none.
      (if (call $asked (i32.const 6496))
        (then
          (loop $forever
            (if (i32.eqz (call $send-to (i32.const 320) (i32.const 11)))
              (then (call $future.drop (i32.load offset=8 (global.get $result)))))
            (br $forever))))
      ;; /send-and-keep: sends requests for ever, and keeps what it gets.
      (if (call $asked (i32.const 6520))
        (then
          (loop $forever
            (drop (call $send-to (i32.const 320) (i32.const 11)))
            (br $forever))))
      ;; /audit-for-ever: appends to the audit log for ever.
      (if (call $asked (i32.const 6544))
        (then
          (memory.fill (global.get $scratch) (i32.const 0x61) (i32.const 16))
          (loop $forever
            (global.set $realloc-next (i32.const 65536))
            (call $append-entry (i32.const 16))
            (br $forever))))
      ;; /audit-huge: appends an entry of 500000 bytes, and answers if it is refused.
      (if (call $asked (i32.const 6568))
        (then
          (memory.fill (global.get $scratch) (i32.const 0x61) (i32.const 500000))
          (call $append-entry (i32.const 500000))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /audit-invalid: appends an entry without an action, and answers if it is refused.
      (if (call $asked (i32.const 6592))
        (then
          (call $append-entry (i32.const 0))
          (call $answer-if-refused (local.get $out)) (return (i32.const 1))))
      ;; /audit-late: appends an entry a while after all of its body was written, and only
      ;; then ends that.
      (if (call $asked (i32.const 6712))
        (then
          (call $announce (i32.const 16) (i32.const 1))
          (call $begin-answer (local.get $out))
          (memory.fill (global.get $scratch) (i32.const 0x61) (i32.const 16))
          (call $append-entry (i32.const 16))
          (call $end-body) (return (i32.const 1))))
      (i32.const 0))
