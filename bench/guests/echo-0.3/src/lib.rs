//! A service of WASI 0.3 that echoes the body of each request while it arrives.
//!
//! The response has the stream of the request, so the bytes never enter the guest's memory, as with
//! the guest `echo`.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::string::ToString;
use alloc::vec::Vec;

use bindings::exports::wasi::http0_3_0::handler::Guest;
use bindings::wasi::http0_3_0::types::{ErrorCode, Fields, Request, Response};
use bindings::wit_future;

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
            package bench:echo;

            world echo {
                import wasi:http/types@0.3.0;
                export wasi:http/handler@0.3.0;
            }
        ",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

/// The header of a request that its response has, too.
const LENGTH: &str = "content-length";

struct Component;

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let values = request.get_headers().get(LENGTH);
        let fields = values.into_iter().map(|value| (LENGTH.to_string(), value));
        let fields: Vec<_> = fields.collect();
        // The same header came in, so its name and value are valid.
        let headers = Fields::from_list(&fields).expect("a valid header");
        // Dropping the writer sends the default: the request is handled without an error.
        let (_, handled) = wit_future::new(|| Ok(()));
        let (body, trailers) = Request::consume_body(request, handled);
        let (response, _transmitted) = Response::new(headers, Some(body), trailers);
        Ok(response)
    }
}
