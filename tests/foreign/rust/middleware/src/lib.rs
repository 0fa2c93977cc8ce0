//! A middleware that passes each request on as it is.

use exports::wasi::http0_2_12::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use wasi::http0_2_12::incoming_handler;

wit_bindgen::generate!({
    inline: "package foreign:middleware;
        world middleware {
            import wasi:http/incoming-handler@0.2.12;
            export wasi:http/incoming-handler@0.2.12;
        }",
    path: "../../../../wit",
    generate_all,
});

struct Middleware;

export!(Middleware);

impl Guest for Middleware {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        incoming_handler::handle(request, response_out);
    }
}
