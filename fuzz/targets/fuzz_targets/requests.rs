//! Bytes from a client: the strict reader, an independent reader and hyper must agree on them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (at_once, bytes) = input;
    fuzz::check(bytes, usize::from(at_once));
});
