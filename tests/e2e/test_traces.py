"""The spans of function and worker, as a collector receives them; and what happens while it does not answer."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import free_port
from tests.support.otlp import Collector, attributes_of, running_collector

DRIVER = Path(__file__).parent / "lambda_driver.py"
TRACE = "5759e988bd862e3fe1be46a994272793"
MESSAGES = 150
"""More than a span has links."""


def span_id(number: int) -> str:
    return f"{number + 1:016x}"


def header(number: int, sampled: int = 1) -> str:
    return f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={span_id(number)};Sampled={sampled}"


def traceparent(number: int) -> str:
    return f"00-{TRACE}-{span_id(number)}-01"


def producers(collector: Collector) -> list[str]:
    """The spans that are linked, in order; no span has more than 128."""
    assert max(len(span.links) for span in collector.spans) <= 128
    return sorted(link.span_id.hex() for span in collector.spans for link in span.links)


@contextmanager
def function(flows: Any, folder: Path, **env: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """What invokes the function in a process of its own; its log and metrics are `log`."""
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, str(DRIVER)],
            env=flows.environment | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout

        def invoke(*records: dict[str, Any], milliseconds: int = 30_000) -> dict[str, Any]:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps({"event": {"Records": records}, "milliseconds": milliseconds}) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            return answer

        yield invoke
        process.stdin.close()
        assert process.wait(60) == 0


def record(flows: Any, queue: str, body: str, attributes: Any = None, **system: str) -> dict[str, Any]:
    """A record as Lambda hands it over."""
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": "h",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1767323045678", **system},
        "messageAttributes": attributes or {},
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{flows.prefix}-{queue}",
    }


def test_a_function(flows: Any, tmp_path: Path) -> None:
    """Its spans link each producer: by X-Ray's header, by an attribute, and inside of an envelope."""
    names = [f"f{number}-{uuid.uuid4().hex}" for number in range(MESSAGES)]
    records = [
        record(flows, "plain", json.dumps({"id": name}), AWSTraceHeader=header(number))
        for number, name in enumerate(names)
    ]
    attribute = {"traceparent": {"stringValue": traceparent(MESSAGES), "dataType": "String"}}
    refused = record(flows, "plain", "no JSON", attribute)
    notification = {
        "Type": "Notification",
        "Message": json.dumps({"id": names[0]}),
        "MessageAttributes": {"traceparent": {"Type": "String", "Value": traceparent(MESSAGES + 1)}},
    }
    unsampled = record(flows, "plain", json.dumps({"id": names[1]}), AWSTraceHeader=header(999, 0))
    with running_collector() as collector:
        with function(flows, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="flows") as invoke:
            answer = invoke(*records, refused, unsampled, record(flows, "topic", json.dumps(notification)))

        assert answer == {"batchItemFailures": []}
        assert producers(collector) == [span_id(number) for number in range(MESSAGES + 2)]
        first, second, topic = collector.spans
        assert ([len(span.links) for span in collector.spans], collector.resource["service.name"]) == (
            [128, 23, 1],
            "flows",
        )
        assert (first.name, topic.name) == (f"process {flows.prefix}-plain", f"process {flows.prefix}-topic")
        assert (second.trace_id, second.parent_span_id) == (first.trace_id, first.span_id)
        assert (first.status.code, attributes_of(first)["error.type"]) == (2, "RT801")
        link = first.links[0]
        assert (link.span_id.hex(), attributes_of(link)["router.outcome"]) == (span_id(MESSAGES), "rejected")
        letter = flows.letter_of("no JSON")
        assert letter["MessageAttributes"]["traceparent"]["StringValue"] == traceparent(MESSAGES)


@pytest.mark.parametrize(("status", "milliseconds"), [(503, 30_000), (0, 30_000), (0, 2_000)])
def test_a_function_without_a_collector(flows: Any, tmp_path: Path, status: int, milliseconds: int) -> None:
    """It answers in time, nothing is lost, and what it drops is counted."""
    names = [f"d{number}-{uuid.uuid4().hex}" for number in range(3)]
    with (
        running_collector(status) as collector,
        function(flows, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as invoke,
    ):
        # The first invocation connects to AWS.
        invoke(record(flows, "plain", json.dumps({"id": names[0]})))
        began = time.monotonic()
        answers = [
            invoke(record(flows, "plain", json.dumps({"id": name})), milliseconds=milliseconds) for name in names[1:]
        ]
        took = time.monotonic() - began
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    dropped = [line["router_spans_dropped_total"] for line in lines if "router_spans_dropped_total" in line]
    assert (answers, dropped, took < milliseconds / 1000) == ([{"batchItemFailures": []}] * 2, [1, 1, 1], True)
    assert [flows.item(name) is not None for name in names] == [True] * 3


@contextmanager
def worker(flows: Any, folder: Path, *more: str, **env: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker of two queues."""
    words = ["--wait", "1", "--grace", "50", "--queue", "plain", "--queue", "topic", *more]
    command = [sys.executable, "-m", "router", "worker", "-c", str(flows.config), *words]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=flows.environment | env, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def send_traced(flows: Any, names: list[str]) -> None:
    """Send a message for each name, every other with its context in an attribute."""
    for number, name in enumerate(names):
        if number % 2:
            text = {"DataType": "String", "StringValue": traceparent(number)}
            flows.send("plain", {"id": name}, MessageAttributes={"traceparent": text})
        else:
            value = {"DataType": "String", "StringValue": header(number)}
            flows.send("plain", {"id": name}, MessageSystemAttributes={"AWSTraceHeader": value})


def test_a_worker(flows: Any, tmp_path: Path, wait: Callable[..., Any]) -> None:
    """Its spans link each producer; the last are sent when it stops."""
    names = [f"w{number}-{uuid.uuid4().hex}" for number in range(24)]
    send_traced(flows, names)
    with running_collector() as collector:
        with worker(flows, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="flows") as process:
            wait(lambda: all(flows.item(name) for name in names) and not flows.left("plain"), "the items")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0

        assert producers(collector) == [span_id(number) for number in range(24)]
        assert {span.name for span in collector.spans} == {f"process {flows.prefix}-plain"}
        urls = {attributes_of(span)["aws.sqs.queue.url"] for span in collector.spans}
        assert (urls, collector.resource["service.name"]) == ({flows.url("plain")}, "flows")


@pytest.mark.parametrize("status", [400, 0])
def test_a_worker_without_a_collector(flows: Any, tmp_path: Path, wait: Callable[..., Any], status: int) -> None:
    """It goes on, nothing is lost, what it drops is counted, and it stops in time."""
    names = [f"x{number}-{uuid.uuid4().hex}" for number in range(24)]
    send_traced(flows, names)
    port = free_port()
    env = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with (
        running_collector(status) as collector,
        worker(
            flows, tmp_path, "--listen", f"127.0.0.1:{port}", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **env
        ) as process,
    ):
        wait(lambda: all(flows.item(name) for name in names) and not flows.left("plain"), "the items")

        def dropped() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
                text = page.read().decode()
            found = re.search(r'^router_spans_dropped_total\{queue="plain".*\} (\S+)$', text, re.M)
            return bool(found and float(found[1]) > 0)

        wait(dropped, "the metric")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert (process.wait(60), time.monotonic() - began < 50) == (0, True)
