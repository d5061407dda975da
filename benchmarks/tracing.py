"""Counts what telemetry costs, as ratios of a record's instructions: `python benchmarks/tracing.py`; prints JSON.

For a small record of the handler, and for a small message of a worker: with `telemetry: {metrics: route}`, and with
traces whose producers are sampled at 1 % and at 100 %; `--percent 1` counts only the first. A producer is known by
X-Ray's header, or by the message attribute `traceparent`; without either, the sampler takes so many of the batches.
What encodes the spans and sends them is counted, too. tests/performance has the bounds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest.mock import patch

from counters import count_instructions
from environment import HERE, BenchmarkError, prepare, quiet
from messages import event
from serving import serve

FEW, MANY = 100, 1100
"""Both have whole hundreds, of which one in a hundred is sampled."""
TRACE = "5759e988-bd862e3fe1be46a994272793"
SPAN = "53995c3f42cd8ad8"
CONTEXTS = ("header", "attribute", "none")
BY_ROUTE = "telemetry: {metrics: route}\n"


def main() -> None:
    """Count each case in a process of its own, or, as such a process, one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--percent", type=int, choices=[1, 100], action="append", help="of the producers are sampled")
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measure(options.case)))
        return
    found = {}
    for program in ("function", "worker"):
        by_route = _counted(program=program, context="none", by_route=True)
        found[f"{program}, by route"] = by_route / _counted(program=program, context="none")
        for context in CONTEXTS:
            plain = _counted(program=program, context=context)
            for percent in options.percent or (1, 100):
                counted = _counted(program=program, context=context, percent=percent)
                found[f"{program}, {context}, {percent} %"] = counted / plain
    print(json.dumps({name: round(ratio, 4) for name, ratio in found.items()}, indent=1))


def _counted(**case: Any) -> float:
    """Return the instructions of a record of a case, counted in a process of its own."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    env = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise BenchmarkError(done.stderr)
    return float(done.stdout)


def measure(case: Mapping[str, Any]) -> float:
    """Return the instructions of a record of a case."""
    with serve() as server, _collector() as url, tempfile.TemporaryDirectory() as folder, quiet():
        os.environ.update(prepare(server.endpoint, _config(Path(folder), by_route=case.get("by_route", False))))
        os.environ.update(_variables(url, case))
        run = _worker() if case.get("program") == "worker" else _function()
        few, many = (_event(case, count) for count in (FEW, MANY))
        # With each second some texts are made anew.
        with patch("os.urandom", _random), patch("time.time", repeat(time.time()).__next__):
            # The first batches compile the fast path.
            for _ in range(3):
                run(many)
            counted = count_instructions(lambda: run(many)) - count_instructions(lambda: run(few))
    return counted / (MANY - FEW)


def _function() -> Callable[[Any], object]:
    from router.lambda_handler import handler

    return lambda given: handler(given, None)


def _worker() -> Callable[[Any], object]:
    """Return what delivers records as a receiver does, and sends what the SDK has collected."""
    from router.lambda_handler import read_record
    from router.runtime.aws.calls import boottime
    from router.runtime.aws.connect import connect
    from router.runtime.deliver.delivery import Delivery, DeliveryOptions
    from router.runtime.deliver.time_limits import FixedDeadline
    from router.runtime.program.load import load_program
    from router.runtime.run.counters import Counters
    from router.runtime.run.worker import start_tracing

    program = load_program(Path(os.environ["ROUTER_CONFIG"]), os.environ)
    counters = Counters()
    tracer = start_tracing(os.environ, counters.add)
    options = DeliveryOptions(counters.record, trace=tracer.trace if tracer else None)
    delivery = Delivery(program, connect(20), options=options)
    queue = program.engine.queues["small"]

    def run(given: Any) -> None:
        records = [read_record(each) for each in given["Records"]]
        delivery.deliver(queue, records, FixedDeadline(boottime() + 3600))
        if tracer:
            tracer.flush()

    return run


def _variables(url: str, case: Mapping[str, Any]) -> dict[str, str]:
    if "percent" not in case:
        return {}
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    if case["context"] == "none":
        ratio = str(case["percent"] / 100)
        variables |= {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": ratio}
    return variables


def _event(case: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return records with the contexts of their producers, of which some are sampled."""
    given = event("small", count)
    for number, record in enumerate(given["Records"]):
        sampled = int(number % 100 < case.get("percent", 1))
        if case["context"] == "header":
            record["attributes"]["AWSTraceHeader"] = f"Root=1-{TRACE};Parent={SPAN};Sampled={sampled}"
        if case["context"] == "attribute":
            text = f"00-{TRACE.replace('-', '')}-{SPAN}-0{sampled}"
            record["messageAttributes"] = {"traceparent": {"dataType": "String", "stringValue": text}}
    return given


def _random(size: int) -> bytes:
    """What decides about a batch is always the same: it is not sampled, unless all are."""
    return b"\xfe" * size


def _config(folder: Path, *, by_route: bool) -> Path:
    path = HERE / "routes.yaml"
    if not by_route:
        return path
    shutil.copytree(HERE / "schemas", folder / "schemas")
    other = folder / "routes.yaml"
    other.write_text(path.read_text(encoding="utf-8") + BY_ROUTE, encoding="utf-8")
    return other


class _Taker(BaseHTTPRequestHandler):
    """Takes what it is sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        """Log nothing."""


@contextmanager
def _collector() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


if __name__ == "__main__":
    main()
