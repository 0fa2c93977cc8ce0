//! What hyper reads, set up as the server has it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::Message;

/// The number of fields that hyper accepts: more than the strict reader.
const MAX_FIELDS: usize = 100;

/// The requests that hyper finds in `bytes`, before it or the connection ends.
///
/// # Panics
///
/// Panics if there is no runtime.
#[must_use]
pub fn read(bytes: &[u8]) -> Vec<Message> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let messages = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request| {
        let messages = messages.clone();
        async move {
            let message = message(request).await;
            messages.borrow_mut().push(message);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    runtime.block_on(async {
        let (mut client, server) = duplex(1 << 20);
        let serving = http1::Builder::new()
            .half_close(true)
            .max_headers(MAX_FIELDS)
            .serve_connection(TokioIo::new(server), service);
        let talking = async {
            // The connection may end before it has everything.
            let _ = client.write_all(bytes).await;
            let _ = client.shutdown().await;
            let mut answers = Vec::new();
            let _ = client.read_to_end(&mut answers).await;
        };
        let _ = tokio::join!(serving, talking);
    });
    messages.take()
}

async fn message(request: Request<Incoming>) -> Message {
    let target = request.uri().path_and_query();
    Message {
        method: request.method().to_string(),
        target: target.map_or("/", |target| target.as_str()).to_owned(),
        body: match request.into_body().collect().await {
            Ok(body) => Some(body.to_bytes().into()),
            Err(_) => None,
        },
    }
}
