"""Health and metrics of a worker over HTTP: `/healthz`, `/readyz` and `/metrics`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from router.deliver.log import LOGGER
from router.errors import UsageError
from router.run.prometheus import exposition
from router.run.state import State

Page = tuple[HTTPStatus, str, bytes]


@contextmanager
def serve(listen: str, look: Callable[[], State]) -> Iterator[int]:
    """Serve on HOST:PORT while the context lasts (nothing if it is empty); gives the port. Raises UsageError."""
    if not listen:
        yield 0
        return
    host, _, port = listen.rpartition(":")
    try:
        server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(look))
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"cannot listen on '{listen}': {error}; give HOST:PORT, e.g. 127.0.0.1:9090") from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    LOGGER.info("listening", extra={"fields": {"port": server.server_port}})
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _handler(look: Callable[[], State]) -> type[BaseHTTPRequestHandler]:
    def page(path: str) -> Page:
        if path == "/healthz":
            return _answer(look().alive)
        if path == "/readyz":
            return _answer(look().ready)
        if path == "/metrics":
            return HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", exposition(look().totals)
        return HTTPStatus.NOT_FOUND, "text/plain", b"there are /healthz, /readyz and /metrics\n"

    class Handler(BaseHTTPRequestHandler):
        """Answers GET."""

        def do_GET(self) -> None:
            """Answer."""
            status, kind, body = page(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: these are asked for every few seconds."""

    return Handler


def _answer(well: bool) -> Page:
    return (HTTPStatus.OK, "text/plain", b"ok\n") if well else (HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"no\n")
