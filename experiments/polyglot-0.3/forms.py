"""A middleware of the world `runner:experiments/form-middleware`: a form becomes a JSON object with the
fields of the form, for a service that accepts JSON. Other requests are passed on unchanged."""

import json
from urllib.parse import parse_qsl

from componentize_py_async_support import spawn
from componentize_py_async_support.futures import FutureReader
from componentize_py_async_support.streams import ByteStreamReader, ByteStreamWriter
from componentize_py_types import Err, Ok
from wit_world import (
    byte_stream,
    exports,
    result_option_wasi_http_types_fields_wasi_http_types_error_code_future as trailers_future,
    result_unit_wasi_http_types_error_code_future as result_future,
)
from wit_world.imports import handler as service
from wit_world.imports.wasi_http_types import Fields, Request, Response

FORM = b"application/x-www-form-urlencoded"

# A form has up to three bytes for a byte of the message, of which the service accepts 1 MiB.
MAX_FORM_BYTES = 3 * 1024 * 1024 + 1024
MAX_FIELDS = 100
CHUNK_BYTES = 64 * 1024


class Rejected(Exception):
    """The form is rejected with this status, title and detail."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(status, title, detail)


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        if not is_form(request.get_headers()):
            # The body does not go through this component.
            return await service.handle(request)
        forwarded, body = without_body(request)
        _, handled = result_future(lambda: Ok(None))
        try:
            fields = parse(await read(*Request.consume_body(request, handled)))
        except Rejected as rejected:
            return problem(*rejected.args)
        # The body is written while the service reads it.
        spawn(write(body, json.dumps(fields).encode()))
        return await service.handle(forwarded)


def is_form(headers: Fields) -> bool:
    match headers.get("content-type"):
        case [value]:
            return value.partition(b";")[0].strip().lower() == FORM
        case _:
            return False


def parse(form: bytes) -> dict[str, str]:
    """Returns the fields; of several with one name, the last."""
    try:
        pairs = parse_qsl(
            form.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise Rejected(400, "Bad Request", f"invalid form: {error}") from error
    return dict(pairs)


def without_body(request: Request) -> tuple[Request, ByteStreamWriter]:
    """Returns a JSON request with the head of `request`, and the writer of its body."""
    headers = request.get_headers().clone()
    headers.set("content-type", [b"application/json"])
    headers.delete("content-length")
    writer, body = byte_stream()
    _, trailers = trailers_future(lambda: Ok(None))
    forwarded, _ = Request.new(headers, body, trailers, None)
    forwarded.set_method(request.get_method())
    forwarded.set_path_with_query(request.get_path_with_query())
    forwarded.set_scheme(request.get_scheme())
    forwarded.set_authority(request.get_authority())
    return forwarded, writer


async def read(body: ByteStreamReader, trailers: FutureReader) -> bytes:
    """Returns a complete body."""
    content = bytearray()
    with trailers:
        with body:
            while not body.writer_dropped:
                content += await body.read(CHUNK_BYTES)
                if len(content) > MAX_FORM_BYTES:
                    limit = f"a form must not exceed {MAX_FORM_BYTES} bytes"
                    raise Rejected(413, "Content Too Large", limit)
        # Only this future says whether the stream ended with the body.
        match await trailers.read():
            case Err(code):
                reason = f"the body ended before it was complete: {type(code).__name__}"
                raise Rejected(400, "Bad Request", reason)
    return bytes(content)


async def write(body: ByteStreamWriter, content: bytes) -> None:
    with body:
        await body.write_all(content)


def problem(status: int, title: str, detail: str) -> Response:
    """Returns a problem document (RFC 9457)."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    content = json.dumps(document).encode()
    headers = Fields.from_list(
        [
            ("content-type", b"application/problem+json"),
            ("content-length", str(len(content)).encode()),
        ]
    )
    writer, body = byte_stream()
    _, trailers = trailers_future(lambda: Ok(None))
    spawn(write(writer, content))
    response, _ = Response.new(headers, body, trailers)
    response.set_status_code(status)
    return response
