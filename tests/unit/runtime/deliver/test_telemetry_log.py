"""Log lines: JSON, on standard error, without any value of a message."""

import json
import logging
import re
import time
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from threading import Thread
from typing import Any

import pytest

from router.model import Outcome, Result, Summary, __version__
from router.runtime.deliver.telemetry import (
    LINE_FIELDS,
    LOGGER,
    JsonLines,
    embedded,
    level_for_lambda,
    log_batch,
    log_results,
    number_lines,
    set_up_logging,
)
from tests.support.config import SecretValues


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The lines that are logged, as objects; the time of each is checked and removed."""
    before = LOGGER.handlers, LOGGER.level, LOGGER.propagate
    errors = StringIO()
    monkeypatch.setattr("sys.stderr", errors)
    # Other tests load a config, or call the handler.
    for name in ("config", "aws_request_id"):
        monkeypatch.delitem(LINE_FIELDS, name, raising=False)
    set_up_logging()

    def read() -> list[dict[str, Any]]:
        text = errors.getvalue()
        assert re.sub("[\n\xa0]", "", text).isprintable()
        reported = [json.loads(line) for line in text.splitlines()]
        assert all(len(line.pop("timestamp")) == len("2026-01-02T03:04:05.678Z") for line in reported)
        assert {line.pop("version") for line in reported} <= {__version__}
        return reported

    yield read
    LOGGER.handlers, LOGGER.level, LOGGER.propagate = before


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("rejected", "ERROR"),
        ("retry", "WARNING"),
        ("dropped", "INFO"),
        ("duplicate", "INFO"),
        ("stale", "INFO"),
    ],
)
def test_message(lines: Any, kind: Any, level: str) -> None:
    """A message that is not written has a line of its own, at the level of its outcome."""
    outcome = Outcome(kind, "RT806", "fails 'type' at /type", "r", "/a/0", conflict=True)

    sent_at = int(time.time() * 1000) - 7_000
    log_results([Result("m1", "q", outcome, 2, "AIDA", sent_at)])

    (line,) = lines()
    assert 7 <= line.pop("age_seconds") < 60
    assert line.pop("cause", "") == ("disposition" if kind == "retry" else "")
    assert [line] == [
        {
            "level": level,
            "message": f"message {kind}",
            "outcome": kind,
            "code": "RT806",
            "reason": "fails 'type' at /type",
            "queue": "q",
            "route": "r",
            "pointer": "/a/0",
            "message_id": "m1",
            "conflict": True,
            "receive_count": 2,
            "sender_id": "AIDA",
        }
    ]


def test_written_message(lines: Any) -> None:
    """A written message has none."""
    log_results([Result("m1", "q", Outcome("written"))])

    assert lines() == []


def test_batch(lines: Any) -> None:
    """A batch has one line, with its counts."""
    log_batch(
        Summary("q", Counter(["written", "written", "retry"]), 0.12345678, conflicts=1, configuration_errors=2),
        "c0ffee",
    )

    assert lines() == [
        {
            "level": "INFO",
            "message": "batch done",
            "service": "message-router",
            "queue": "q",
            "counts": {"written": 2, "retry": 1},
            "conflicts": 1,
            "configuration_errors": 2,
            "malformed_failures": 0,
            "seconds": 0.123457,
            "write_calls": 0,
            "config": "c0ffee",
        }
    ]


def test_exception(lines: Any) -> None:
    """Only the type of an exception is logged, neither its text nor a traceback."""
    try:
        raise LookupError("a value of a message")
    except LookupError:
        LOGGER.exception("unexpected error", extra={"fields": {"queue": "q"}})

    assert lines() == [
        {"level": "ERROR", "message": "unexpected error", "queue": "q", "errorType": "LookupError"},
    ]


def test_text_on_one_line(lines: Any) -> None:
    """Whatever is logged is one line."""
    LOGGER.warning("two\nlines: %s", "é\r\n")

    assert lines() == [{"level": "WARNING", "message": "two\nlines: é\r\n"}]


def test_of_no_exception() -> None:
    """A record with `exc_info` but no exception is a line like any other."""
    record = logging.LogRecord("router", logging.INFO, "file", 1, "message", (), (None, None, None))

    assert "errorType" not in json.loads(JsonLines().format(record))


def test_set_up_twice(lines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Setting up again does not double the lines, which go to the current standard error."""
    set_up_logging()

    LOGGER.info("once")

    assert (lines(), capsys.readouterr().err.count('"once"')) == ([], 1)


def test_levels(lines: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Details are logged only at their level, and no line goes to other loggers too."""
    LOGGER.debug("no detail")
    written = StringIO()
    set_up_logging(logging.StreamHandler(written), logging.DEBUG)
    LOGGER.debug("a detail")

    assert (lines(), caplog.messages) == ([], [])
    assert json.loads(written.getvalue())["message"] == "a detail"


def test_time() -> None:
    """The time of a line is that of its event, in milliseconds."""
    record = logging.makeLogRecord({"created": 1767323045.6789, "msg": "message"})

    assert json.loads(JsonLines().format(record))["timestamp"] == "2026-01-02T03:04:05.678Z"


def test_numbered(lines: Any) -> None:
    """Each line of one of several processes has the number of the process."""
    number_lines(2)
    LOGGER.info("worker started", extra={"fields": {"queues": ["q"]}})
    LOGGER.info("stopping")

    reported = lines()

    for handler in LOGGER.handlers:
        handler.filters.clear()
    assert [(line["message"], line["process"], line.get("queues")) for line in reported] == [
        ("worker started", 2, ["q"]),
        ("stopping", 2, None),
    ]


@pytest.fixture
def traced() -> Iterator[None]:
    """What libraries for tracing do: each record gets an attribute when it is made."""
    before = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.trace_id = "t1"
        return record

    logging.setLogRecordFactory(make)
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.usefixtures("traced")
def test_records_of_a_factory(lines: Any) -> None:
    """Lines about messages and batches are made by it too, so that filters and formats find what it adds."""
    found: list[tuple[str, str]] = []

    def read(record: logging.LogRecord) -> bool:
        found.append((record.getMessage(), getattr(record, "trace_id", "")))
        return True

    LOGGER.handlers[0].addFilter(read)

    log_results([Result("m1", "q", Outcome("rejected"))])
    log_batch(Summary("q", {"rejected": 1}, 0.5), "c0ffee")

    assert found == [("message rejected", "t1"), ("batch done", "t1")]
    assert [line["message"] for line in lines()] == ["message rejected", "batch done"]


def test_records_as_logging_makes_them(lines: Any) -> None:
    """Handlers and formats of an application find all that a record has, in each line."""
    made: list[dict[str, Any]] = []

    def read(record: logging.LogRecord) -> bool:
        made.append(dict(vars(record)))
        return True

    LOGGER.handlers[0].addFilter(read)
    expected = vars(LOGGER.makeRecord("router", logging.ERROR, "", 0, "message rejected", (), None))

    log_results([Result(name, "q", Outcome("rejected")) for name in ("m1", "m2")])

    assert (
        [fields.pop("fields")["message_id"] for fields in made]
        == ["m1", "m2"]
        == [line["message_id"] for line in lines()]
    )
    for record in made:
        created, since_start = record["created"], record["relativeCreated"]
        assert 0 <= created - expected["created"] < 60
        assert since_start - expected["relativeCreated"] == pytest.approx(1000 * (created - expected["created"]), abs=1)
        assert record["msecs"] == int(created % 1 * 1000)
        own = ("created", "msecs", "relativeCreated")
        assert {key: record[key] for key in record if key not in own} == {
            key: expected[key] for key in expected if key not in own
        }


def test_names_of_threads(lines: Any) -> None:
    """The name of the thread that logs, even if another had its number before."""
    names: list[str] = []

    def read(record: logging.LogRecord) -> bool:
        names.append(record.threadName or "")
        return True

    LOGGER.handlers[0].addFilter(read)
    for name in ("first", "second"):
        thread = Thread(target=log_results, args=([Result("m1", "q", Outcome("retry"))],), name=name)
        thread.start()
        thread.join()

    assert names == ["first", "second"]
    assert len(lines()) == 2


@pytest.mark.parametrize("masked", ["", "a\x1bb"])
def test_control_characters(lines: Any, monkeypatch: pytest.MonkeyPatch, masked: str) -> None:
    """No character moves the cursor of a terminal: neither one of ASCII, nor one of what stands for a secret."""
    written = SecretValues()
    written.add("a secret", masked)
    monkeypatch.setattr("router.runtime.deliver.telemetry.WRITTEN", written)
    characters = "".join(map(chr, range(256))) + "\u202e"
    for reason in (*characters, characters, "a secret"):
        log_results([Result("m1", "q", Outcome("rejected", reason=reason))])

    read = lines()

    assert [line["reason"] for line in read] == [*characters, characters, masked]


def test_what_each_line_has(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash of the config and the id of the request, once they are known; a line's own field counts more."""
    monkeypatch.setitem(LINE_FIELDS, "config", "c0ffee")
    monkeypatch.setitem(LINE_FIELDS, "aws_request_id", "id")
    LOGGER.info("once")
    log_batch(Summary("q", {"retry": 1}, 0.5), "a1b2c3")

    assert [(line["config"], line["aws_request_id"]) for line in lines()] == [("c0ffee", "id"), ("a1b2c3", "id")]


@pytest.mark.parametrize(
    ("name", "level", "marked"),
    [
        ("", "INFO", None),
        ("TRACE", "DEBUG", None),
        ("INFO", "INFO", None),
        ("WARN", "WARNING", "WARN"),
        ("FATAL", "CRITICAL", "FATAL"),
        ("no level", "INFO", "no level"),
    ],
)
def test_the_level_of_lambda(monkeypatch: pytest.MonkeyPatch, name: str, level: str, marked: str | None) -> None:
    """The lines have it; Lambda passes the metrics on at each."""
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", name)

    line = json.loads(embedded(Summary("q", {"written": 1}, 0.5)))

    assert logging.getLevelName(level_for_lambda({"AWS_LAMBDA_LOG_LEVEL": name})) == level
    assert (line.get("level"), "timestamp" in line) == (marked, marked is not None)
