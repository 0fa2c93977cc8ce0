"""The path `/compute?STEPS` of the guest `cpu-burn` in Python."""

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam

MASK = (1 << 64) - 1


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        _, _, steps = (request.path_with_query() or "").partition("?")
        answer = str(compute(int(steps or 0))).encode()
        headers = Fields.from_list([("content-length", str(len(answer)).encode())])
        response = OutgoingResponse(headers)
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        stream = body.write()
        stream.blocking_write_and_flush(answer)
        stream.__exit__(None, None, None)
        OutgoingBody.finish(body, None)


def compute(steps: int) -> int:
    number = 0x9E37_79B9_7F4A_7C15
    for _ in range(steps):
        number ^= number << 13 & MASK
        number ^= number >> 7
        number ^= number << 17 & MASK
    return number
