//! Server-sent events, one by one.

use alloc::format;

use guest_kit::bindings::wasi::http0_3_0::types::Response;
use guest_kit::complete::header;
use guest_kit::service;

use crate::bindings::wasi::clocks0_3_0::monotonic_clock::wait_for;

/// The time between two events, in nanoseconds.
const INTERVAL_NS: u64 = 100_000_000;

/// A response of `count` events. Each is sent when it occurs, the first at once.
pub(crate) fn respond(count: u32) -> Response {
    let headers = [
        header("content-type", "text/event-stream"),
        header("cache-control", "no-store"),
    ];
    let (response, mut body) = service::start(200, &headers);
    wit_bindgen::spawn_local(async move {
        for number in 1..=count {
            if number > 1 {
                wait_for(INTERVAL_NS).await;
            }
            let event = format!("id: {number}\ndata: event {number} of {count}\n\n");
            let rest = body.stream.write_all(event.into_bytes()).await;
            if !rest.is_empty() {
                // The client has disconnected.
                return;
            }
        }
    });
    response
}
