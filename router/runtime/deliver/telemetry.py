"""Logs and metrics of batches, with the same names in Lambda and in the worker.

A line of JSON is logged for each message that is not written, and one for each batch.

Metrics have the format of Prometheus in the worker, and CloudWatch's embedded metric format in
Lambda:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import logging
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import compress, pairwise
from operator import attrgetter, methodcaller

import msgspec

from router.model import OutcomeKind, Result, Summary, __version__, iso_ms
from router.runtime.config.secret_values import WRITTEN
from router.runtime.deliver.metrics import (
    AGE,
    AGES,
    CAUSE,
    CODE,
    CONFIGURATION_ERRORS,
    DEAD_LETTERS,
    KINDS,
    METRICS,
    NAMESPACE,
    OUTCOMES,
    POSTPONED,
    QUEUE,
    RETRIES,
    ROUTE,
    SERVICE,
    SPANS_DROPPED,
    TABLE,
    WRITE_CALLS,
    WRITE_UNITS,
    cause_of,
    of_kind,
    of_route,
)
from router.runtime.deliver.visibility import Delivered
from router.runtime.printable import printable_json

Env = Mapping[str, str]
"""The environment variables of the process."""
Line = dict[str, object]
"""The fields of a line of JSON."""
MakeRecord = Callable[[Line], logging.LogRecord]
"""Makes the record of a line from its fields."""
LOGGER = logging.getLogger("router")
_LEVELS = {
    "rejected": logging.ERROR,
    "retry": logging.WARNING,
    "dropped": logging.INFO,
    "duplicate": logging.INFO,
    "stale": logging.INFO,
    "written": logging.INFO,
}


LINE_FIELDS: Line = {"version": __version__}
"""The fields of each line: the version, the hash of the config and, in Lambda, the id of the request.

Whoever loads a config or begins an invocation sets them.
"""
LEVEL_VARIABLE = "AWS_LAMBDA_LOG_LEVEL"
"""The environment variable with the level that a function is set to have in its log."""
_DELETE = "\x7f"
_LEVELS_OF_LAMBDA = {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL"}
"""The levels of Lambda that have another name here."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON, with the names that Lambda's own lines have.

    It has the time, level, message, LINE_FIELDS, and the fields of `extra={"fields": …}`. No line has
    the value of a variable that holds a secret.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: Line = {
            "timestamp": iso_ms(int(record.created * 1000)),
            "level": record.levelname,
            "message": record.getMessage(),
            **LINE_FIELDS,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # Only the type: the text of an exception may contain a value of a message.
            line["errorType"] = record.exc_info[0].__name__
        encoded = msgspec.json.encode(line).decode()
        text = WRITTEN.mask(encoded)
        # JSON escapes all control characters of ASCII but this one. `isprintable` looks at each
        # character, which would be a fifth of the time of a line.
        if text is encoded and text.isascii() and _DELETE not in text:
            return text
        return printable_json(text)


def level_for_lambda(env: Env) -> int:
    """Return the level that the function is set to have in its log; by default INFO.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    name = env.get(LEVEL_VARIABLE, "").upper()
    return logging.getLevelNamesMapping().get(_LEVELS_OF_LAMBDA.get(name, name), logging.INFO)


def set_up_logging(handler: logging.Handler | None = None, level: int = logging.INFO) -> None:
    """Write the lines of the router, and only those, by a handler.

    By default they are written to standard error at once, as Lambda needs it. After an invocation
    the process is frozen, perhaps for ever: lines that wait to be written would be lost.
    """
    handler = handler or logging.StreamHandler()
    handler.setFormatter(JsonLines())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def number_lines(process: int) -> None:
    """Add the number of the process to each line from now on."""

    def add(record: logging.LogRecord) -> bool:
        record.fields = {**getattr(record, "fields", {}), "process": process}
        return True

    # Not a filter of the logger, which lines of its children would not pass.
    for handler in LOGGER.handlers:
        handler.addFilter(add)


def log_results(results: Iterable[Result]) -> None:
    """Log the outcomes of messages, each in a line of its own but of those that were written without a conflict."""
    makers: dict[OutcomeKind, MakeRecord | None] = {}
    for result in results:
        kind = result.outcome.kind
        if kind == "written" and not result.outcome.conflict:
            continue
        if kind not in makers:
            makers[kind] = _record_maker(kind)
        make = makers[kind]
        if make is not None:
            LOGGER.handle(make(_fields_of(result)))


def _record_maker(kind: OutcomeKind) -> MakeRecord | None:
    """Return what makes the records of outcomes that are logged now, one right after another.

    What `logging` looks up for a record, such as the names of the thread and the process, is the
    same for all of them. It is most of what a record costs: it is looked up once. Return None if
    the outcomes are not logged.
    """
    level = _LEVELS[kind]
    if not LOGGER.isEnabledFor(level):
        return None
    make_record = partial(_make_record, level, f"message {kind}")
    if logging.getLogRecordFactory() is not logging.LogRecord:
        # What a plugin or an application has set may note something for each record.
        return make_record
    first = make_record({})
    shared = vars(first)
    started = first.created - first.relativeCreated / 1000

    def make(fields: Line) -> logging.LogRecord:
        created = time.time()
        own = shared.copy()
        own["created"] = created
        own["msecs"] = created % 1 * 1000 // 1
        own["relativeCreated"] = (created - started) * 1000
        own["fields"] = fields
        record = logging.LogRecord.__new__(logging.LogRecord)
        record.__dict__ = own
        return record

    return make


def _fields_of(result: Result) -> Line:
    outcome = result.outcome
    fields: Line = {
        "outcome": outcome.kind,
        "code": outcome.code,
        "reason": outcome.reason,
        "queue": result.queue,
        "route": outcome.route,
        "pointer": outcome.pointer,
        "message_id": result.message_id,
        "conflict": outcome.conflict,
        "receive_count": result.receive_count,
        "sender_id": result.sender_id,
    }
    if result.sent_at is not None:
        fields["age_seconds"] = round(time.time() - result.sent_at / 1000, 3)
    if outcome.kind == "retry":
        fields["cause"] = cause_of(outcome)
    return fields


def log_batch(summary: Summary, config: str) -> None:
    """Log the summary of a batch; `config` is the hash of the running config."""
    log(
        logging.INFO,
        "batch done",
        service=service_name(),
        queue=summary.queue,
        counts=summary.counts,
        conflicts=summary.conflicts,
        configuration_errors=summary.configuration_errors,
        malformed_failures=summary.malformed_failures,
        seconds=round(summary.seconds, 6),
        write_calls=summary.write_calls,
        config=config,
    )


def log(level: int, message: str, /, **fields: object) -> None:
    """Log a line with fields as `LOGGER.log` does, without looking for the caller."""
    if LOGGER.isEnabledFor(level):
        LOGGER.handle(_make_record(level, message, fields))


def _make_record(level: int, message: str, fields: Line) -> logging.LogRecord:
    extra = {"fields": fields}
    return LOGGER.makeRecord(LOGGER.name, level, "", 0, message, (), None, extra=extra)


SERVICE_VARIABLE = "ROUTER_SERVICE"
"""The environment variable that names the service.

Stages in one account have metrics of their own with it.
"""
_OF_KINDS = {kind: of_kind(kind) for kind in KINDS}
_TIME_DIGITS = 13
"""Those of a time of SQS, in milliseconds since 1970, until the year 2286."""
_SENT_AT = methodcaller("get", "SentTimestamp", "")
ATTRIBUTES_OF = attrgetter("record.attributes")
_AGES = (*AGES, AGES[-1])
"""The ages that stand for the buckets in CloudWatch: their bounds."""
Meter = Callable[[Summary], None]
"""Called for each batch."""


def service_name(env: Env = os.environ) -> str:
    """Return ROUTER_SERVICE of the environment.

    Without it, return the name of the Lambda function, else `message-router`.
    """
    return env.get(SERVICE_VARIABLE) or env.get("AWS_LAMBDA_FUNCTION_NAME") or "message-router"


def measure_ages(written: Iterable[Delivered], now_ms: int) -> tuple[tuple[int, ...], float]:
    """Return how many messages were written at an age of each bucket, and the sum of the ages.

    Each message comes through here, but no instruction of Python's: SQS writes times as texts of 13
    digits, which have their order, and are sorted and compared as texts.
    """
    sent = sorted(map(_SENT_AT, map(ATTRIBUTES_OF, written)))
    joined = "".join(sent)
    if len(joined) != _TIME_DIGITS * len(sent) or not joined.isdecimal():
        # Not of SQS, as in an event that somebody wrote: those that are no time are not counted.
        sent = [each for each in sent if len(each) == _TIME_DIGITS and each.isdecimal()]
    count = len(sent)
    younger = [count - bisect_left(sent, str(now_ms - int(age * 1000))) for age in AGES]
    buckets = [each - before for before, each in pairwise((0, *younger, count))]
    seconds = (count * now_ms - sum(map(int, sent))) / 1000
    return tuple(buckets), seconds


def measure(summary: Summary) -> dict[str, float]:
    """Return what a batch adds to each metric of its queue; zeros are left out."""
    values: dict[str, float] = {}
    for kind, number in summary.counts.items():
        values[_OF_KINDS[kind]] = number
    values["router_batches_total"] = 1
    values["router_batch_seconds_total"] = round(summary.seconds, 6)
    if summary.write_calls:
        values[WRITE_CALLS] = summary.write_calls
    if summary.conflicts:
        values["router_conflicts_total"] = summary.conflicts
    if summary.configuration_errors:
        values[CONFIGURATION_ERRORS] = summary.configuration_errors
    if summary.malformed_failures:
        values["router_malformed_failures_total"] = summary.malformed_failures
    return values


def embedded(summary: Summary) -> str:
    """Return the lines of a batch in CloudWatch's embedded metric format.

    One has the metrics of the queue. A code, a cause, a table and a route each have a line of their
    own.
    """
    values: Line = {**measure(summary)}
    if any(summary.ages):
        # Empty buckets are left out.
        values[AGE] = {
            "Values": [*compress(_AGES, summary.ages)],
            "Counts": [*filter(None, summary.ages)],
        }
    queue = {QUEUE: summary.queue}
    # For one alarm on all queues. It cannot name those that the config does not know.
    alone = [CONFIGURATION_ERRORS] if summary.configuration_errors else []
    lines = [_line(queue, values, alone)]
    for code, number in summary.codes.items():
        of_code: Line = {OUTCOMES: number}
        if code in summary.dead_letters:
            of_code[DEAD_LETTERS] = summary.dead_letters[code]
        lines.append(_line(queue | {CODE: code}, of_code))
    for cause, number in summary.retries.items():
        lines.append(_line(queue | {CAUSE: cause}, {RETRIES: number}))
    for table, units in summary.write_units.items():
        lines.append(_line({TABLE: table}, {WRITE_UNITS: round(units, 3)}))
    for (route, table), counts in summary.routes.items():
        of_kinds: Line = {of_route(kind): number for kind, number in counts.items()}
        lines.append(_line(queue | {ROUTE: route, TABLE: table}, of_kinds))
    return "\n".join(lines)


def _line(labels: Mapping[str, str], values: Line, alone: Sequence[str] = ()) -> str:
    return msgspec.json.encode(embedded_fields(labels, values, alone)).decode()


def embedded_fields(labels: Mapping[str, str], values: Line, alone: Sequence[str] = ()) -> Line:
    """Return a line with metrics; `alone` are those that are measured by service alone, too."""
    if _OF_KINDS["retry"] in values:
        # So that the share of retries can be computed where nothing is written.
        values.setdefault(_OF_KINDS["written"], 0)
    directives = [_directive([SERVICE, *labels], values)]
    if alone:
        directives.append(_directive([SERVICE], alone))
    now = int(time.time() * 1000)
    return {
        "_aws": {"Timestamp": now, "CloudWatchMetrics": directives},
        **_passing(now),
        SERVICE: service_name(),
        **labels,
        **values,
    }


def _passing(now_ms: int) -> Mapping[str, object]:
    """Return the fields with which Lambda passes a line on, whatever the level of the log.

    It takes a line without a level and a time for one of INFO:
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    level = os.environ.get(LEVEL_VARIABLE, "")
    if level in ("", "TRACE", "DEBUG", "INFO"):
        return {}
    return {"level": level, "timestamp": iso_ms(now_ms)}


def _directive(dimensions: list[str], metrics: Iterable[str]) -> Line:
    return {
        "Namespace": NAMESPACE,
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": METRICS[name].unit} for name in metrics],
    }


def print_embedded(summary: Summary) -> None:
    """Print a batch's lines: CloudWatch reads the standard output of a Lambda function."""
    print(embedded(summary), flush=True)  # noqa: T201 — for CloudWatch


def print_dropped_spans(queue: str, number: int) -> None:
    """Print that spans of a queue's batches were not sent."""
    print(_line({QUEUE: queue}, {SPANS_DROPPED: number}), flush=True)  # noqa: T201 — for CloudWatch


def report_postponed(queue: str, count: int, in_flight: int) -> None:
    """Log and measure the messages of a queue that were postponed in an outage."""
    log(logging.WARNING, "messages are postponed", queue=queue, count=count, in_flight=in_flight)
    print(_line({QUEUE: queue}, {POSTPONED: count}), flush=True)  # noqa: T201 — for CloudWatch


def ignore(summary: Summary) -> None:
    """Measure nothing."""
