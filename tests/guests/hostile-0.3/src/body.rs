//! Bodies of responses, and work after them.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use wit_bindgen::{StreamResult, spawn_local, yield_async};

use crate::bindings::runner::audit::audit_log::{Entry, Outcome, append};
use crate::bindings::wasi::cli0_3_0::exit;
use crate::bindings::wasi::clocks0_3_0::monotonic_clock::wait_for;
use crate::bindings::wasi::http0_3_0::types::{ErrorCode, Fields, Response};
use crate::bindings::{wit_future, wit_stream};
use crate::compute::{compute, spin};
use crate::output::{entry, print};
use crate::{Answer, Call, good, hold, length, stream, trap};

const SECOND: u64 = 1_000_000_000;

pub(crate) fn respond(call: Call) -> Result<Answer, Call> {
    let none = Fields::new();
    Ok(Ok(match &*call.name {
        "error" => return Ok(Err(ErrorCode::ConnectionTimeout)),
        "error-long" => {
            let text = "e".repeat(100_000);
            return Ok(Err(ErrorCode::InternalError(Some(text))));
        }
        "no-body" => {
            let (_, trailers) = wit_future::new(|| Ok(None));
            Response::new(length("0"), None, trailers).0
        }
        "no-body-with-length" => {
            let (_, trailers) = wit_future::new(|| Ok(None));
            Response::new(length("100"), None, trailers).0
        }
        "never-body" => stream(none, async |_body, _end| hold().await),
        // No task is left that could write.
        "forget-body" => {
            let (writer, contents) = wit_stream::new();
            let (_, trailers) = wit_future::new(|| Ok(None));
            mem::forget(writer);
            Response::new(none, Some(contents), trailers).0
        }
        "half-never" => stream(none, async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
            hold().await;
        }),
        "never-trailers" => stream(none, async |mut body, end| {
            body.write_all(b"good".to_vec()).await;
            drop(body);
            hold().await;
            drop(end);
        }),
        "never-trailers-with-length" => stream(length("4"), async |mut body, end| {
            body.write_all(b"good".to_vec()).await;
            drop(body);
            hold().await;
            drop(end);
        }),
        "body-with-error" => stream(none, async |mut body, end| {
            body.write_all(b"good".to_vec()).await;
            drop(body);
            let _ = end.write(Err(ErrorCode::InternalError(None))).await;
        }),
        "write-for-ever" => stream(none, async |mut body, _end| {
            while body.write_all(vec![b'x'; 4096]).await.is_empty() {}
        }),
        "write-huge" => stream(none, async |mut body, _end| {
            body.write_all(vec![b'x'; 16 << 20]).await;
        }),
        "write-byte-by-byte" => stream(
            none,
            async |mut body, _end| {
                while body.write_one(b'x').await.is_none() {}
            },
        ),
        "write-nothing" => stream(none, async |mut body, _end| {
            while body.write(Vec::new()).await.0 != StreamResult::Dropped {}
        }),
        "write-nothing-before" => stream(none, async |mut body, _end| {
            for _ in 0..10 {
                let _ = body.write(Vec::new()).await;
            }
            body.write_all(b"good".to_vec()).await;
        }),
        "write-slowly" => stream(none, async |mut body, _end| {
            for byte in *b"good" {
                body.write_one(byte).await;
                wait_for(SECOND / 10).await;
            }
        }),
        "half-body" => stream(length("100"), async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
        }),
        "half-body-late" => stream(length("100"), async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
            wait_for(SECOND / 10).await;
        }),
        "long-body" => stream(length("4"), async |mut body, _end| {
            body.write_all(b"good and more".to_vec()).await;
        }),
        "length-huge" => stream(length("18446744073709551615"), async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
        }),
        _ => return after(call),
    }))
}

/// Behaviours after a part or all of the body.
fn after(call: Call) -> Result<Answer, Call> {
    let none = Fields::new();
    Ok(Ok(match &*call.name {
        "spin-in-body" => stream(none, async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
            wait_for(SECOND / 100).await;
            spin();
        }),
        "trap-in-body" => stream(none, async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
            wait_for(SECOND / 10).await;
            trap();
        }),
        // On an offload thread.
        "busy-trap-in-body" => stream(none, async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
            for _ in 0..4 {
                wait_for(SECOND / 1000).await;
                compute();
            }
            trap();
        }),
        "trap-at-end" => stream(none, async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
            trap();
        }),
        "trap-instead-of-body" => stream(none, async |_body, _end| trap()),
        "exit-in-body" => stream(none, async |mut body, _end| {
            body.write_all(b"good".to_vec()).await;
            wait_for(SECOND / 10).await;
            exit::exit(Ok(()));
        }),
        "spin-after-body" => stream(length("4"), async |mut body, end| {
            body.write_all(b"good".to_vec()).await;
            drop((body, end));
            // The response is at its end before this.
            wait_for(SECOND / 10).await;
            spin();
        }),
        "trap-after-body" => stream(length("4"), async |mut body, end| {
            body.write_all(b"good".to_vec()).await;
            drop((body, end));
            wait_for(SECOND / 10).await;
            trap();
        }),
        "hold-after-body" => stream(length("4"), async |mut body, end| {
            body.write_all(b"good".to_vec()).await;
            drop((body, end));
            hold().await;
        }),
        // The end of this body is its last frame.
        "hold-after-chunks" => stream(none, async |mut body, end| {
            body.write_all(b"good".to_vec()).await;
            drop((body, end));
            hold().await;
        }),
        "work-after-body" => {
            spawn_local(async {
                wait_for(SECOND / 10).await;
                audit("after-body", Outcome::Success);
            });
            return Ok(good());
        }
        "print-after-response" => {
            spawn_local(async {
                for _ in 0..10 {
                    yield_async().await;
                }
                print(*b"after the response\n").await;
            });
            let (_, trailers) = wit_future::new(|| Ok(None));
            Response::new(none, None, trailers).0
        }
        "audit-sent" => audit_sent(none, &call.argument),
        "audit-sent-with-length" => audit_sent(length("4"), &call.argument),
        _ => return Err(call),
    }))
}

/// Appends an audit entry.
fn audit(action: &str, outcome: Outcome) {
    let entry = Entry {
        outcome,
        ..entry(action.to_string())
    };
    if append(&entry).is_err() {
        trap();
    }
}

/// A response with this status, and an audit entry of whether it was sent.
fn audit_sent(headers: Fields, status: &str) -> Response {
    let (mut body, contents) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (response, sent) = Response::new(headers, Some(contents), trailers);
    if response
        .set_status_code(status.parse().unwrap_or(200))
        .is_err()
    {
        trap();
    }
    spawn_local(async move {
        // The server does not read the body of a response that has none.
        let _ = body.write_all(b"good".to_vec()).await;
        drop((body, end));
        let outcome = match sent.await {
            Ok(()) => Outcome::Success,
            Err(_) => Outcome::Failure,
        };
        audit("sent", outcome);
    });
    response
}
