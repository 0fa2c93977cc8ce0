//! A service of WASI 0.3 with the SDK of Spin, without an interface of Spin itself.

use std::time::Duration;

use futures::SinkExt;
use spin_sdk::http::body::stream;
use spin_sdk::http::{BoxBody, Request, Response, box_body};
use spin_sdk::{http_service, time, wasip3};

#[http_service]
async fn handle(request: Request) -> Response<BoxBody> {
    let body = match request.uri().path() {
        "/ticks" => ticks(),
        "/echo" => box_body(request.into_body()),
        _ => box_body("hello from spin".to_owned()),
    };
    Response::new(body)
}

/// A line every 10 ms, until the client disconnects.
fn ticks() -> BoxBody {
    let (mut lines, body) = stream::<String>();
    wasip3::spawn(async move {
        for number in 0.. {
            if lines.send(format!("tick {number}\n")).await.is_err() {
                break;
            }
            time::sleep(Duration::from_millis(10)).await;
        }
    });
    box_body(body)
}
