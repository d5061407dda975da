"""The outcomes of messages for which nothing is written: rejections, dispositions, and what plugins raise."""

from collections.abc import Mapping
from typing import Protocol

from router import codes
from router.errors import Drop, PluginError, Reject, Rejection, Retry, Signal
from router.model import Code, Outcome, OutcomeKind, Record
from router.runtime.engine.identity import FailedMessage

Disposition = str
"""`dead_letter`, `drop` or `retry`; the default: docs/decisions/2026-11-25-dead-letter-by-default.md"""


def rejected(rejection: Rejection, route: str = "", subject: str = "") -> Outcome:
    """Return the outcome of a rejection, whose reason is about the `subject`."""
    return Outcome(
        "rejected", rejection.code.id, subject + rejection.reason, route, rejection.pointer
    )


_DISPOSED: Mapping[Disposition, OutcomeKind] = {
    "dead_letter": "rejected",
    "drop": "dropped",
    "retry": "retry",
}


def disposed(
    disposition: Disposition, code: Code, reason: str, route: str = "", pointer: str = ""
) -> Outcome:
    """Return the outcome that `dead_letter`, `drop` or `retry` of the config stands for."""
    return Outcome(_DISPOSED[disposition], code.id, reason, route, pointer)


def failed(error: BaseException, route: str = "") -> Outcome:
    """Return the outcome of an exception that plugin code raised; raises KeyboardInterrupt, which ends a command."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    if isinstance(error, Signal) and (malformed := _malformed(error)):
        reason = f"a plugin raised {type(error).__name__} with {malformed}"
        return Outcome("retry", codes.PLUGIN_FAILED.id, reason, route)
    match error:
        case Drop():
            return Outcome(
                "dropped", codes.DROPPED.id, error.reason or "dropped by a plugin", route
            )
        case Reject():
            return Outcome(
                "rejected", codes.PLUGIN_REJECTED.id, error.reason or "rejected by a plugin", route
            )
        case Retry():
            return Outcome(
                "retry",
                codes.PLUGIN_RETRY.id,
                error.reason or "a plugin asks to retry",
                route,
                delay=error.delay,
            )
        case PluginError():
            return Outcome("retry", codes.PLUGIN_FAILED.id, str(error), route)
        case _:
            return Outcome(
                "retry", codes.PLUGIN_FAILED.id, f"unexpected {type(error).__name__}", route
            )


def _malformed(signal: Signal) -> str:
    """Return what is wrong with the arguments of a signal; an outcome with them could not be logged or sent."""
    try:
        signal.reason.encode()
    except (AttributeError, UnicodeEncodeError):
        return "a reason that is not text"
    delay = signal.delay if isinstance(signal, Retry) else None
    if delay is not None and not (isinstance(delay, int | float) and 0 <= delay < float("inf")):
        return "a delay that is not a number of seconds"
    return ""


class Redactor(Protocol):
    """Redacts what `redact` of a queue names."""

    @property
    def names(self) -> frozenset[str]:
        """All that is redacted, as dead letters name it."""

    def redact(self, record: Record, *, whole: bool = False) -> tuple[Record, tuple[str, ...]]:
        """Return a redacted record, and the names of what is redacted in it.

        With `whole`, its body is redacted as a whole.
        """

    def redact_failure(self, record: Record, failed: FailedMessage) -> FailedMessage:
        """Return a failure of a record without the ids that may have a redacted value."""

    def redact_reason(self, record: Record, outcome: Outcome) -> Outcome:
        """Return the outcome of a record with a reason that has no part of a redacted value."""
