"""The source `ttl`: seconds since 1970 for DynamoDB's time to live, counted from a time of the message."""

from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, field

from router.model import Message
from router.runtime.config_types import Duration, Expression, Spec, parse_duration
from router.runtime.conversions import seconds_of
from router.runtime.sources import (
    AttributeCompiler,
    AttributeSource,
    Computed,
    ExpressionUse,
    Lookup,
)

MAX_EPOCH_SECONDS = 99_999_999_999
"""The year 5138; a greater number is milliseconds, which DynamoDB's time to live would take for a far future."""


class TtlAfter(Spec, frozen=True):
    """A time to live counted from a time in the message."""

    from_: Annotated[
        Expression,
        Meta(description="A time: ISO 8601 text with an offset or `Z`, or seconds since 1970."),
    ] = field(name="from")
    after: Annotated[Duration, Meta(description="How long after it: `90d`; units s, m, h, d, w.")]


def epoch_seconds(value: Any) -> int:
    """Return whole seconds since 1970 of ISO 8601 text with an offset, or of a number of seconds; raises ValueError."""
    if isinstance(value, str):
        return seconds_of(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("is no time")
    if not 0 <= value <= MAX_EPOCH_SECONDS:
        raise ValueError("is no time in seconds since 1970; milliseconds are not taken")
    return int(value)


def _compile(ttl: str | TtlAfter, compiler: AttributeCompiler) -> Lookup | None:
    if isinstance(ttl, str):
        after_sending = parse_duration(ttl)

        def get_from_sending(data: Any, message: Message) -> int | None:
            sent_at = message.epoch_ms("sent_at")
            return None if sent_at is None else sent_at // 1000 + after_sending

        return Lookup(get_from_sending)
    compiled = compiler.expression(ttl.from_, ("ttl", "from"))
    if compiled is None:
        return None
    evaluate = compiled.evaluate
    seconds = parse_duration(ttl.after)

    def get(data: Any, message: Message) -> int | None:
        value = evaluate(data)
        return None if value is None else epoch_seconds(value) + seconds

    return Lookup(get, compiled.pointer)


def _expressions(ttl: Any) -> list[ExpressionUse]:
    return (
        []
        if isinstance(ttl, str)
        else [ExpressionUse(("ttl", "from"), ttl["from"], ("string", "number"), True)]
    )


SOURCE = AttributeSource(
    key="ttl",
    spec=Annotated[
        Duration | TtlAfter,
        Meta(
            description="Seconds since 1970, this long after the message was sent.",
            examples=["90d"],
        ),
    ],
    compile=_compile,
    expressions=_expressions,
    meta=lambda ttl: ("sent_at",) if isinstance(ttl, str) else (),
    values=lambda ttl, fifo, type_: Computed(
        "number", expressions=() if isinstance(ttl, str) else (ttl.from_,)
    ),
    section=(TtlAfter, "Time to live from a time in the message"),
)
