"""Opens connections to an endpoint, or to the proxy before it, without waiting: handshakes overlap in one thread."""

import errno
import os
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from select import POLLIN, POLLOUT
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.calls import Clock, start_thread
from router.runtime.aws.http.endpoints import Endpoint, is_host

CONNECT_SECONDS = 5
ADDRESS_SECONDS = 0.5
"""How long an address is used without another look-up. Many connections are opened together, and a look-up blocks."""
STALE_ERRORS = 2
"""How often a read is tried again that fails as only a write can, once there is something to read.

With TLS, Python 3.13 reports the failed write of another connection of the thread again where a read would block.
"""
TLS_WAITS: Mapping[type[OSError], int] = {
    ssl.SSLWantReadError: POLLIN,
    ssl.SSLWantWriteError: POLLOUT,
}
_CONNECTING = (errno.EINPROGRESS, errno.EALREADY)
_CONNECTED = (0, errno.EISCONN)
_AMAZON_DOMAINS = (".amazonaws.com", ".api.aws")
# A line of each certificate, from within its public key: Amazon Root CA 1 to 4, Starfield Services Root G2.
# https://www.amazontrust.com/repository/
_AMAZON_ROOTS = (
    "VOujw5H5SNz/0egwLX0tdHA114gk957EWW67c4cX8jJGKLhD+rcdqsq08p8kDi1L",
    "+XUyo05f7O0oYtlNc/LMgRdg7c3r3NunysV+Ar3yVAhU/bQtCSwXVEqY0VThUWcI",
    "Q0EgMzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCmXp8ZBf8ANm+gBG1bG8lKl",
    "9i0b2whxIdIA6GO9mif78DluXeo9pcmBqqNbIJhFXRbb/egQbeOc4OO9X4Ri83Bk",
    "8xpWriu2dBTrz/sm4xq6HZYuajtYlIlHVv8loJNwU4PahHQUw2eeBGg6345AWh1K",
)
_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----\n"


class NoResponseError(Exception):
    """No complete response was received: `args[0]` is botocore's name for the failure."""


class Trust:
    """The certificates that servers are verified by: those of a file, or of the system without one.

    An endpoint of AWS is verified by the five roots that AWS names, if the system trusts them: to read them takes
    0.2 ms, instead of 4 for all certificates of the system. If they do not verify a server, all certificates decide.
    All services of a process share what is read; two threads may read it at the same time.

    Why: docs/decisions/mechanisms-that-hold-a-floor.md
    """

    def __init__(self, bundle: str = "") -> None:
        self._bundle = bundle

    @cached_property
    def complete(self) -> ssl.SSLContext:
        """All certificates; raises UsageError for a file without any."""
        try:
            return ssl.create_default_context(cafile=self._bundle or None)
        except OSError as error:
            raise UsageError(
                f"AWS_CA_BUNDLE: no certificates in '{self._bundle}': {error.strerror or error}"
            ) from None

    def first(self, host: str) -> ssl.SSLContext:
        """Return what a host is verified by at first; raises UsageError as `complete` does."""
        is_amazon = host.endswith(_AMAZON_DOMAINS) and not self._bundle
        return (self._amazon if is_amazon else None) or self.complete

    @cached_property
    def _amazon(self) -> ssl.SSLContext | None:
        """The five roots, or None if one of them is not in the file of the system's certificates."""
        try:
            trusted = Path(ssl.get_default_verify_paths().cafile or "").read_text(encoding="utf-8")
            return ssl.create_default_context(
                cadata="".join(_certificate(trusted, root) for root in _AMAZON_ROOTS)
            )
        except (OSError, ValueError):
            return None


def _certificate(trusted: str, line: str) -> str:
    """Return the certificate with a line; raises ValueError if there is none."""
    begin = trusted.rindex(_BEGIN, 0, trusted.index(line))
    end = trusted.index(_END, begin)
    return trusted[begin : end + len(_END)]


class Opener:
    """Opens connections to one endpoint, directly or through a proxy; safe to use from several threads."""

    def __init__(
        self, endpoint: Endpoint, env: Mapping[str, str], clock: Clock, trust: Trust | None
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._proxy = _find_proxy(endpoint, env)
        # As bytes: Python encodes a text as an internationalized name, whose tables a cold start does not import.
        self._name: Any = endpoint.name.encode("ascii")
        self._tls: _Tls | None = None
        if endpoint.secure:
            trust = trust or Trust(env.get("AWS_CA_BUNDLE", ""))
            # A proxy may answer with a certificate of its own.
            first = trust.first(endpoint.name) if self._proxy is None else trust.complete
            self._tls = _Tls(trust, first, self._name)
        self._address: _Address | None = None
        self._found_at = 0.0
        self._lock = threading.Lock()
        self._lookup: _Lookup | None = None
        self._looked_up_at = 0.0

    def begin(self) -> "Opening":
        """Begin to open a connection, without waiting; raises NoResponseError."""
        try:
            address = self._address
            if address is not None and self._clock() < self._found_at + ADDRESS_SECONDS:
                return Opening(self._tls, address)
            return Opening(self._tls, self._find_lookup())
        except OSError as error:
            raise _failure(error) from error

    def _find_lookup(self) -> "_Lookup":
        """Return the look-up that is under way, or start one; raises OSError."""
        if self._proxy is not None:
            # Each connection needs a tunnel of its own.
            return _Lookup(self._connect)
        with self._lock:
            now = self._clock()
            # The name server may have lost the question of a look-up that takes long.
            is_lost = now >= self._looked_up_at + CONNECT_SECONDS
            if self._lookup is None or self._lookup.has_ended or is_lost:
                self._lookup = _Lookup(self._connect)
                self._looked_up_at = now
            return self._lookup

    def _connect(self) -> tuple[socket.socket, "_Address"]:
        """Return a connection, and its address; waits, and raises OSError."""
        if self._proxy is not None:
            name, port = self._endpoint.name, self._endpoint.port
            tunnel = _open_tunnel(self._proxy, name, port, CONNECT_SECONDS)
            return tunnel, (tunnel.family, None)
        connection = socket.create_connection((self._name, self._endpoint.port), CONNECT_SECONDS)
        try:
            address = (connection.family, connection.getpeername())
        except OSError:
            # The server has reset it already.
            connection.close()
            raise
        self._address, self._found_at = address, self._clock()
        return connection, address


_Address = tuple[socket.AddressFamily, Any]


class _Lookup:
    """Connects to an endpoint by its name, in a thread: name servers, addresses and a proxy may take any time.

    Other calls go on meanwhile. Whoever needs the address polls a socket, whose other end is closed when it is known.
    """

    def __init__(self, connect: Callable[[], tuple[socket.socket, _Address]]) -> None:
        """Raises OSError if there is no thread or socket for it."""
        self._connect = connect
        self._connections: list[socket.socket] = []
        self._found: _Address | Exception | None = None
        self._ends: tuple[socket.socket, ...] = ()
        self._ends = socket.socketpair()
        start_thread(threading.Thread(target=self._run, name="look-up", daemon=True))

    def __del__(self) -> None:
        # Also the connection, if all that waited for it gave up.
        for each in (*self._ends, *self._connections):
            each.close()

    @property
    def has_ended(self) -> bool:
        """Whether the address is known, or why there is none."""
        return self._found is not None

    def signal(self) -> socket.socket:
        """Return a socket to poll, which can be read once the look-up has ended; raises OSError."""
        return self._ends[0].dup()

    def take(self) -> tuple[socket.socket, Any]:
        """Return the connection to the first that asks, and to others a socket with the address to connect it to.

        Raises OSError.
        """
        assert self._found is not None
        if isinstance(self._found, Exception):
            raise self._found
        try:
            return self._connections.pop(), None
        except IndexError:
            family, address = self._found
            return socket.socket(family), address

    def _run(self) -> None:
        try:
            connection, address = self._connect()
        except Exception as error:  # raised in the threads that wait
            self._found = error
        else:
            self._connections.append(connection)
            self._found = address
        finally:
            self._ends[1].close()


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


class _Tls:
    """Begins TLS on connections to a host; resumes the session of an earlier one, whose certificate is verified."""

    def __init__(self, trust: Trust, context: ssl.SSLContext, name: bytes) -> None:
        self._trust = trust
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

    def widen(self, refused: ssl.SSLContext) -> bool:
        """Verify by all certificates from now on; False if a server was refused by all of them."""
        if refused is self._trust.complete:
            return False
        self._context = self._trust.complete
        self._source = self._session = None
        return True

    def end(self, connection: ssl.SSLSocket, offered: ssl.SSLSession | None) -> None:
        """Keep the session of a connection after its handshake, unless there is another that is resumed."""
        if connection.context is not self._context:
            return
        if self._source is None or (offered is not None and not connection.session_reused):
            self._source, self._session = connection, None


class Opening:
    """A connection that is being opened: an address is looked up, it is connected to, and TLS begins.

    `advance` can go on after `events` of the file descriptor, which is another one once the address is known.
    """

    __slots__ = ("_address", "_connection", "_lookup", "_offered", "_stale", "_tls", "events")

    def __init__(self, tls: _Tls | None, source: _Address | _Lookup) -> None:
        """Raises OSError."""
        self._tls = tls
        self._offered: ssl.SSLSession | None = None
        self._stale = 0
        self._lookup: _Lookup | None = None
        self._address: Any = None
        if isinstance(source, _Lookup):
            self._lookup = source
            # It is polled until there is a connection.
            self._connection = source.signal()
            self.events = POLLIN
        else:
            family, address = source
            self._use(socket.socket(family), address)

    @property
    def is_looking_up(self) -> bool:
        """Whether it waits for a name server, for an address that accepts, or for a proxy."""
        return self._lookup is not None

    def fileno(self) -> int:
        """Return the file descriptor to poll."""
        return self._connection.fileno()

    def close(self) -> None:
        """Give up."""
        self._connection.close()

    def advance(self) -> socket.socket | None:
        """Go on without waiting; return the connection once it is open. Raises NoResponseError."""
        try:
            return self._connection if self._advance() else None
        except Exception as error:
            self._connection.close()
            if isinstance(error, OSError):
                raise _failure(error) from error
            raise

    def _use(self, connection: socket.socket, address: Any) -> None:
        """Go on with a socket, which is connected if there is no address."""
        connection.setblocking(False)
        self._connection = connection
        self._address = address
        self.events = POLLOUT

    def _advance(self) -> bool:
        if self._lookup is not None:
            if not self._lookup.has_ended:
                return False
            signal = self._connection
            self._use(*self._lookup.take())
            signal.close()
            self._lookup = None
        if isinstance(self._connection, ssl.SSLSocket):
            return self._shake_hands(self._connection)
        if self._address is not None:
            code = self._connection.connect_ex(self._address)
            if code in _CONNECTING:
                return False
            if code not in _CONNECTED:
                raise OSError(code, os.strerror(code))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return True
        secure, self._offered = self._tls.begin(self._connection)
        self._connection = secure
        return self._shake_hands(secure)

    def _shake_hands(self, connection: ssl.SSLSocket) -> bool:
        try:
            connection.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            self.events = TLS_WAITS[type(error)]
            return False
        except ssl.SSLCertVerificationError:
            assert self._tls
            if not self._tls.widen(connection.context):
                raise
            self._use(socket.socket(connection.family), connection.getpeername())
            connection.close()
            return self._advance()
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
