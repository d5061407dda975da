"""The server of the console: who may use it, its page, its files, and the calls of its views.

It is used by requests with its token, of its own page, to its own address.
"""

import signal
from pathlib import Path
from secrets import compare_digest, token_urlsafe
from socket import socket
from urllib.parse import parse_qs

import uvicorn
from msgspec import Struct
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from router.tools.console import change, edit, first_run, letters, routes
from router.tools.console.api import Call, Nothing, api_routes
from router.tools.console.workspace import Target, Workspace

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{nonce}; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY.format(nonce=""),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
UNKNOWN_VISITOR = "open the URL that router console printed: it has the token\n"
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


class Access:
    """The token of a console, and a second one that is accepted once: that of the browser which the
    command opens.

    The command line of a browser is visible to other users of the machine.
    """

    def __init__(self) -> None:
        self.token = token_urlsafe(32)
        self.launch = token_urlsafe(32)
        self._unused = True

    def accepts(self, given: str) -> bool:
        """Return whether a token of a URL is valid; that of the launch is so once."""
        if self.has_session(given):
            return True
        if self._unused and self._is(given, self.launch):
            self._unused = False
            return True
        return False

    def has_session(self, given: str) -> bool:
        """Return whether the value of the cookie is valid: it is the token."""
        return self._is(given, self.token)

    @staticmethod
    def _is(given: str, expected: str) -> bool:
        return compare_digest(given.encode(), expected.encode())


class Guard:
    """An ASGI application that refuses requests before they reach another one, and adds the headers
    of its responses.

    A page of another site can send requests to the loopback address, by its own name too (DNS
    rebinding), and a cookie of one port is sent to all: so the Host is one of the console's, the
    Origin and Sec-Fetch-Site are its own, and there is a token: in the URL once, then in a cookie.
    """

    def __init__(self, app: ASGIApp, access: Access, port: int) -> None:
        self._app = app
        self._access = access
        self._cookie = f"router-console-{port}"
        self._hosts = {f"{name}:{port}" for name in NAMES}
        if port == 80:
            self._hosts.update(NAMES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            return
        admitted, fault = self._admit(scope, Headers(scope=scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if admitted:
                    cookie = (
                        f"{self._cookie}={self._access.token}; Path=/; HttpOnly; SameSite=Strict"
                    )
                    headers.append("Set-Cookie", cookie)
            await send(message)

        app = PlainTextResponse(fault, 403) if fault else self._app
        await app(scope, receive, send_with_headers)

    def _admit(self, scope: Scope, headers: Headers) -> tuple[bool, str]:
        """Return whether a request brings a token in its URL, and why it is refused, or ""."""
        host = headers.get("host", "")
        origin = headers.get("origin")
        if host not in self._hosts:
            return False, "this is not the address of the console\n"
        foreign = origin is not None and origin != f"http://{host}"
        if foreign or (origin is None and scope["method"] not in ("GET", "HEAD")):
            return False, "only the page of the console may ask this\n"
        # The page itself may be opened by a link in a terminal in the browser; all else only the page asks for.
        if scope["path"] != "/" and headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False, "only the page of the console may ask this\n"
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and given:
            return (True, "") if self._access.accepts(given) else (False, UNKNOWN_VISITOR)
        return False, "" if self._has_session(headers) else UNKNOWN_VISITOR

    def _has_session(self, headers: Headers) -> bool:
        """Return whether one of the cookies of that name is valid; those of other programs may have
        any form.
        """
        pairs = (
            pair.strip().partition("=")
            for line in headers.getlist("cookie")
            for pair in line.split(";")
        )
        return any(
            name == self._cookie and self._access.has_session(value) for name, _, value in pairs
        )


class Setting(Struct, frozen=True):
    """What the page shows of its console; `is_there` is false while there is no config."""

    config: str
    is_there: bool
    target: Target
    writes: bool


_SETTING = Call(
    "setting",
    Nothing,
    lambda each, _: Setting(str(each.config), each.config.exists(), each.target, each.writes),
)
CALLS = (_SETTING, *edit.CALLS, *routes.CALLS, *letters.CALLS, *change.CALLS, *first_run.CALLS)


def make_app(workspace: Workspace, access: Access, port: int) -> ASGIApp:
    """Return the ASGI application of a console that listens on a port."""
    files = {
        path.relative_to(STATIC).as_posix(): path
        for path in STATIC.rglob("*")
        if path.suffix in _TYPES
    }

    async def page(request: Request) -> Response:
        nonce = token_urlsafe(16)
        content = (STATIC / "index.html").read_text(encoding="utf-8").replace("NONCE", nonce)
        headers = {"Content-Security-Policy": _POLICY.format(nonce=f" 'nonce-{nonce}'")}
        return Response(content, headers=headers, media_type="text/html")

    async def file(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is no such file\n", 404)
        return Response(found.read_bytes(), media_type=_TYPES[found.suffix])

    own = [Route("/", page), Route("/static/{name:path}", file)]
    return Guard(Starlette(routes=[*own, *api_routes(workspace, CALLS)]), access, port)


def serve(workspace: Workspace, access: Access, listener: socket) -> None:
    """Serve the console on a socket that listens, until SIGINT or SIGTERM."""
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
    server = uvicorn.Server(config)
    # Uvicorn does so too, but not before its coroutine has begun.
    signal.signal(signal.SIGINT, server.handle_exit)
    server.run(sockets=[listener])
