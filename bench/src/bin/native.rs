//! The job of `app-closed.wasm` without WebAssembly: a plain program on hyper, with the runtime of
//! `component-runner`: connections go in turn to single-threaded runtimes, one per processor.
//!
//! It answers `POST /encrypt` like the cipher, writes the same line to standard error, and echoes
//! bodies at `/echo`.

use std::convert::Infallible;
use std::io::Write;
use std::net::TcpListener;
use std::thread;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

#[derive(Deserialize)]
struct Message {
    message: String,
}

#[derive(Serialize)]
struct Answer {
    result: String,
}

fn main() -> Result<()> {
    let addr = std::env::args().skip_while(|flag| flag != "--addr").nth(1);
    let addr = addr.context("usage: native --addr IP:PORT")?;
    let threads = thread::available_parallelism()?.get();
    let workers: Vec<_> = (0..threads).map(|_| worker()).collect::<Result<_>>()?;
    let listener =
        TcpListener::bind(&addr).with_context(|| format!("cannot listen on `{addr}`"))?;
    println!("listening on http://{}", listener.local_addr()?);
    for worker in workers.iter().cycle() {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        worker.send(stream)?;
    }
    Ok(())
}

fn worker() -> Result<mpsc::UnboundedSender<std::net::TcpStream>> {
    let (sender, mut connections) = mpsc::unbounded_channel::<std::net::TcpStream>();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        let tasks = LocalSet::new();
        runtime.block_on(tasks.run_until(async {
            while let Some(stream) = connections.recv().await {
                tokio::task::spawn_local(connection(stream));
            }
        }));
    });
    Ok(sender)
}

async fn connection(stream: std::net::TcpStream) {
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let _ = stream.set_nodelay(true);
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Infallible> {
    if request.uri().path() == "/echo" {
        return Ok(Response::new(request.into_body().boxed()));
    }
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(status(StatusCode::BAD_REQUEST)),
    };
    let Ok(Message { message }) = serde_json::from_slice(&body) else {
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    let line = format!(
        "{{\"sequence\":1,\"action\":\"encrypt\",\"outcome\":\"success\",\"resource\":\"caesar\",\
         \"attributes\":[{{\"name\":\"message-bytes\",\"value\":\"{}\"}}]}}\n",
        message.len()
    );
    let _ = std::io::stderr().write_all(line.as_bytes());
    let answer = Answer {
        result: encrypt(message),
    };
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(whole(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response.headers_mut().insert(CONTENT_LENGTH, length);
    Ok(response)
}

/// As `cipher-guest` does it.
fn encrypt(message: String) -> String {
    let mut bytes = message.into_bytes();
    for byte in &mut bytes {
        let first = match byte {
            b'a'..=b'z' => b'a',
            b'A'..=b'Z' => b'A',
            _ => continue,
        };
        *byte = first + (*byte - first + 3) % 26;
    }
    String::from_utf8(bytes).expect("ASCII in place of ASCII keeps UTF-8 valid")
}

fn status(status: StatusCode) -> Response<BoxBody<Bytes, hyper::Error>> {
    let mut response = Response::new(whole(Vec::new()));
    *response.status_mut() = status;
    response
}

fn whole(body: Vec<u8>) -> BoxBody<Bytes, hyper::Error> {
    Full::from(body).map_err(|error| match error {}).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_shifted_by_three_and_other_characters_kept() {
        assert_eq!(encrypt("hello, xyz: Ää!".to_owned()), "khoor, abc: Ää!");
    }
}
