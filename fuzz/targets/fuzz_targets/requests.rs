//! Bytes from a client: the gate, a reader and hyper have to agree on what they are.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (at_once, bytes) = input;
    fuzz::check(bytes, usize::from(at_once));
});
