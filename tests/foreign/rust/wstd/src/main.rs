//! A handler of wstd, which waits before it answers.

use wstd::http::{Body, Error, Request, Response};
use wstd::time::Duration;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    wstd::task::sleep(Duration::from_millis(5)).await;
    Ok(Response::new(format!("wstd: {}", request.uri().path()).into()))
}
