"""The server of the console: its page, its files, the calls of its views."""

from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe
from socket import socket

import uvicorn
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from router.console import change, edit, letters, routes
from router.console.api import Call, Nothing, api_routes
from router.console.security import Access, Guard, policy
from router.console.workspace import Target, Workspace

STATIC = Path(__file__).with_name("static")
NAMES = ("127.0.0.1", "localhost")
"""The names by which the page may be opened."""
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The files that are served: browsers accept modules and styles of these types only."""
_STOP_SECONDS = 2


class Setting(Struct, frozen=True):
    """What the page shows of its console."""

    config: str
    target: Target
    writes: bool


def setting(workspace: Workspace, given: Nothing) -> Setting:
    """Return what the page shows of its console."""
    return Setting(str(workspace.config), workspace.target, workspace.writes)


CALLS = (Call("setting", Nothing, setting), *edit.CALLS, *routes.CALLS, *letters.CALLS, *change.CALLS)


def make_app(workspace: Workspace, access: Access, port: int) -> ASGIApp:
    """Return the ASGI application of a console that listens on a port."""
    files: Mapping[str, Path] = {
        path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.suffix in _TYPES
    }

    async def page(request: Request) -> Response:
        nonce = token_urlsafe(16)
        content = (STATIC / "index.html").read_text(encoding="utf-8").replace("NONCE", nonce)
        headers = {"Content-Security-Policy": policy(nonce)}
        return Response(content, headers=headers, media_type="text/html")

    async def file(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is no such file\n", 404)
        return Response(found.read_bytes(), media_type=_TYPES[found.suffix])

    own = [Route("/", page), Route("/static/{name:path}", file)]
    return Guard(Starlette(routes=[*own, *api_routes(workspace, CALLS)]), access, port, NAMES)


def serve(workspace: Workspace, access: Access, listener: socket) -> None:
    """Serve the console on a socket that listens, until SIGINT, which raises KeyboardInterrupt, or SIGTERM."""
    app = make_app(workspace, access, listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
