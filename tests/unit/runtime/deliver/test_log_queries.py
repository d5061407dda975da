"""The queries of the docs name only fields that lines of a run have."""

import json
import logging
import re
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from router.model import Record
from router.runtime.deliver.delivery import Delivery, DeliveryOptions
from router.runtime.deliver.telemetry import LINE_FIELDS, LOGGER, print_embedded, set_up_logging
from router.runtime.deliver.time_limits import FixedDeadline
from tests.support.aws import Aws, AwsFault, WriteResponse

PAGE = (Path(__file__).parents[4] / "docs/observability.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^([^\n]+)\n\n```insights\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL)
WORDS = {"filter", "stats", "sort", "limit", "display", "as", "by", "in", "desc", "count", "sum", "min", "max", "bin"}
WORDS |= {"ispresent", "toMillis", "fromMillis"}
THROTTLED = AwsFault("retry", "ThrottlingException", 400)


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the router logs."""
    before = LOGGER.handlers, LOGGER.level, LOGGER.propagate
    written = StringIO()
    set_up_logging(logging.StreamHandler(written))
    yield written
    LOGGER.handlers, LOGGER.level, LOGGER.propagate = before


def fields_of(query: str) -> set[str]:
    """Return the fields that a query reads."""
    named = set(re.findall(r"\bas (\w+)", query))
    without_texts = re.sub(r'"[^"]*"', "", query)
    words = set(re.findall(r"[A-Za-z_][\w.]*", without_texts))
    return words - WORDS - named - {"m"}


def test_their_fields_are_in_lines_of_a_run(
    aws: Aws,
    tables: Any,
    compile_: Any,
    log: StringIO,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One message is written, one is rejected, one is throttled; metrics are by route."""
    monkeypatch.setitem(LINE_FIELDS, "config", "c0ffee")
    config = "{queue: q, table: things, write: {mode: insert}}}\ntelemetry: {metrics: route"
    program = compile_(config)
    tables.answers.extend([WriteResponse(consumed=1.0), *[WriteResponse(fault=THROTTLED)] * 20])
    delivery = Delivery(program, aws, options=DeliveryOptions(print_embedded))
    system = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": str(int(time.time() * 1000)),
        "SenderId": "AIDA",
    }

    for body in ('{"id": "a"}', "{", '{"id": "b"}'):
        delivery.deliver(
            program.engine.queues["q"], [Record("m", "h", body, system)], FixedDeadline(time.monotonic() + 3)
        )

    lines = [json.loads(line) for text in (log.getvalue(), capsys.readouterr().out) for line in text.splitlines()]
    found = {name for line in lines for name in line}
    found |= {f"counts.{kind}" for line in lines for kind in line.get("counts", ())}
    assert [(question, fields_of(query) - found) for question, query in QUERIES if fields_of(query) - found] == []
    assert QUERIES
    texts = {text for _, query in QUERIES for text in re.findall(r'"([^"]*)"', query)}
    values = {value for line in lines for value in line.values() if isinstance(value, str)}
    assert texts <= values
