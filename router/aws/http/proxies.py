"""Proxies of the environment: which one leads to an endpoint, and tunnels through it."""

import socket
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from router.aws.http.endpoints import Endpoint, is_host
from router.errors import UsageError


class Proxy(Struct, frozen=True):
    """An HTTP proxy, and what it is told with each tunnel."""

    host: str
    port: int
    headers: dict[str, str]


def tunnel(proxy: Proxy, name: str, port: int, seconds: float) -> socket.socket:
    """A connection to a host through a proxy, each wait for which may take so long; raises OSError."""
    # Only who has a proxy pays for this import.
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(proxy.host, proxy.port, timeout=seconds)
    connection.set_tunnel(name, port, proxy.headers)
    try:
        connection.connect()
    except HTTPException as error:
        raise OSError(str(error)) from error
    made: socket.socket = connection.sock
    return made


def find_proxy(endpoint: Endpoint, env: Mapping[str, str]) -> Proxy | None:
    """The proxy of the environment for an endpoint; plain HTTP is for servers on this machine, and goes by none.

    Raises UsageError for one that is no URL, or is itself reached by TLS.
    """
    if not endpoint.secure or not any(name.lower() == "https_proxy" for name in env):
        return None
    from urllib.request import getproxies, proxy_bypass  # as above

    proxy = getproxies().get("https", "")
    if not proxy or proxy_bypass(endpoint.name):
        return None
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host = ""
    if not is_host(host) or parts.scheme != "http":
        # It may have a password, and is not shown.
        raise UsageError(
            "the proxy in HTTPS_PROXY is not http://[USER:PASSWORD@]HOST[:PORT]; for one that is itself reached by TLS "
            "(https://…) set ROUTER_TRANSPORT=boto3"
        )
    headers = {}
    if parts.username:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    return Proxy(host, port, headers)
