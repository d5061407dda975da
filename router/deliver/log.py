"""Log lines: a JSON object for each message that is not written, and one for each batch."""

import logging
import sys
from typing import Any

import msgspec

from router.model import Result, Summary, iso_ms

LOGGER = logging.getLogger("router")
_LEVELS = {
    "rejected": logging.ERROR,
    "retry": logging.WARNING,
    "dropped": logging.INFO,
    "duplicate": logging.INFO,
    "stale": logging.INFO,
}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, message, and the fields of `extra={"fields": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": iso_ms(int(record.created * 1000)),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # Only the type: the text of an exception may contain a value of a message.
            line["exception"] = record.exc_info[0].__name__
        return msgspec.json.encode(line).decode()


def set_up_logging(level: int = logging.INFO) -> None:
    """Write the lines of the router, and only those, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def number_lines(process: int) -> None:
    """Add the number of the process to each line from now on."""

    def add(record: logging.LogRecord) -> bool:
        record.fields = {**getattr(record, "fields", {}), "process": process}
        return True

    LOGGER.addFilter(add)


def log_result(result: Result) -> None:
    """Log the outcome of a message, unless it was written."""
    level = _LEVELS.get(result.outcome.kind)
    if level is None:
        return
    outcome = result.outcome
    fields = {
        "outcome": outcome.kind,
        "code": outcome.code,
        "reason": outcome.reason,
        "queue": result.queue,
        "route": outcome.route,
        "pointer": outcome.pointer,
        "message_id": result.message_id,
        "conflict": outcome.conflict,
        "receive_count": result.receive_count,
    }
    LOGGER.log(level, "message %s", outcome.kind, extra={"fields": fields})


def log_batch(summary: Summary) -> None:
    """Log the summary of a batch."""
    fields: dict[str, Any] = {
        "queue": summary.queue,
        "counts": summary.counts,
        "conflicts": summary.conflicts,
        "setup_faults": summary.setup_faults,
        "seconds": round(summary.seconds, 6),
    }
    LOGGER.info("batch done", extra={"fields": fields})
