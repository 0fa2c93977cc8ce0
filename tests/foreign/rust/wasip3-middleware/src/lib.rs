//! A middleware of WASI 0.3 with the crate `wasip3`: it rejects some requests, and adds a header to
//! the responses to others.

use wasi::http0_3_0::handler as next;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_future;

wasip3::wit_bindgen::generate!({
    inline: "package foreign:middleware;
        world middleware {
            import wasi:http/handler@0.3.0;
        }",
    path: "../../../../wit",
    // Those of WASI 0.3.2, with which 0.3.0 is compatible.
    with: { "wasi:http/types@0.3.0": wasip3::http::types },
    runtime_path: "wasip3::wit_bindgen::rt",
    generate_all,
});

struct Middleware;

wasip3::http::service::export!(Middleware);

impl wasip3::exports::http::handler::Guest for Middleware {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        if request.get_path_with_query().as_deref() == Some("/private") {
            return Ok(forbidden());
        }
        add_header(next::handle(request).await?)
    }
}

fn forbidden() -> Response {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), None, trailers);
    response.set_status_code(403).expect("a status code");
    response
}

/// The response with one more header, and with the same body, which is not read here.
fn add_header(response: Response) -> Result<Response, ErrorCode> {
    let status = response.get_status_code();
    let headers = response.get_headers().clone();
    headers
        .append("x-middleware", b"rust")
        .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
    let (_, result) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, result);
    let (response, _) = Response::new(headers, Some(body), trailers);
    response.set_status_code(status).expect("a status code");
    Ok(response)
}
