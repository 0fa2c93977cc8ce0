//! Requests of the guest to a server that answers. The query has its authority and the path, as in
//! `127.0.0.1:80/a?b`. The guest passes the answer of that server on; for an error it responds with
//! 502 and the name of its code.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::future::Future;
use core::ops::Range;

use wit_bindgen::{FutureReader, FutureWriter, StreamResult, StreamWriter, spawn_local};

use crate::bindings::wasi::http0_3_0::client::send;
use crate::bindings::wasi::http0_3_0::types::{
    ErrorCode, Fields, Method, Request, RequestOptions, Response, Scheme,
};
use crate::bindings::{wit_future, wit_stream};
use crate::input::take;
use crate::output::request_to;
use crate::{Answer, Call, End, good, length, text, trap};

/// A timeout that expires, in nanoseconds.
const SHORT: u64 = 50_000_000;

/// The bytes of the last piece, if every one before is taken at once.
const LAST_PIECE_BYTES: usize = 1 << 20;

pub(crate) async fn respond(call: Call) -> Result<Answer, Call> {
    let (name, request) = (&*call.name, call.request);
    let (authority, path) = split(&call.argument);
    Ok(match name {
        // The request of the client itself, for another server.
        "pass-on" => {
            retarget(&request, authority, path);
            relay(request).await
        }
        // A new one with its method, body and trailers.
        "forward" => {
            let method = request.get_method();
            let (body, end) = take(request);
            let (request, _sent) = Request::new(Fields::new(), Some(body), end, None);
            if request.set_method(&method).is_err() {
                trap();
            }
            retarget(&request, authority, path);
            relay(request).await
        }
        "send-pieces" => send_pieces(authority).await,
        // The body `whole`, and the length in the path.
        "announce" => announce(authority, path.trim_start_matches('/')).await,
        // The body `whole`, whose end is an error.
        "break-off" => {
            let (request, _sent) = post(Fields::new(), async |mut body, end| {
                let _ = body.write_all(b"whole".to_vec()).await;
                drop(body);
                let _ = end.write(Err(ErrorCode::LoopDetected)).await;
            });
            retarget(&request, authority, path);
            relay(request).await
        }
        // A body without an end.
        "post-for-ever" => {
            let (request, _sent) = post(Fields::new(), async |mut body, _end| {
                while body.write_all(vec![b'x'; 64 << 10]).await.is_empty() {}
            });
            retarget(&request, authority, path);
            relay(request).await
        }
        "no-path" => relay(request_to(authority)).await,
        "connect" => {
            let request = request_to(authority);
            if request.set_method(&Method::Connect).is_err() {
                trap();
            }
            relay(request).await
        }
        "other-scheme" => {
            let request = request_to(authority);
            let scheme = Scheme::Other("WS".to_string());
            if request.set_scheme(Some(&scheme)).is_err() {
                trap();
            }
            relay(request).await
        }
        "connect-timeout" | "first-byte-timeout" | "between-bytes-timeout" => {
            let options = RequestOptions::new();
            let is_set = match name {
                "connect-timeout" => options.set_connect_timeout(Some(SHORT)),
                "first-byte-timeout" => options.set_first_byte_timeout(Some(SHORT)),
                _ => options.set_between_bytes_timeout(Some(SHORT)),
            };
            if is_set.is_err() {
                trap();
            }
            let (_, trailers) = wit_future::new(|| Ok(None));
            let (request, _sent) = Request::new(Fields::new(), None, trailers, Some(options));
            retarget(&request, authority, path);
            relay(request).await
        }
        _ => return Err(Call { request, ..call }),
    })
}

/// The authority and the path of the query.
fn split(argument: &str) -> (&str, &str) {
    let at = argument.find('/').unwrap_or(argument.len());
    argument.split_at(at)
}

/// Sets where a request goes.
fn retarget(request: &Request, authority: &str, path: &str) {
    let is_set = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    if is_set.is_err() {
        trap();
    }
}

/// The answer to a request, passed on as it is.
async fn relay(request: Request) -> Answer {
    match send(request).await {
        Ok(response) => Ok(response),
        Err(code) => {
            let response = text(format!("{code:?}"));
            if response.set_status_code(502).is_err() {
                trap();
            }
            Ok(response)
        }
    }
}

/// A POST whose body `work` writes, and the result of its transmission.
fn post<F>(
    headers: Fields,
    work: impl FnOnce(StreamWriter<u8>, FutureWriter<End>) -> F,
) -> (Request, FutureReader<Result<(), ErrorCode>>)
where
    F: Future<Output = ()> + 'static,
{
    let (body, contents) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (request, sent) = Request::new(headers, Some(contents), trailers, None);
    if request.set_method(&Method::Post).is_err() {
        trap();
    }
    spawn_local(work(body, end));
    (request, sent)
}

/// Posts pieces that double in length, until one is accepted only in part, and compares them with the
/// body of the answer. The response of the guest is `good`.
async fn send_pieces(authority: &str) -> Answer {
    let written = Rc::new(Cell::new(0));
    let count = written.clone();
    let (request, sent) = post(Fields::new(), async move |mut body, _end| {
        let mut size = 16;
        while size <= LAST_PIECE_BYTES {
            let start = count.get();
            let (result, rest) = body.write(pattern(start..start + size)).await;
            let left = rest.remaining();
            if result != StreamResult::Complete(size - left) {
                trap();
            }
            count.set(start + size - left);
            if left > 0 {
                break;
            }
            size *= 2;
        }
    });
    retarget(&request, authority, "/");
    let Ok(response) = send(request).await else {
        trap();
    };
    let (_, done) = wit_future::new(|| Ok(()));
    let (body, end) = Response::consume_body(response, done);
    let received = body.collect().await;
    if end.await.is_err() || sent.await.is_err() || received != pattern(0..written.get()) {
        trap();
    }
    good()
}

/// Bytes without a period that a piece has.
fn pattern(range: Range<usize>) -> Vec<u8> {
    let byte = |index: usize| u8::try_from(index % 251).unwrap_or_default();
    range.map(byte).collect()
}

/// Posts the body `whole` with this length, and responds with what the guest learns: the result of
/// the transmission, and the status or the error of the answer.
async fn announce(authority: &str, value: &str) -> Answer {
    let (request, sent) = post(length(value), async |mut body, _end| {
        // Bytes remain where the length is exceeded.
        let _ = body.write_all(b"whole".to_vec()).await;
    });
    retarget(&request, authority, "/");
    // Kept until its request was transmitted: dropping it closes the connection.
    let answer = send(request).await;
    let sent = sent.await;
    let answer = match &answer {
        Ok(response) => response.get_status_code().to_string(),
        Err(code) => format!("{code:?}"),
    };
    Ok(text(format!("{sent:?}, {answer}")))
}
