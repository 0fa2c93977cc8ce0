//! A handler of waki, which answers with the body of the request.

use waki::{ErrorCode, Request, Response, handler};

#[handler]
fn echo(request: Request) -> Result<Response, ErrorCode> {
    let failed = |error| ErrorCode::InternalError(Some(format!("{error}")));
    let body = request.body().map_err(failed)?;
    Response::builder()
        .header("content-type", "text/plain")
        .body([b"waki: ", body.as_slice()].concat())
        .build()
}
