"""HTTP connections that are kept and used again, on the standard library's client."""

import socket
import ssl
import threading
import time
import weakref
from base64 import b64encode
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead, RemoteDisconnected
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from msgspec import Struct

from router.aws.direct.endpoints import Endpoint

CONNECT_SECONDS = 5
IDLE_SECONDS = 15
"""A connection that was idle for longer is not used again: AWS closes those after 20 seconds or so, and a request on
one that is closed meanwhile is lost."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""No answer is longer: 16 MB of items, in JSON."""


class HttpAnswer(Struct, frozen=True):
    """What came back: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswerError(Exception):
    """No whole answer came: `args[0]` names the failure, as botocore would."""


class Connections:
    """Connections to one endpoint, safe to use from several threads; each is used by one at a time."""

    def __init__(self, endpoint: Endpoint, env: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._proxy = _find_proxy(endpoint)
        self._tls = ssl.create_default_context(cafile=env.get("AWS_CA_BUNDLE") or None) if endpoint.secure else None
        self._lock = threading.Lock()
        self._idle: list[tuple[HTTPConnection, float]] = []
        weakref.finalize(self, _close, self._idle)

    def post(self, headers: Mapping[str, str], body: bytes, seconds: float) -> HttpAnswer:
        """Send a POST to `/`; raises NoAnswerError if no whole answer comes, `seconds` being for each read of it."""
        connection = self._take()
        kept = connection is not None
        if connection is not None:
            try:
                return self._send(connection, headers, body, seconds)
            except _CLOSED:
                # It was closed while it was idle, most likely; whoever asked would only ask again.
                connection.close()
            except _FAILED as error:
                connection.close()
                raise NoAnswerError(_name(error, kept)) from error
        connection = self._new()
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            kept = True
            return self._send(connection, headers, body, seconds)
        except _FAILED as error:
            connection.close()
            raise NoAnswerError(_name(error, kept)) from error

    def _send(self, connection: HTTPConnection, headers: Mapping[str, str], body: bytes, seconds: float) -> HttpAnswer:
        connection.sock.settimeout(seconds)
        connection.request("POST", "/", body, dict(headers))
        response = connection.getresponse()
        if (response.length or 0) > MAX_ANSWER_BYTES:
            raise HTTPException
        content = response.read()
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append((connection, self._clock()))
        return HttpAnswer(response.status, {name.lower(): value for name, value in response.headers.items()}, content)

    def _take(self) -> HTTPConnection | None:
        oldest = self._clock() - IDLE_SECONDS
        with self._lock:
            while self._idle:
                # The one used last: the others may grow old.
                connection, used_at = self._idle.pop()
                if used_at >= oldest:
                    return connection
                connection.close()
        return None

    def _new(self) -> HTTPConnection:
        name, port = self._endpoint.name, self._endpoint.port
        if self._tls is None:
            return HTTPConnection(name, port, timeout=CONNECT_SECONDS)
        if self._proxy is None:
            return HTTPSConnection(name, port, context=self._tls, timeout=CONNECT_SECONDS)
        connection = HTTPSConnection(self._proxy.host, self._proxy.port, context=self._tls, timeout=CONNECT_SECONDS)
        connection.set_tunnel(name, port, self._proxy.headers)
        return connection


def _close(idle: list[tuple[HTTPConnection, float]]) -> None:
    for connection, _ in idle:
        connection.close()


class _Proxy(Struct, frozen=True):
    host: str
    port: int
    headers: dict[str, str]


def _find_proxy(endpoint: Endpoint) -> _Proxy | None:
    """The proxy of the environment for an endpoint; plain HTTP is for servers on this machine, and goes by none."""
    proxy = getproxies().get("https", "") if endpoint.secure else ""
    if not proxy or proxy_bypass(endpoint.name):
        return None
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if not parts.hostname:
        return None
    headers = {}
    if parts.username:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    return _Proxy(parts.hostname, parts.port or 80, headers)


_FAILED = (OSError, HTTPException)
_CLOSED = (RemoteDisconnected, BrokenPipeError, ConnectionResetError)


def _name(error: Exception, connected: bool) -> str:
    """The failure by the name that botocore has for it, which the table of faults knows."""
    if isinstance(error, ssl.SSLError):
        return "SSLError"
    if isinstance(error, TimeoutError):
        return "ReadTimeoutError" if connected else "ConnectTimeoutError"
    if isinstance(error, IncompleteRead):
        return "IncompleteReadError"
    return "ConnectionClosedError" if connected else "EndpointConnectionError"
