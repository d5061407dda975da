"""The metrics: their names, units and labels, once for Lambda, the worker, the alarms and the docs.

A label is a dimension in CloudWatch. Besides its own labels, each metric has `service`. The values of
labels are names of the config, codes and causes, so that their number is bounded.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

from router import codes
from router.model import Outcome, OutcomeKind

Unit = Literal["Count", "Seconds"]
Kind = Literal["counter", "gauge", "histogram"]
Source = Literal["both", "function", "worker", "route", "traces"]
"""Who has a metric: function and worker, one of them, or both with `telemetry: {metrics: route}` or traces."""

NAMESPACE = "MessageRouter"
"""The CloudWatch namespace."""
METRICS_VARIABLE, CLOUDWATCH = "ROUTER_METRICS", "cloudwatch"
"""The environment variable that says where the metrics of a worker go besides `/metrics`, and a value of it."""
SERVICE = "service"
"""A dimension, in Prometheus a label: what `service_name` returns."""
QUEUE = "queue"
"""A dimension, in Prometheus a label: the queue's name in the config."""
CODE = "code"
"""A dimension, in Prometheus a label: the code of an outcome."""
CAUSE = "cause"
"""A dimension, in Prometheus a label: a `RetryCause`."""
ROUTE = "route"
"""A dimension, in Prometheus a label: the route's name in the config."""
TABLE = "table"
"""A dimension, in Prometheus a label: the table's name in the config."""

KINDS: tuple[OutcomeKind, ...] = get_args(OutcomeKind)
RetryCause = Literal[
    "throttled", "outage", "condition", "deadline", "configuration", "plugin", "disposition"
]
"""Why a message is left on its queue."""
CAUSES: Mapping[RetryCause, str] = {
    "throttled": "a table, or its `write_units`, is at its capacity",
    "outage": "a table, a bucket or a dead-letter queue fails, or does not answer",
    "condition": "another transaction writes the same item",
    "deadline": "time was up, or an earlier message of its group or item is not written",
    "configuration": "a table, queue or permission is missing, or not as the configuration says",
    "plugin": "a plugin asks to retry, or fails",
    "disposition": "the configuration says `retry`",
}
_CAUSES_OF_CODES: Mapping[str, RetryCause] = {
    codes.RETRY_LATER.id: "outage",
    codes.NO_DEAD_LETTER.id: "outage",
    codes.NOT_STARTED.id: "deadline",
    codes.UNKNOWN_QUEUE.id: "configuration",
    codes.PLUGIN_RETRY.id: "plugin",
    codes.PLUGIN_FAILED.id: "plugin",
}

AGES = (
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
    *(3600, 14_400, 43_200, 86_400, 345_600, 1_209_600),
)
"""The bounds of the buckets of ages, in seconds: the last is the longest retention of a queue."""


class Metric(Struct, frozen=True):
    """A metric: what it counts, and the labels that it has besides `service`."""

    what: str
    labels: tuple[str, ...] = (QUEUE,)
    unit: Unit = "Count"
    kind: Kind = "counter"
    source: Source = "both"


CONFIGURATION_ERRORS = "router_configuration_errors_total"
LINES_DROPPED = "router_log_lines_dropped_total"
AGE = "router_message_age_seconds"
OUTCOMES = "router_outcomes_total"
DEAD_LETTERS = "router_dead_letters_total"
RETRIES = "router_retries_total"
POSTPONED = "router_postponed_total"
WRITE_CALLS = "router_write_calls_total"
WRITE_UNITS = "router_write_units_total"
RECEIVES = "router_receives_total"
PAUSES = "router_pauses_total"
IN_FLIGHT = "router_messages_in_flight"
SPANS_DROPPED = "router_spans_dropped_total"


def of_kind(kind: str) -> str:
    """Return the metric of messages with an outcome."""
    return f"router_messages_{kind}_total"


def of_route(kind: str) -> str:
    """Return the metric of messages of a route with an outcome."""
    return f"router_route_{kind}_total"


METRICS: Mapping[str, Metric] = {
    **{of_kind(kind): Metric(f"Messages with the outcome `{kind}`.") for kind in KINDS},
    "router_conflicts_total": Metric(
        "Messages that are acknowledged though a write of theirs found other content stored."
    ),
    CONFIGURATION_ERRORS: Metric(
        "Messages that met a configuration error (RT816, RT817), or whose dead-letter queue has one "
        "(RT818): alarm on any."
    ),
    "router_malformed_failures_total": Metric(
        "Messages whose attribute `router` was ignored: it does not describe a dead letter."
    ),
    AGE: Metric(
        "The age of a message when it was written, from when it was sent.",
        unit="Seconds",
        kind="histogram",
    ),
    "router_batches_total": Metric(
        "Batches. The messages of all outcomes by the batches are the fill of a batch."
    ),
    "router_batch_seconds_total": Metric("Total wall-clock time of the batches.", unit="Seconds"),
    WRITE_CALLS: Metric("Calls that write to DynamoDB, retries included."),
    OUTCOMES: Metric("Messages that are not `written`, by code.", (QUEUE, CODE)),
    DEAD_LETTERS: Metric("Dead letters that were sent, by code.", (QUEUE, CODE)),
    RETRIES: Metric("Messages that ended as `retry`, by cause.", (QUEUE, CAUSE)),
    POSTPONED: Metric(
        "Messages of which a copy was sent to their queue with a delay, as they met an outage while "
        "many were in flight.",
        source="function",
    ),
    WRITE_UNITS: Metric(
        "Write units that DynamoDB says were consumed, of a transaction for its first table: of "
        "tables with `write_units`, with `metrics: route` of all.",
        (TABLE,),
    ),
    RECEIVES: Metric("Calls of ReceiveMessage, those without a message included.", source="worker"),
    PAUSES: Metric("Pauses, as a queue or its tables failed or were throttled.", source="worker"),
    IN_FLIGHT: Metric("Messages that are worked on.", kind="gauge", source="worker"),
    **{
        of_route(kind): Metric(
            f"Messages of a route with the outcome `{kind}`.", (QUEUE, ROUTE, TABLE), source="route"
        )
        for kind in KINDS
    },
    SPANS_DROPPED: Metric(
        "Spans that were not sent: the endpoint fails, or time was up.", source="traces"
    ),
    LINES_DROPPED: Metric(
        "Lines that a worker could not log because nobody read its log; `queue` is empty.",
        source="worker",
    ),
}
"""Each metric by its name."""


def cause_of(outcome: Outcome) -> str:
    """Return the cause of a retry."""
    if outcome.configuration_error:
        return "configuration"
    return outcome.cause or _CAUSES_OF_CODES.get(outcome.code, "disposition")
