"""A middleware of WASI 0.3 with componentize-py: it rejects some requests, and adds a header to the
responses to others."""

from componentize_py_types import Ok
from wit_world import (
    exports,
    result_option_wasi_http_types_fields_wasi_http_types_error_code_future as trailers_future,
    result_unit_wasi_http_types_error_code_future as result_future,
)
from wit_world.imports import handler as next_handler
from wit_world.imports.wasi_http_types import Fields, Request, Response


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        if request.get_path_with_query() == "/private":
            return forbidden()
        return add_header(await next_handler.handle(request))


def forbidden() -> Response:
    _, trailers = trailers_future(lambda: Ok(None))
    response, _ = Response.new(Fields(), None, trailers)
    response.set_status_code(403)
    return response


def add_header(response: Response) -> Response:
    """Returns a response with one more header, and with the same body, which is not read here."""
    status = response.get_status_code()
    headers = response.get_headers().clone()
    headers.append("x-middleware", b"python")
    _, result = result_future(lambda: Ok(None))
    body, trailers = Response.consume_body(response, result)
    response, _ = Response.new(headers, body, trailers)
    response.set_status_code(status)
    return response
