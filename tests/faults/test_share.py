"""A few messages that fail each time do not slow the others: of a hot key, of a lost dead-letter queue, of objects."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.faults.fault_proxy import FaultPlan, FaultProxy, HotKeys, Kind, fault_proxy
from tests.faults.fault_rig import FLOWS, Rig, lambda_record, running_function, running_worker, wait_until
from tests.support.dev import LocalAws

MESSAGES = 1_000
HOT_EVERY = 100
TRIES = 8
"""As many as the client makes of a write that it has the time for."""
SECONDS = 60
"""In which all other messages are written, also on a busy machine; before, fewer than half were."""
CONFIG = """\
version: 1
queues:
  lost: {name: "${PREFIX}-lost", dead_letter: "${PREFIX}-missing", retry: {base: 1s, factor: 1, cap: 1s}}
  objects:
    {name: "${PREFIX}-objects", dead_letter: "${PREFIX}-dead", envelope: [s3_pointer], retry: {base: 60s},
     s3_pointer: {buckets: [payloads]}}
tables: {puts: {name: "${PREFIX}-puts", key: {id: S}}}
routes:
  lost: {queue: lost, table: puts}
  objects: {queue: objects, table: puts}
"""
POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"


class Throttled(FaultPlan):
    """Throttles each write while it is `throttled`."""

    def __init__(self) -> None:
        super().__init__(seed=0, rate=0)
        self.throttled = True

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return the fault of a write."""
        return "throttled" if operation == "BatchWriteItem" and self.throttled else None


def wait_for(left: int, rig: Rig) -> None:
    """Wait until so many messages are left."""
    wait_until(lambda: rig.left() <= left, SECONDS, f"{left} messages left")


def bodies(count: int, every: int = 0, other: str = "") -> list[str]:
    """Return bodies with ids of their own; each so many-th is another one."""
    return [other if every and number % every == 1 else json.dumps({"id": f"m{number}"}) for number in range(count)]


@pytest.fixture
def work(name: str, ministack: LocalAws, tmp_path: Path) -> Callable[..., None]:
    """Runs the real worker until it has processed the bodies of a queue, but for so many of them that fail."""

    def run(queue: str, bodies: list[str], left: int, config: Path = FLOWS, **env: str) -> None:
        with fault_proxy(ministack.endpoint, HotKeys("hot")) as proxy:
            rig = Rig(ministack, proxy.endpoint, name, config, visibility=20)
            rig.environment |= env
            attributes = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": "9"}} if env else {}
            rig.send(queue, bodies, MessageAttributes=attributes)
            with running_worker(rig, tmp_path / "log", 4, "--queue", queue, hasty=False):
                wait_for(left, rig)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The path of the config."""
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG)
    return path


def test_hot_key(work: Callable[..., None]) -> None:
    """While one of a hundred messages is on a key that is throttled, the others are written."""
    work("puts", bodies(MESSAGES, HOT_EVERY, '{"id": "hot"}'), MESSAGES // HOT_EVERY)


def test_hot_group(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """On a FIFO queue only the groups of the hot key wait; once it is not hot any more, they are in order."""
    plan = HotKeys("hot")
    with fault_proxy(ministack.endpoint, plan) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, visibility=20)
        groups = ["hot" if number % 50 == 1 else f"g{number % 20}" for number in range(400)]
        messages = [json.dumps({"id": group, "number": number}) for number, group in enumerate(groups)]
        rig.send("groups.fifo", messages, groups)
        with running_worker(rig, tmp_path / "log", 2, "--queue", "groups", hasty=False):
            wait_for(groups.count("hot"), rig)
            held = [item["id"] for item in rig.items("latest") if item["id"] == "hot"]
            plan.hot = False
            wait_for(0, rig)

    last = {item["id"]: item["number"] for item in rig.items("latest")}
    assert (held, last) == ([], {group: number for number, group in enumerate(groups)})


def test_hot_record(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """The function reports one hot record of a hundred as failed, and does not wait for all of its tries."""
    with fault_proxy(ministack.endpoint, HotKeys("hot")) as proxy:
        rig = Rig(ministack, proxy.endpoint, name)
        records = [
            lambda_record(
                {"MessageId": f"m{number}", "ReceiptHandle": "h", "Body": body, "Attributes": {}}, f"{name}-puts"
            )
            for number, body in enumerate(bodies(100, HOT_EVERY, '{"id": "hot"}'))
        ]
        with running_function(rig, tmp_path / "log", hasty=False) as function:
            failed = function.invoke(records)

    assert (failed, len(rig.items("puts"))) == (["m1"], 99)
    assert proxy.journal.faults["partial"] < TRIES


def test_lost_dead_letter_queue(work: Callable[..., None], config: Path) -> None:
    """If the dead-letter queue is gone and two of a hundred messages are rejected, the others are written."""
    work("lost", bodies(MESSAGES, 50, "{"), MESSAGES // 50, config)


class _Objects(BaseHTTPRequestHandler):
    """An S3 without the permission to list: an object that is missing is a denied access."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        gone = "gone" in self.path
        body = b"<Error><Code>AccessDenied</Code></Error>" if gone else b'{"id": "%s"}' % self.path[-8:].encode()
        self.send_response(403 if gone else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"tag"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def s3() -> Iterator[str]:
    """The endpoint of such an S3."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Objects) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def pointer(key: str) -> str:
    """Return the body of a message that points to an object."""
    return json.dumps([POINTER, {"s3BucketName": "payloads", "s3Key": key}])


def test_denied_objects(work: Callable[..., None], config: Path, s3: str) -> None:
    """Twenty messages whose object is denied, at the head of the queue, do not stop the others."""
    good = [pointer(f"{number:08}") for number in range(200)]
    messages = [pointer(f"gone{number:04}") for number in range(20)] + good

    work("objects", messages, 20, config, AWS_ENDPOINT_URL_S3=s3)


@contextmanager
def throttled_worker(server: LocalAws, name: str, log: Path) -> Iterator[tuple[Rig, FaultProxy, Throttled]]:
    """Run a worker with a backlog whose table is throttled."""
    plan = Throttled()
    with fault_proxy(server.endpoint, plan) as proxy:
        rig = Rig(server, proxy.endpoint, name, visibility=20)
        rig.send("puts", bodies(MESSAGES))
        with running_worker(rig, log, 4, "--queue", "puts", hasty=False):
            yield rig, proxy, plan


def test_throttled_table(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """A table that takes nothing slows polling; once it takes writes again, the backlog is soon written."""
    with throttled_worker(ministack, name, tmp_path / "log") as (rig, proxy, plan):
        time.sleep(6)
        received = [call for call in proxy.journal.calls() if call.operation == "ReceiveMessage"]
        plan.throttled = False
        wait_for(MESSAGES // 2, rig)

    # Without back-pressure it would receive all 1,000 within a second or two.
    assert len(received) < 40
