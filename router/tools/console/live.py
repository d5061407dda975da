"""What runs in AWS, for the view Routes: depth, age, dead letters, and the outcomes of messages.

It has also why messages are retried, and how old they are when they are stored.
"""

import os
import urllib.request
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.error import URLError

from msgspec import Struct

from router.runtime.aws.connect import connect
from router.runtime.deliver.metrics import (
    AGE,
    AGES,
    CAUSE,
    KINDS,
    NAMESPACE,
    QUEUE,
    RETRIES,
    ROUTE,
    SERVICE,
    of_kind,
    of_route,
)
from router.runtime.deliver.telemetry import SERVICE_VARIABLE
from router.runtime.program.load import with_bare_names
from router.tools.console.checking import Draft
from router.tools.control_plane.clients import AwsCallError, ServiceClient, connect_services
from router.tools.control_plane.live import connect as connect_live
from router.tools.deploy.status import MINUTES, QueueStatus, StatusReader, TableStatus, read_metrics

_CONNECTIONS = 8
_WORKER_SECONDS = 2.0
_OUTCOMES = {of_kind(kind): (QUEUE, kind) for kind in KINDS}
_OUTCOMES |= {of_route(kind): (ROUTE, kind) for kind in KINDS}
"""The label of what is counted, and the outcome, by the name of a metric."""
Counts = dict[str, dict[str, int]]
Outcomes = dict[str, Counts]
"""How many messages of each queue, and of each route, ended with each outcome: by `queue` and
`route`, then by name. Those of routes are known with `telemetry: {metrics: route}` only.
"""


_SHARE = 0.95
"""An age is that within which this share of the messages is stored: p95, as CloudWatch has it."""


class Measured(Struct, frozen=True):
    """What a worker or functions counted; `unknown` says why there is nothing, or is "".

    `retries` are by queue, then by cause. `ages` are in seconds, by queue.
    """

    outcomes: Outcomes
    retries: Counts
    ages: dict[str, float]
    unknown: str = ""


class LiveOfDraft(Draft, frozen=True):
    """What runs of a draft; names are without account and region if `bare`, `worker` is the address
    of its pages.
    """

    bare: bool = False
    worker: str = ""


class LiveStatus(Struct, frozen=True):
    """What runs; `unknown` says what is not known.

    What is measured is since the worker started or, unless `minutes` is 0, of the last minutes.
    """

    queues: list[QueueStatus]
    paused: dict[str, str]
    tables: list[TableStatus]
    outcomes: Outcomes
    retries: Counts
    ages: dict[str, float]
    minutes: int
    unknown: list[str]


def read_live(given: LiveOfDraft) -> LiveStatus:
    """Read what runs of a draft; raises RouterError."""
    program = given.load().require()
    if given.bare:
        program = with_bare_names(program)
    reader = _reader()
    queues = reader.queues(program)
    measured = of_worker(given.worker) if given.bare else of_functions(_services()["cloudwatch"])
    return LiveStatus(
        queues,
        {queue.queue: queue.paused for queue in queues if queue.paused},
        reader.tables(program),
        measured.outcomes,
        measured.retries,
        measured.ages,
        0 if given.bare else MINUTES,
        [measured.unknown] if measured.unknown else [],
    )


@cache
def _services() -> Mapping[str, ServiceClient]:
    return connect_services(("cloudwatch", "sqs"))


@cache
def _reader() -> StatusReader:
    return StatusReader(connect(_CONNECTIONS), connect_live(), _services())


def of_worker(address: str) -> Measured:
    """Return what a worker counted, by its page `/metrics`."""
    # Needs the worker's libraries, which a console of files does without.
    from prometheus_client.parser import text_string_to_metric_families

    try:
        # Without a proxy of the environment.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{address}/metrics", timeout=_WORKER_SECONDS) as response:
            text = response.read().decode()
    except (URLError, OSError) as error:
        return _nothing(f"the worker does not answer: {getattr(error, 'reason', error)}")
    found = _nothing()
    younger: dict[str, list[tuple[float, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            _count(found, sample.name, sample.labels, int(sample.value))
            if sample.name == f"{AGE}_bucket":
                bucket = float(sample.labels["le"]), sample.value
                younger.setdefault(sample.labels[QUEUE], []).append(bucket)
    for queue, buckets in younger.items():
        messages = buckets[-1][1]
        if messages:
            bounds = [bound for bound, number in buckets if number >= _SHARE * messages]
            found.ages[queue] = min(bounds[0], AGES[-1])
    return found


def of_functions(cloudwatch: ServiceClient) -> Measured:
    """Return what functions measured in the last minutes."""
    try:
        listed = [
            each
            for page in cloudwatch.pages("ListMetrics", Namespace=NAMESPACE)
            for each in page["Metrics"]
        ]
        measured = [each for each in listed if each["MetricName"] in (*_OUTCOMES, RETRIES, AGE)]
        services = {_dimensions(each).get(SERVICE, "") for each in measured}
        wanted = os.environ.get(SERVICE_VARIABLE, "")
        if len(services) > 1 and not wanted:
            return _nothing(
                f"outcomes: of which service? set {SERVICE_VARIABLE} to one of {', '.join(sorted(services))}"
            )
        own = [each for each in measured if wanted in ("", _dimensions(each).get(SERVICE))]
        ages = [each for each in own if each["MetricName"] == AGE]
        counted = [each for each in own if each["MetricName"] != AGE]
        found = _nothing()
        for number, values in read_metrics(cloudwatch, dict(enumerate(counted)), "Sum"):
            metric = counted[number]
            _count(found, metric["MetricName"], _dimensions(metric), int(sum(values)))
        for number, values in read_metrics(cloudwatch, dict(enumerate(ages)), "p95"):
            if values:
                found.ages[_dimensions(ages[number])[QUEUE]] = max(values)
        return found
    except AwsCallError as error:
        return _nothing(f"outcomes: {error}")


def _nothing(unknown: str = "") -> Measured:
    return Measured({QUEUE: {}, ROUTE: {}}, {}, {}, unknown)


def _count(found: Measured, metric: str, labels: Mapping[str, str], number: int) -> None:
    if not number:
        return
    if metric == RETRIES:
        _add(found.retries, labels.get(QUEUE, ""), labels.get(CAUSE, ""), number)
    label, kind = _OUTCOMES.get(metric, ("", ""))
    if label:
        _add(found.outcomes[label], labels.get(label, ""), kind, number)


def _add(counts: Counts, name: str, kind: str, number: int) -> None:
    of_name = counts.setdefault(name, {})
    of_name[kind] = of_name.get(kind, 0) + number


def _dimensions(metric: Any) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in metric["Dimensions"]}
