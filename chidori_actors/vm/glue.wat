;; One step of a VM in one call across the boundary. The host replaces the names in braces by the addresses and
;; handles that the golden image was built with.
(module
  (import "engine" "memory" (memory 1))
  (import "engine" "call_function" (func $call_function (param i32 i32 i32 i32 i32) (result i32)))
  (import "engine" "new_from_json" (func $new_from_json (param i32 i32 i32) (result i32)))
  (import "engine" "free_value" (func $free_value (param i32)))
  (import "engine" "get_string" (func $get_string (param i32) (result i32)))
  (import "engine" "execute_pending_jobs" (func $execute_pending_jobs (result i32)))
  (import "engine" "qjs_last_ptr" (func $last_ptr (result i32)))
  (import "engine" "qjs_last_len" (func $last_len (result i32)))
  (import "engine" "qjs_result_free" (func $result_free))
  (import "shim" "late" (table 8 funcref))

  (global $now_ns (export "now_ns") (mut i64) (i64.const 0))

  ;; The engine's clock stands still at the run's time; its random bytes are zeros (hash seeds, nothing else).
  (func $random_get (param i32 i32) (result i32)
    (memory.fill (local.get 0) (i32.const 0) (local.get 1))
    (i32.const 0))
  (func $environ_sizes_get (param i32 i32) (result i32)
    (i32.store (local.get 0) (i32.const 0))
    (i32.store (local.get 1) (i32.const 0))
    (i32.const 0))
  (func $clock_time_get (param i32 i64 i32) (result i32)
    (i64.store (local.get 2) (global.get $now_ns))
    (i32.const 0))
  (elem (i32.const 0) $random_get $environ_sizes_get $clock_time_get)

  ;; Where the engine keeps the state of every pending promise (see heap.py): how many there are; the addresses of those
  ;; behind the first `skip`, at most `limit`, are left at `out`.
  (func (export "pending_promises") (param $out i32) (param $limit i32) (param $skip i32) (result i32)
    (local $link i32)
    (local $data i32)
    (local $count i32)
    (local.set $link (i32.load offset=4 (i32.const {objects})))
    (block $all
      (loop $next
        (br_if $all (i32.eq (local.get $link) (i32.const {objects})))
        ;; The link lies at offset 8 of an object; kind at 4 (low bits), class at 6, data of a promise at 32.
        (if (i32.and
              (i32.eqz (i32.and (i32.load8_u (i32.sub (local.get $link) (i32.const 4))) (i32.const 15)))
              (i32.eq (i32.load16_u (i32.sub (local.get $link) (i32.const 2))) (i32.const {promise_class})))
          (then
            (local.set $data (i32.load offset=24 (local.get $link)))
            ;; Its state comes first; 0: pending.
            (if (i32.eqz (i32.load (local.get $data)))
              (then
                (if (i32.and
                      (i32.ge_u (local.get $count) (local.get $skip))
                      (i32.lt_u (i32.sub (local.get $count) (local.get $skip)) (local.get $limit)))
                  (then
                    (i32.store
                      (i32.add
                        (local.get $out)
                        (i32.shl (i32.sub (local.get $count) (local.get $skip)) (i32.const 2)))
                      (local.get $data))))
                (local.set $count (i32.add (local.get $count) (i32.const 1)))))))
        (local.set $link (i32.load offset=4 (local.get $link)))
        (br $next)))
    (local.get $count))

  (func $drain
    (loop $more
      (br_if $more (call $execute_pending_jobs))))

  ;; Call the function {settle} with the handle in `argument`, which is freed. Not 0: the call itself failed.
  (func $settle (param $argument i32) (result i32)
    (local $status i32)
    (i32.store (i32.const {argv}) (local.get $argument))
    (local.set $status
      (call $call_function (i32.const {settle}) (i32.const {undefined}) (i32.const {argv}) (i32.const 1) (i32.const {out})))
    (call $free_value (local.get $argument))
    (if (i32.eqz (local.get $status))
      (then (call $free_value (i32.load (i32.const {out})))))
    (local.get $status))

  ;; What the VM wants to say: (pointer << 32) | length of UTF-8 text, or the negated status of a failure.
  (func $take (result i64)
    (local $status i32)
    (local $text i32)
    (local.set $status
      (call $call_function (i32.const {take}) (i32.const {undefined}) (i32.const {argv}) (i32.const 0) (i32.const {out})))
    (if (local.get $status)
      (then (return (i64.sub (i64.const 0) (i64.extend_i32_u (local.get $status))))))
    (local.set $text (i32.load (i32.const {out})))
    (local.set $status (call $get_string (local.get $text)))
    (call $free_value (local.get $text))
    (if (local.get $status)
      (then (return (i64.sub (i64.const 0) (i64.extend_i32_u (local.get $status))))))
    (i64.or
      (i64.shl (i64.extend_i32_u (call $last_ptr)) (i64.const 32))
      (i64.extend_i32_u (call $last_len))))

  ;; Messages lie one behind the other at `at`: u32 length of the JSON text, i64 time in ns, the text. Each is given
  ;; to {settle} and the job queue drained before the next.
  (func (export "step") (param $at i32) (param $end i32) (result i64)
    (local $length i32)
    (local $status i32)
    (call $result_free)
    (block $fed
      (loop $next
        (br_if $fed (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $length (i32.load align=1 (local.get $at)))
        (global.set $now_ns (i64.load offset=4 align=1 (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $status
          (call $new_from_json (local.get $at) (local.get $length) (i32.const {out})))
        (if (i32.eqz (local.get $status))
          (then (local.set $status (call $settle (i32.load (i32.const {out}))))))
        (if (local.get $status)
          (then (return (i64.sub (i64.const 0) (i64.extend_i32_u (local.get $status))))))
        (call $drain)
        (local.set $at (i32.add (local.get $at) (local.get $length)))
        (br $next)))
    (call $take)))
