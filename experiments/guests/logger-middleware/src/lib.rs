//! A log of requests and their statuses on standard error: a middleware of WASI 0.3, of the world
//! `runner:experiments/logger-middleware`.
//!
//! With WASI 0.2 a middleware passes the response outparam on, and does not see the response. Here
//! it awaits the response, and passes it on with a body that is still being written.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::format;
use alloc::string::String;

use bindings::exports::wasi::http0_3_0::handler::Guest;
use bindings::wasi::cli0_3_0::stderr;
use bindings::wasi::http0_3_0::handler as next;
use bindings::wit_stream;
use guest_kit::bindings::wasi::http0_3_0::types::{ErrorCode, Request, Response};
use guest_kit::line;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/logger-middleware",
        // Shared with the kit.
        with: {
            "wasi:http/types@0.3.0": guest_kit::bindings::wasi::http0_3_0::types,
        },
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    /// Passes request and response on as they are: their bodies are streams that do not go through
    /// this guest.
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query();
        let line = line::render(&request.get_method(), target.as_deref());
        let result = next::handle(request).await;
        let outcome = match &result {
            Ok(response) => format!("{}", response.get_status_code()),
            Err(_) => "failed".into(),
        };
        print(format!("{line} {outcome}\n")).await;
        result
    }
}

/// Prints a line and ignores errors: an unavailable log must not fail a request.
async fn print(line: String) {
    let (mut writer, reader) = wit_stream::new();
    let printed = stderr::write_via_stream(reader);
    let _ = writer.write_all(line.into_bytes()).await;
    drop(writer);
    let _ = printed.await;
}
