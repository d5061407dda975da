"""What runs: how much is on each queue and how old it is, what receives from it, and whether that is paused.

Only reads, but for a probe that is requested. The states and the metrics:
https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from msgspec import Struct, structs

from router.runtime.aws.causes import in_words
from router.runtime.aws.protocols import Aws, AwsFault
from router.runtime.aws.references import is_fifo, queue_name, table_name
from router.runtime.aws.sqs import redrive_target
from router.runtime.deliver.metrics import (
    CAUSE,
    CAUSES,
    NAMESPACE,
    POSTPONED,
    QUEUE,
    RETRIES,
    ROUTE,
    SERVICE,
    TABLE,
    of_kind,
    of_route,
)
from router.runtime.deliver.telemetry import SERVICE_VARIABLE
from router.runtime.engine.engine import CompiledQueue
from router.runtime.program.load import Program
from router.tools.control_plane.clients import (
    DELAYED,
    IN_FLIGHT,
    WAITING,
    AwsCallError,
    ServiceClient,
    Services,
    connect_invoker,
)
from router.tools.control_plane.deployed import (
    READING,
    DeployedFunction,
    DeployedMapping,
    Unanswered,
    function_name,
)
from router.tools.control_plane.live import Live
from router.tools.deploy.probe import ANSWER_SECONDS, probe_function

_INVOCATIONS, _ERRORS = "Invocations", "Errors"
"""Metrics of a function: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
_CALLS = 8
"""Calls at a time."""
_SECONDS = 60.0
MINUTES = 15
"""CloudWatch has the age of a queue's oldest message for each minute, some minutes late."""
DOLLARS_A_MILLION_UNITS = 0.625
"""On demand, in most regions: https://aws.amazon.com/dynamodb/pricing/on-demand/"""
SINCE_HOURS, SINCE_PERIOD = 24, 300
"""How far back the beginning of retries is looked for, and in periods of how many seconds."""
HIDDEN_MINUTES = 60
"""A message that fails again and again is hidden for up to half an hour: its last try is within so many minutes."""
_QUERIES = 500
"""Of one GetMetricData: AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""


_Label = tuple[str, str]
"""What a metric counts: the name of a dimension and its value, such as a cause."""
_Metric = Mapping[str, Any]
"""A metric as CloudWatch names it."""
_Key = TypeVar("_Key")


class ReceivingFunction(Struct, frozen=True):
    """A function that an event source mapping of a queue calls; `paused` says why it is not called now, or ""."""

    function: str
    state: str
    paused: str = ""


RECEIVERS = "what receives from it"
"""How the reason begins why the receivers of a queue are not known."""


class QueueStatus(Struct, frozen=True):
    """A queue that routes read: how many messages wait, are in flight, are delayed, and are dead letters.

    `oldest_seconds` is the age of its oldest message, `codes` has the numbers of dead letters by code. What is None is
    not known, and `unknown` says why.
    """

    queue: str
    name: str
    waiting: int | None = None
    in_flight: int | None = None
    delayed: int | None = None
    oldest_seconds: int | None = None
    dead_letter_queue: str = ""
    dead_letters: int | None = None
    codes: Mapping[str, int] | None = None
    receivers: tuple[ReceivingFunction, ...] = ()
    unknown: tuple[str, ...] = ()
    retries: Mapping[str, int] = {}
    """The messages that were left on it in the last `retries_minutes`, by cause, as its function counts them."""
    retries_minutes: int = MINUTES
    """More if there were none in the last 15, and messages are in flight: these wait for their next try."""
    postponed: int = 0
    """Those of which a copy was sent to the queue with a delay, since many were in flight."""
    failing_routes: Mapping[str, int] = {}
    """These by route, if the config measures routes."""
    retried_since: str = ""
    """Since when each five minutes have had such a message."""
    senders: Mapping[str, int] | None = None
    """The dead letters that were looked at, by sender."""
    letters_kept_seconds: int = 0
    """How long its dead-letter queue keeps a message."""
    letters_end: str = ""
    """When SQS deletes the first of the dead letters that were looked at, in words."""

    @property
    def knows_receivers(self) -> bool:
        """Whether `receivers` are all that there are."""
        return self.waiting is not None and not any(
            each.startswith(RECEIVERS) for each in self.unknown
        )

    @property
    def paused(self) -> str:
        """Why no function receives from it, or ""; "" too if no function is to."""
        reasons = [each.paused for each in self.receivers]
        return "; ".join(dict.fromkeys(reasons)) if all(reasons) else ""


class TableStatus(Struct, frozen=True):
    """A table: its writes that were throttled, and the write units consumed, in the last 15 minutes; None is not known.

    `dollars_an_hour` is what these units would cost on demand.
    """

    table: str
    throttled: int | None
    write_units: int | None = None

    @property
    def dollars_an_hour(self) -> float | None:
        """What the writes cost, if they go on so."""
        if self.write_units is None:
            return None
        return round(self.write_units * 60 / MINUTES / 1e6 * DOLLARS_A_MILLION_UNITS, 4)


class FunctionStatus(Struct, frozen=True):
    """A function that receives from queues. Counts are of the last 15 minutes, and None if they are not known."""

    function: str
    invocations: int | None = None
    failed: int | None = None
    """The invocations that failed: the handler cannot start, is ended, or gets something else than messages of SQS."""
    failure: str = ""
    """What a probe showed; "" if it showed nothing wrong, or there was none."""
    changed: str = ""
    """When its code or a setting was changed, ISO 8601."""


class StatusReader:
    """Reads the status of a config's queues and tables."""

    def __init__(self, aws: Aws, live: Live, services: Services) -> None:
        self._aws, self._live = aws, live
        self._sqs, self._cloudwatch = services["sqs"], services["cloudwatch"]
        self._function = cache(live.function)

    def queues(self, program: Program) -> list[QueueStatus]:
        """Return the status of each queue that routes read, in the order of the config."""
        compiled = program.engine.queues.values()
        with ThreadPoolExecutor(_CALLS) as pool:
            found = list(pool.map(self._queue, compiled))
        ages, why = self._ages([each.name for each in found])
        return [
            self._with_retries(program, _with_age(each, ages.get(each.name), why)) for each in found
        ]

    def tables(self, program: Program) -> list[TableStatus]:
        """Return the status of each table."""
        dimensions: dict[_Label, Mapping[str, str]] = {}
        for name, table in program.config.tables.items():
            of_table = {"TableName": table_name(table.name or name)}
            dimensions[name, ""] = of_table
            # CloudWatch has the metrics of an index apart from those of its table.
            for index in table.indexes:
                dimensions[name, index] = of_table | {"GlobalSecondaryIndexName": index}
        throttled = self._sums("WriteThrottleEvents", dimensions)
        units = self._sums("ConsumedWriteCapacityUnits", dimensions)
        return [
            TableStatus(name, throttled.get(name), units.get(name))
            for name in program.config.tables
        ]

    def _sums(self, metric: str, dimensions: Mapping[_Label, Mapping[str, str]]) -> dict[str, int]:
        """Return the sum of a metric by table, of tables and their indexes; none if it is not known."""
        metrics = {key: _metric("AWS/DynamoDB", metric, each) for key, each in dimensions.items()}
        total = Counter[str]()
        try:
            for (table, _), count in self._counts(metrics, MINUTES).items():
                total[table] += count
        except AwsCallError:
            return {}
        return total

    def functions(self, names: Iterable[str], *, probed: bool) -> list[FunctionStatus]:
        """Return the status of functions, by their names with an alias; with `probed`, invoke them without records."""
        distinct = list(dict.fromkeys(names))
        metrics = {
            (metric, name): _metric("AWS/Lambda", metric, _dimensions(name))
            for metric in (_INVOCATIONS, _ERRORS)
            for name in distinct
        }
        try:
            counted = self._counts(metrics, MINUTES)
        except AwsCallError:
            # What is not known stays None.
            counted = {}
        return [
            FunctionStatus(
                name,
                counted.get((_INVOCATIONS, name)),
                counted.get((_ERRORS, name)),
                self._probe(name) if probed else "",
                self._changed(name),
            )
            for name in distinct
        ]

    def _changed(self, name: str) -> str:
        function = self._function(name)
        if not isinstance(function, DeployedFunction) or not function.modified:
            return ""
        return _iso(datetime.fromisoformat(function.modified))

    def _with_retries(self, program: Program, status: QueueStatus) -> QueueStatus:
        """Return a status with what its function counts of messages that are left on the queue."""
        named = program.config.function.environment.get(SERVICE_VARIABLE)
        functions = [each.function.partition(":")[0] for each in status.receivers]
        if not functions:
            return status
        own = {SERVICE: named or functions[0], QUEUE: status.queue}
        retried = _metric(NAMESPACE, of_kind("retry"), own)
        # A route may have the name of a cause.
        metrics = {(POSTPONED, ""): _metric(NAMESPACE, POSTPONED, own)}
        for cause in CAUSES:
            metrics[CAUSE, cause] = _metric(NAMESPACE, RETRIES, own | {CAUSE: cause})
        for each in program.engine.queues[status.queue].routes if program.counts_routes else ():
            dimensions = own | {ROUTE: each.route.name, TABLE: each.route.table}
            metrics[ROUTE, each.route.name] = _metric(NAMESPACE, of_route("retry"), dimensions)
        minutes = MINUTES
        try:
            counts = self._counts(metrics, minutes)
            retries = _counts_of(CAUSE, counts)
            if status.in_flight and not retries:
                minutes = HIDDEN_MINUTES
                counts = self._counts(metrics, minutes)
                retries = _counts_of(CAUSE, counts)
            if not retries:
                return status
            since = self._began(retried, 2 * SINCE_PERIOD if minutes == MINUTES else minutes * 60)
        except AwsCallError as error:
            unknown = (*status.unknown, f"retries: {error}")
            return structs.replace(status, unknown=unknown)
        if not is_fifo(status.name):
            status = structs.replace(status, unknown=(*status.unknown, _left_out(since)))
        return structs.replace(
            status,
            retries_minutes=minutes,
            retries=retries,
            postponed=counts[POSTPONED, ""],
            failing_routes=_counts_of(ROUTE, counts),
            retried_since=since,
        )

    def _counts(self, metrics: Mapping[_Label, _Metric], minutes: int) -> dict[_Label, int]:
        """Return the sum of each metric in the last minutes."""
        found = dict.fromkeys(metrics, 0)
        for label, values in read_metrics(self._cloudwatch, metrics, "Sum", minutes):
            found[label] += int(sum(values))
        return found

    def _began(self, metric: _Metric, gap: int) -> str:
        """Return since when a metric has had values, with no more than so many seconds between them."""
        now = datetime.now(UTC)
        query = {"Metric": metric, "Period": SINCE_PERIOD, "Stat": "Sum"}
        page = self._cloudwatch.call(
            "GetMetricData",
            StartTime=now - timedelta(hours=SINCE_HOURS),
            EndTime=now,
            MetricDataQueries=[{"Id": "q0", "MetricStat": query}],
        )
        began = None
        for moment in sorted(page["MetricDataResults"][0]["Timestamps"], reverse=True):
            if began and began - moment > timedelta(seconds=gap):
                break
            began = moment
        return _iso(began) if began else ""

    def _probe(self, name: str) -> str:
        function = self._function(name)
        seconds = function.timeout if isinstance(function, DeployedFunction) else 0
        return probe_function(connect_invoker(seconds + ANSWER_SECONDS), name).failure

    def _queue(self, queue: CompiledQueue) -> QueueStatus:
        name = queue_name(queue.reference)
        attributes = self._attributes(queue.reference)
        if isinstance(attributes, str):
            return QueueStatus(
                queue.name, name, dead_letter_queue=queue.dead_letter, unknown=(attributes,)
            )
        unknown = []
        target = queue.dead_letter or redrive_target(attributes)
        letters = self._attributes(target) if target else {WAITING: "0", IN_FLIGHT: "0"}
        dead_letters = None
        kept_seconds = 0
        if isinstance(letters, str):
            unknown.append(letters)
        else:
            dead_letters = int(letters[WAITING]) + int(letters[IN_FLIGHT])
            kept_seconds = int(letters.get("MessageRetentionPeriod", 0))
        mappings = self._live.mappings(attributes["QueueArn"])
        if isinstance(mappings, Unanswered):
            unknown.append(f"{RECEIVERS}: {mappings.action}: {in_words(mappings.code)}")
            mappings = ()
        return QueueStatus(
            queue.name,
            name,
            int(attributes[WAITING]),
            int(attributes[IN_FLIGHT]),
            int(attributes[DELAYED]),
            dead_letter_queue=target,
            letters_kept_seconds=kept_seconds,
            dead_letters=dead_letters,
            receivers=tuple(map(self._receiver, mappings)),
            unknown=tuple(unknown),
        )

    def _attributes(self, reference: str) -> Mapping[str, str] | str:
        """Return the attributes of a queue, or why they are not known."""
        url = self._aws.queues.url(reference, _SECONDS)
        if isinstance(url, AwsFault):
            return f"queue {queue_name(reference)}: sqs:GetQueueUrl: {url.cause}"
        try:
            found = self._sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        except AwsCallError as error:
            return f"queue {queue_name(reference)}: {error}"
        return dict(found["Attributes"])

    def _receiver(self, mapping: DeployedMapping) -> ReceivingFunction:
        name = function_name(mapping.function)
        paused = ""
        if mapping.state in READING:
            function = self._function(mapping.function)
            if isinstance(function, DeployedFunction) and function.reserved == 0:
                # Concurrency is reserved for a function, never for an alias.
                paused = f"the reserved concurrency of {name.partition(':')[0]} is 0"
        else:
            reason = f" ({mapping.reason})" if mapping.reason else ""
            paused = f"the event source mapping to {name} is {mapping.state}{reason}"
        return ReceivingFunction(name, mapping.state, paused)

    def _ages(self, queues: Sequence[str]) -> tuple[dict[str, int], str]:
        """Return the age of the oldest message in seconds, by queue, and why there is none."""
        metrics = {
            queue: _metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": queue})
            for queue in queues
        }
        found: dict[str, int] = {}
        try:
            for queue, measured in read_metrics(self._cloudwatch, metrics, "Maximum"):
                if measured:
                    found.setdefault(queue, int(measured[0]))
        except AwsCallError as error:
            return {}, str(error)
        return found, ""


def read_metrics(
    cloudwatch: ServiceClient,
    metrics: Mapping[_Key, _Metric],
    statistic: str,
    minutes: int = MINUTES,
) -> Iterator[tuple[_Key, Sequence[float]]]:
    """Yield the key of each metric with its values of the last minutes, one for each minute, the newest first."""
    now = datetime.now(UTC)
    keys = list(metrics)
    for start in range(0, len(keys), _QUERIES):
        part = keys[start : start + _QUERIES]
        queries = []
        for index, key in enumerate(part):
            measured = {"Metric": metrics[key], "Period": 60, "Stat": statistic}
            queries.append({"Id": f"q{index}", "MetricStat": measured})
        for page in cloudwatch.pages(
            "GetMetricData",
            StartTime=now - timedelta(minutes=minutes),
            EndTime=now,
            MetricDataQueries=queries,
            ScanBy="TimestampDescending",
        ):
            for result in page["MetricDataResults"]:
                yield part[int(result["Id"][1:])], result["Values"]


def _metric(namespace: str, name: str, dimensions: Mapping[str, str]) -> _Metric:
    named = [{"Name": label, "Value": value} for label, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": named}


def _counts_of(kind: str, counts: Mapping[_Label, int]) -> dict[str, int]:
    """Return the counts of the causes or the routes, without those that are 0."""
    return {name: count for (each, name), count in counts.items() if each == kind and count}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dimensions(function: str) -> dict[str, str]:
    """Return the dimensions of a function's metrics, or of those of its alias."""
    name, has_alias, _ = function.partition(":")
    return {"FunctionName": name, "Resource": function} if has_alias else {"FunctionName": name}


def _left_out(since: str) -> str:
    """Return a sentence about the age of the oldest message of a standard queue with retries.

    See ApproximateAgeOfOldestMessage in the metrics of SQS.
    """
    return (
        "the age of messages that were received three times or more: SQS leaves them out of the oldest, and they may "
        f"be as old as the retries, since {since}"
    )


def _with_age(status: QueueStatus, age: int | None, why: str) -> QueueStatus:
    if status.waiting is None or (age is None and not status.waiting and not status.in_flight):
        return status
    if age is None:
        why = why or "CloudWatch has none of the last 15 minutes"
        sentence = f"the age of its oldest message: {why}"
        return structs.replace(status, unknown=(*status.unknown, sentence))
    return structs.replace(status, oldest_seconds=age)
