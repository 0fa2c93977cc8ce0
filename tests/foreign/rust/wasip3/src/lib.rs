//! A service of WASI 0.3 with the crate `wasip3`: it responds, streams, and echoes.

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::StreamResult;
use wasip3::{spawn_local, wit_future, wit_stream};

struct Service;

wasip3::http::service::export!(Service);

impl wasip3::exports::http::handler::Guest for Service {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        Ok(match request.get_path_with_query().as_deref() {
            Some("/ticks") => ticks(),
            Some("/echo") => echo(request),
            _ => hello(),
        })
    }
}

/// A body in one piece. It is written in a task, because it is read only after `handle` returns.
fn hello() -> Response {
    let (mut body, contents) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    spawn_local(async move {
        body.write_all(b"hello from wasip3".to_vec()).await;
    });
    Response::new(Fields::new(), Some(contents), trailers).0
}

/// A line every 10 ms, until the client disconnects.
fn ticks() -> Response {
    let (mut body, contents) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    spawn_local(async move {
        for number in 0.. {
            let rest = body.write_all(format!("tick {number}\n").into()).await;
            if !rest.is_empty() {
                break;
            }
            monotonic_clock::wait_for(10_000_000).await;
        }
    });
    Response::new(Fields::new(), Some(contents), trailers).0
}

/// The body and the trailers of the request, each part as soon as it is there.
fn echo(request: Request) -> Response {
    let (_, result) = wit_future::new(|| Ok(()));
    let (mut incoming, trailers) = Request::consume_body(request, result);
    let (mut body, contents) = wit_stream::new();
    spawn_local(async move {
        let mut part = Vec::with_capacity(64 * 1024);
        loop {
            let status;
            (status, part) = incoming.read(part).await;
            part = body.write_all(part).await;
            if status == StreamResult::Dropped || !part.is_empty() {
                break;
            }
        }
    });
    Response::new(Fields::new(), Some(contents), trailers).0
}
