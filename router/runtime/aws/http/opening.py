"""Opens connections to an endpoint, or to the proxy before it, without waiting: handshakes overlap in one thread."""

import errno
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from select import POLLIN, POLLOUT
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.calls import Clock, run_within
from router.runtime.aws.http.endpoints import Endpoint, is_host

CONNECT_SECONDS = 5
ADDRESS_SECONDS = 0.5
"""So long an address is used without another look-up, which blocks: many connections are opened together."""
STALE_ERRORS = 2
"""So often a read that fails as only a write can is tried again, once there is something to read: with TLS, Python 3.13
reports the failed write of another connection of the thread again where a read would block."""
TLS_WAITS: Mapping[type[OSError], int] = {
    ssl.SSLWantReadError: POLLIN,
    ssl.SSLWantWriteError: POLLOUT,
}
_CONNECTING = (errno.EINPROGRESS, errno.EALREADY)
_CONNECTED = (0, errno.EISCONN)

Trust = Callable[[str], ssl.SSLContext]
"""Returns what verifies certificates: by a file of them, or by those of the system if its name is empty."""


class NoResponseError(Exception):
    """No complete response was received: `args[0]` is botocore's name for the failure."""


def read_certificates(bundle: str) -> ssl.SSLContext:
    """Verify certificates by a file of them, or by the system's; raises UsageError."""
    try:
        return ssl.create_default_context(cafile=bundle or None)
    except OSError as error:
        raise UsageError(
            f"AWS_CA_BUNDLE: no certificates in '{bundle}': {error.strerror or error}"
        ) from None


class Opener:
    """Opens connections to one endpoint, directly or through a proxy; safe to use from several threads."""

    def __init__(
        self, endpoint: Endpoint, env: Mapping[str, str], clock: Clock, trust: Trust | None
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._proxy = _find_proxy(endpoint, env)
        # A name as text would be encoded by tables for other alphabets, whose import a cold start does without.
        self._name: Any = endpoint.name.encode("ascii")
        context = (
            (trust or read_certificates)(env.get("AWS_CA_BUNDLE", "")) if endpoint.secure else None
        )
        self._tls = None if context is None else _Tls(context, self._name)
        self._address: _Address | None = None
        self._found_at = 0.0

    def begin(self, seconds: float) -> "Opening":
        """Begin to open a connection; waits only for name servers and proxies, in `seconds`.

        Raises NoResponseError.
        """
        try:
            return self._begin(seconds)
        except OSError as error:
            raise _failure(error) from error

    def _begin(self, seconds: float) -> "Opening":
        address = self._address
        if address is not None and self._clock() < self._found_at + ADDRESS_SECONDS:
            return Opening(socket.socket(address[0]), address[1], self._tls)
        # In a thread: nothing else limits the time that name servers, addresses and a proxy take together.
        connection = run_within(seconds, self._connect, socket.socket.close)
        if self._proxy is None:
            try:
                self._address, self._found_at = (
                    (connection.family, connection.getpeername()),
                    self._clock(),
                )
            except OSError:
                # The server has reset it already.
                connection.close()
                raise
        return Opening(connection, None, self._tls)

    def _connect(self) -> socket.socket:
        if self._proxy is None:
            return socket.create_connection((self._name, self._endpoint.port), CONNECT_SECONDS)
        return _open_tunnel(self._proxy, self._endpoint.name, self._endpoint.port, CONNECT_SECONDS)


class _Proxy(Struct, frozen=True):
    """An HTTP proxy, and the headers of each CONNECT request."""

    host: str
    port: int
    headers: dict[str, str]


def _open_tunnel(proxy: _Proxy, name: str, port: int, seconds: float) -> socket.socket:
    """Connect to a host through a proxy; each wait may take `seconds`; raises OSError."""
    # Imported only where there is a proxy.
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(proxy.host, proxy.port, timeout=seconds)
    connection.set_tunnel(name, port, proxy.headers)
    try:
        connection.connect()
    except HTTPException as error:
        raise OSError(str(error)) from error
    opened: socket.socket = connection.sock
    return opened


def _find_proxy(endpoint: Endpoint, env: Mapping[str, str]) -> _Proxy | None:
    """Return the proxy of the environment for an endpoint; none for plain HTTP, which is for servers on this machine.

    Raises UsageError for a proxy that is no URL, or is itself reached by TLS.
    """
    if not endpoint.secure or not any(name.lower() == "https_proxy" for name in env):
        return None
    from urllib.request import getproxies, proxy_bypass  # imported only where there is a proxy

    proxy = getproxies().get("https", "")
    if not proxy or proxy_bypass(endpoint.name):
        return None
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host = ""
    if not is_host(host) or parts.scheme != "http":
        # The URL is not shown: it may have a password.
        raise UsageError(
            "the proxy in HTTPS_PROXY is not http://[USER:PASSWORD@]HOST[:PORT]; for one that is itself reached by TLS "
            "(https://…) set ROUTER_TRANSPORT=boto3"
        )
    headers = {}
    if parts.username:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    return _Proxy(host, port, headers)


_Address = tuple[socket.AddressFamily, Any]


class _Tls:
    """Begins TLS on connections to a host; resumes the session of an earlier one, whose certificate is verified."""

    def __init__(self, context: ssl.SSLContext, name: Any) -> None:
        self._context = context
        self._name = name
        # The connection whose session is resumed, once its ticket has come: with TLS 1.3, after the handshake.
        self._source: ssl.SSLSocket | None = None
        self._session: ssl.SSLSession | None = None

    def begin(self, connection: socket.socket) -> tuple[ssl.SSLSocket, ssl.SSLSession | None]:
        """Return the connection before its handshake, and the session that it offers to resume."""
        if self._session is None and self._source is not None:
            found = self._source.session
            self._session = found if found is not None and found.has_ticket else None
        session = self._session
        secure = self._context.wrap_socket(
            connection, do_handshake_on_connect=False, server_hostname=self._name, session=session
        )
        return secure, session

    def end(self, connection: ssl.SSLSocket, offered: ssl.SSLSession | None) -> None:
        """Keep the session of a connection after its handshake, unless there is another that is resumed."""
        if self._source is None or (offered is not None and not connection.session_reused):
            self._source, self._session = connection, None


class Opening:
    """A connection that is being opened; its file descriptor stays the same. `advance` can go on after `events`."""

    __slots__ = ("_address", "_offered", "_stale", "_tls", "connection", "events")

    def __init__(self, connection: socket.socket, address: Any, tls: _Tls | None) -> None:
        """`address` is where to connect to, None if it is connected."""
        connection.setblocking(False)
        self.connection = connection
        self.events = POLLOUT
        self._address = address
        self._tls = tls
        self._offered: ssl.SSLSession | None = None
        self._stale = 0

    def advance(self) -> bool:
        """Go on without waiting; return whether the connection is open. Raises NoResponseError."""
        try:
            return self._advance()
        except OSError as error:
            self.connection.close()
            raise _failure(error) from error

    def _advance(self) -> bool:
        if isinstance(self.connection, ssl.SSLSocket):
            return self._shake_hands(self.connection)
        if self._address is not None:
            code = self.connection.connect_ex(self._address)
            if code in _CONNECTING:
                return False
            if code not in _CONNECTED:
                raise OSError(code, os.strerror(code))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return True
        self.connection, self._offered = self._tls.begin(self.connection)
        return self._shake_hands(self.connection)

    def _shake_hands(self, connection: ssl.SSLSocket) -> bool:
        try:
            connection.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            self.events = TLS_WAITS[type(error)]
            return False
        except BrokenPipeError:
            self._stale += 1
            if self._stale > STALE_ERRORS:
                raise
            self.events = POLLIN
            return False
        assert self._tls
        self._tls.end(connection, self._offered)
        return True


def _failure(error: OSError) -> NoResponseError:
    """The error for a connection that cannot be opened, by botocore's name for it."""
    if isinstance(error, ssl.SSLError):
        return NoResponseError("SSLError")
    return NoResponseError(
        "ConnectTimeoutError" if isinstance(error, TimeoutError) else "EndpointConnectionError"
    )
