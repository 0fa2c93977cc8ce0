//! An HTTP handler that uses as much time and memory as the request asks for.
//!
//! - `/good` answers `good`.
//! - `/compute?STEPS` computes this number of steps and answers with the result.
//! - `/spin` computes without end.
//! - `/write?BYTES` answers with this number of bytes, as fast as the client reads them.
//! - `/leak` allocates memory and frees none, until it fails.
//! - `/print` prints lines without end.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::string::{String, ToString};
use alloc::vec;
use core::hint::{black_box, spin_loop};
use core::mem::forget;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::wasi::cli0_2_12::stdout::get_stdout;
use bindings::wasi::http0_2_12::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package bench:cpu-burn;

            world cpu-burn {
                import wasi:io/error@0.2.12;
                import wasi:io/poll@0.2.12;
                import wasi:io/streams@0.2.12;
                import wasi:cli/stdout@0.2.12;
                import wasi:http/types@0.2.12;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

/// Maximum size of one call of `blocking-write-and-flush`.
const MAX_WRITE: usize = 4096;

/// Size of one allocation of `/leak`.
const LEAK_BYTES: usize = 64 << 10;

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, number) = target.split_once('?').unwrap_or((&target, ""));
        let number = number.parse().unwrap_or_default();
        match path {
            "/good" => answer(out, b"good"),
            "/compute" => answer(out, compute(number).to_string().as_bytes()),
            "/spin" => loop {
                spin_loop();
            },
            "/write" => write(out, number),
            "/leak" => loop {
                // Written to: untouched memory costs nothing.
                forget(black_box(vec![1_u8; LEAK_BYTES]));
            },
            "/print" => print(),
            _ => answer(out, String::from("not found").as_bytes()),
        }
    }
}

/// Steps of xorshift (64 bits), each of which depends on the previous one.
fn compute(steps: u64) -> u64 {
    let mut number = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..steps {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number = black_box(number);
    }
    number
}

/// Answers with a body that fits into one call.
fn answer(out: ResponseOutparam, body: &[u8]) {
    let response = response(body.len() as u64);
    let outgoing = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let sink = outgoing.write().expect("the stream is taken once");
    let written = sink.blocking_write_and_flush(body);
    drop(sink);
    if written.is_ok() {
        let _ = OutgoingBody::finish(outgoing, None);
    }
}

/// Prints lines until a write fails.
fn print() {
    let sink = get_stdout();
    while sink
        .blocking_write_and_flush(b"one line of very many\n")
        .is_ok()
    {}
}

/// Answers with this number of bytes.
fn write(out: ResponseOutparam, bytes: u64) {
    let response = response(bytes);
    let outgoing = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let sink = outgoing.write().expect("the stream is taken once");
    let piece = [b'.'; MAX_WRITE];
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).map_or(MAX_WRITE, |left| left.min(MAX_WRITE));
        // The client has disconnected.
        if sink.blocking_write_and_flush(&piece[..count]).is_err() {
            return;
        }
        left -= count as u64;
    }
    drop(sink);
    let _ = OutgoingBody::finish(outgoing, None);
}

fn response(length: u64) -> OutgoingResponse {
    let headers = Fields::new();
    let name = "content-length".to_string();
    let value = length.to_string().into_bytes();
    headers.set(&name, &[value]).expect("a valid header");
    OutgoingResponse::new(headers)
}
