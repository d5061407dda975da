"""The calls of the page: `POST /api/NAME` with a JSON body, answered by JSON; an error is `{"code",
"message"}`.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from anyio import to_thread
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from router.errors import RouterError
from router.tools.console.workspace import ConsoleError, Workspace, as_refusal

MAX_BYTES = 32 * 1024 * 1024
"""The largest body of a request: a config may have 16 MiB, and is sent beside a message."""
_JSON = "application/json"
_ENCODER = msgspec.json.Encoder(enc_hook=repr)
_LOG = logging.getLogger("router.console")


class Nothing(Struct, frozen=True):
    """The body of a call without parameters: `{}`."""


class Call(Struct, frozen=True):
    """A function that the page calls by a name, with a body of the type `takes`; `run` may block
    and raise RouterError.

    Values of messages in its answer are texts: a number of JavaScript has 53 bits.
    """

    name: str
    takes: type[Any]
    run: Callable[[Workspace, Any], Any]


def api_routes(workspace: Workspace, calls: Iterable[Call]) -> list[Route]:
    """Return the routes of calls."""
    return [
        Route(f"/api/{call.name}", _endpoint(workspace, call), methods=["POST"]) for call in calls
    ]


def reply(value: Any, status: int = 200) -> Response:
    """Return a JSON response; a value that is already JSON is bytes."""
    content = value if isinstance(value, bytes) else _ENCODER.encode(value)
    return Response(content, status, media_type=_JSON)


def _endpoint(workspace: Workspace, call: Call) -> Callable[[Request], Any]:
    decoder = msgspec.json.Decoder(call.takes)

    async def respond(request: Request) -> Response:
        try:
            _require_json(request)
            given = _decode(decoder, call.name, await _body(request))
            return reply(await to_thread.run_sync(call.run, workspace, given))
        except RouterError as error:
            return _refuse(error)
        except ClientDisconnect:
            return reply(None, 400)
        except Exception as error:  # the page shows it, and the next call works
            _LOG.exception("%s failed", call.name)
            sentence = f"{call.name} failed with {type(error).__name__}: the terminal of the console has more"
            return _refuse(ConsoleError("internal", sentence, 500))

    return respond


def _require_json(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        raise ConsoleError("not_json", f"a request has the Content-Type {_JSON}", 415)


def _decode(decoder: msgspec.json.Decoder[Any], name: str, body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise ConsoleError(
            "bad_request",
            f"the body of {name} is not as it should be: {error}",
        ) from None


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BYTES:
            raise ConsoleError(
                "too_large",
                f"a request has {MAX_BYTES // 1024 // 1024} MiB at most",
                413,
            )
    return bytes(content)


def _refuse(error: RouterError) -> Response:
    refusal = as_refusal(error)
    return reply({"code": refusal.code, "message": str(refusal)}, refusal.status)
