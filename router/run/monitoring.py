"""Health and metrics of a worker: `/healthz`, `/readyz` and `/metrics` over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from msgspec import Struct

from router.deliver.telemetry import LOGGER, service_name
from router.errors import UsageError
from router.run.counters import Totals, exposition
from router.run.http_server import Page, PageServer


class WorkerStatus(Struct, frozen=True):
    """The status of one or several worker processes.

    `alive`: every receiver runs and none is stuck. `ready`: messages of every queue are received. `log_blocked`: nobody
    reads the log. `config` is the hash of the running config; of several, each once, with commas.
    """

    alive: bool = False
    ready: bool = False
    log_blocked: bool = False
    config: str = ""


@contextmanager
def serve(listen: str, status: Callable[[], WorkerStatus], totals: Callable[[], Totals]) -> Iterator[int]:
    """Serve the pages on HOST:PORT, or nothing if it is empty; yields the port. Raises UsageError."""
    if not listen:
        yield 0
        return

    def page(path: str) -> Page:
        match path:
            case "/healthz":
                now = status()
                # Messages are delivered all the same, and a restart would not help: not a reason to be ended.
                remark = f"config {now.config}\n".encode() if now.config else b""
                return _probe(now.alive, remark + (_LOG_BLOCKED if now.log_blocked else b""))
            case "/readyz":
                return _probe(status().ready)
            case "/metrics":
                text = exposition(totals(), service_name(), status().config)
                return HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", text
            case _:
                return HTTPStatus.NOT_FOUND, "text/plain", b"pages: /healthz, /readyz, /metrics\n"

    host, _, port = listen.rpartition(":")
    try:
        server = PageServer(host.strip("[]"), int(port), page)
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"cannot listen on '{listen}': {error}; give HOST:PORT, e.g. 127.0.0.1:9090") from None
    LOGGER.info("listening", extra={"fields": {"port": server.port}})
    try:
        yield server.port
    finally:
        server.close()


_LOG_BLOCKED = b"the log is not read: its lines are queued, then dropped\n"


def _probe(passes: bool, remark: bytes = b"") -> Page:
    status, text = (HTTPStatus.OK, b"ok\n") if passes else (HTTPStatus.SERVICE_UNAVAILABLE, b"no\n")
    return status, "text/plain", text + remark
