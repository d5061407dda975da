"""Health and metrics over HTTP."""

import logging
import socket
from collections import Counter
from errno import EADDRINUSE
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from router.errors import UsageError
from router.model import Summary
from router.runtime.run.counters import Counters
from router.runtime.run.monitoring import WorkerStatus, serve


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    """Returns status and body."""
    try:
        with build_opener(ProxyHandler({})).open(f"http://{host}:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/healthz", (503, "no\n")),
        ("/readyz?verbose", (200, "ok\n")),
        ("/", (404, "pages: /healthz, /readyz, /metrics\n")),
    ],
)
def test_pages(path: str, answer: tuple[int, str]) -> None:
    """Each page has its status and text."""
    with serve("127.0.0.1:0", lambda: WorkerStatus(alive=False, ready=True), dict) as port:
        assert get(port, path) == answer


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/readyz", "text/plain"), ("/metrics", "text/plain; version=0.0.4; charset=utf-8")],
)
def test_content_types(path: str, content_type: str) -> None:
    """Prometheus reads the metrics by their content type."""
    with (
        serve("127.0.0.1:0", lambda: WorkerStatus(ready=True), dict) as port,
        build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}{path}", timeout=60) as answer,
    ):
        assert answer.headers["Content-Type"] == content_type


def test_health_of_the_log() -> None:
    """A log that nobody reads is reported, but is no reason to restart the worker."""
    with serve("127.0.0.1:0", lambda: WorkerStatus(alive=True, log_blocked=True), dict) as port:
        assert get(port, "/healthz") == (200, "ok\nthe log is not read: its lines are queued, then dropped\n")


def test_the_hash_of_the_config() -> None:
    """The health and the metrics have it."""
    with serve("127.0.0.1:0", lambda: WorkerStatus(alive=True, config="c0ffee"), dict) as port:
        health, (_, metrics) = get(port, "/healthz"), get(port, "/metrics")

    assert health == (200, "ok\nconfig c0ffee\n")
    assert 'router_config_info{config="c0ffee",service="message-router"} 1.0' in metrics.splitlines()


def test_paused_queues() -> None:
    """Each queue that is not polled in an outage is a line of the health, and no reason to restart the worker."""
    status = WorkerStatus(alive=True, config="c0ffee", paused=("orders", "users"))
    with serve("127.0.0.1:0", lambda: status, dict) as port:
        assert get(port, "/healthz") == (200, "ok\nconfig c0ffee\npaused orders\npaused users\n")


def test_metrics() -> None:
    """The metrics are the sums of the batches by queue."""
    counters = Counters()
    counters.record(Summary("q", Counter(["written", "written", "retry"]), 0.5, configuration_errors=1))
    counters.record(Summary("q", Counter(["written"]), 0.25))

    with serve("127.0.0.1:0", WorkerStatus, counters.totals) as port:
        status, text = get(port, "/metrics")

    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    counted = {name: value for name, value in values.items() if value != "0.0" or 'queue=""' in name}
    assert (status, counted) == (
        200,
        {
            'router_log_lines_dropped_total{queue="",service="message-router"}': "0.0",
            'router_messages_written_total{queue="q",service="message-router"}': "3.0",
            'router_messages_retry_total{queue="q",service="message-router"}': "1.0",
            'router_configuration_errors_total{queue="q",service="message-router"}': "1.0",
            'router_batches_total{queue="q",service="message-router"}': "2.0",
            'router_batch_seconds_total{queue="q",service="message-router"}': "0.75",
        },
    )


def has_ipv6() -> bool:
    """Whether there is a loopback address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", pytest.param("[::1]", marks=pytest.mark.skipif(not has_ipv6(), reason="without IPv6"))],
)
def test_addresses(host: str, caplog: pytest.LogCaptureFixture) -> None:
    """The address is a name, or of IPv4 or IPv6; the log has the port, which the system chooses for 0."""
    with caplog.at_level(logging.INFO, "router"), serve(f"{host}:0", WorkerStatus, dict) as port:
        status, _ = get(port, "/readyz", host)

    assert (status, [entry.__dict__["fields"] for entry in caplog.records]) == (503, [{"port": port}])


def test_no_address() -> None:
    """Without an address nothing is served."""
    with serve("", WorkerStatus, dict) as port:
        assert port == 0


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        ("9090x", "invalid literal"),
        ("127.0.0.1:http", "invalid literal"),
        ("127.0.0.1:65536", "the port must be 0 to 65535"),
        ("127.0.0.1:-1", "the port must be 0 to 65535"),
        ("no such host:0", r"\[Errno "),
    ],
)
def test_cannot_listen(listen: str, reason: str) -> None:
    """An invalid address is reported with an example of a valid one."""
    refuses(listen, reason)


def test_address_in_use() -> None:
    """So is one where another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        refuses(f"127.0.0.1:{other.getsockname()[1]}", rf"\[Errno {EADDRINUSE}\]")


def refuses(listen: str, reason: str) -> None:
    """Fail unless an address is refused for a reason."""
    sentence = rf"^cannot listen on '{listen}': {reason}.*; give HOST:PORT, e\.g\. 127\.0\.0\.1:9090$"
    with pytest.raises(UsageError, match=sentence), serve(listen, WorkerStatus, dict):
        pass
