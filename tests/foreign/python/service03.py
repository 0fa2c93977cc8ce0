"""A service of WASI 0.3 with componentize-py: it responds, streams, and echoes."""

from componentize_py_async_support import spawn
from componentize_py_async_support.streams import ByteStreamReader, ByteStreamWriter
from componentize_py_types import Ok
from wit_world import (
    byte_stream,
    exports,
    result_option_wasi_http_types_fields_wasi_http_types_error_code_future as trailers_future,
    result_unit_wasi_http_types_error_code_future as result_future,
)
from wit_world.imports import monotonic_clock
from wit_world.imports.wasi_http_types import Fields, Request, Response


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        match request.get_path_with_query():
            case "/ticks":
                return ticks()
            case "/echo":
                return echo(request)
            case _:
                return hello()


def hello() -> Response:
    body, contents = byte_stream()
    _, trailers = trailers_future(lambda: Ok(None))
    # A body is written in a task, because it is read only after `handle` returns.
    spawn(write(body, b"hello from python"))
    return Response.new(Fields(), contents, trailers)[0]


async def write(body: ByteStreamWriter, content: bytes) -> None:
    with body:
        await body.write_all(content)


def ticks() -> Response:
    body, contents = byte_stream()
    _, trailers = trailers_future(lambda: Ok(None))
    spawn(write_ticks(body))
    return Response.new(Fields(), contents, trailers)[0]


async def write_ticks(body: ByteStreamWriter) -> None:
    """Writes a line every 10 ms, until the client disconnects."""
    number = 0
    with body:
        while not body.reader_dropped:
            await body.write_all(f"tick {number}\n".encode())
            await monotonic_clock.wait_for(10_000_000)
            number += 1


def echo(request: Request) -> Response:
    _, result = result_future(lambda: Ok(None))
    incoming, trailers = Request.consume_body(request, result)
    body, contents = byte_stream()
    spawn(copy(incoming, body))
    return Response.new(Fields(), contents, trailers)[0]


async def copy(incoming: ByteStreamReader, body: ByteStreamWriter) -> None:
    """Writes each part of a body as soon as it is there."""
    with incoming, body:
        while not incoming.writer_dropped and not body.reader_dropped:
            await body.write_all(await incoming.read(64 * 1024))
