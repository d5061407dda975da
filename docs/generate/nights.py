"""Simulates nights, and which alarms of the template ring in them, after how many minutes.

`python -m docs.generate.nights` prints the table. SQS, the function and the worker are models in steps of ten seconds
that take no wall time; the alarms are those of the template, and the waits of messages those of the router.
"""

import heapq
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from router.runtime.engine.backoff import OutageBackoff
from router.tools.deploy.template.document import make_document, read_for_deployment

STEP = 10
"""Seconds."""
BEGINS = 63
"""The minute in which a fault begins; its place in a period of an alarm is not the best one."""
MINUTES = 240
TABLES = 10
RECEIVES = 10
"""`maxReceiveCount` of the queue."""
VISIBILITY = 360
OLDEST_SECONDS = 900
RARELY_COUNTED = 3
"""The receives from which on `ApproximateAgeOfOldestMessage` leaves out a message."""
CONFIG = """version: 1
queues: {q: {dead_letter: letters, silent_after: 1h}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: things}}
"""
Table = int
Minute = int
Fault = Callable[[Minute, Table], str]
"""What a message of a table meets in a minute: "" (it is written), `fails`, `slow` or `rejected`."""


class Night(Struct, frozen=True):
    """A night: how many messages are sent in a minute, and what they meet."""

    name: str
    meets: Fault
    rate: Callable[[Minute], float] = lambda minute: 60.0
    starts: Callable[[Minute], bool] = lambda minute: True
    """Whether what reads the queue can start."""
    fails: bool = True
    """Whether there is a fault; if not, no alarm may ring."""


def _from(begin: Minute, end: Minute = MINUTES) -> Callable[[Minute], bool]:
    return lambda minute: begin <= minute < end


_FAULT = _from(BEGINS)
NIGHTS = (
    Night("one table of ten fails", lambda at, table: "fails" if _FAULT(at) and table == 0 else ""),
    Night("all tables fail", lambda at, table: "fails" if _FAULT(at) else ""),
    Night(
        "one table of ten is slow: half of its writes are not made in time",
        lambda at, table: "slow" if _FAULT(at) and table == 0 else "",
    ),
    Night(
        "poison flood: one message in ten cannot be stored",
        lambda at, table: "rejected" if _FAULT(at) and table == 0 else "",
    ),
    Night(
        "what reads the queue cannot start",
        lambda at, table: "",
        starts=lambda at: not _FAULT(at),
    ),
    Night("the sender stops", lambda at, table: "", rate=lambda at: 0.0 if _FAULT(at) else 60.0),
    Night(
        "quiet: a message every seven minutes, and tables that throttle for two",
        lambda at, table: "fails" if _from(100, 102)(at) else "",
        rate=lambda at: float(at % 7 == 0),
        fails=False,
    ),
    Night(
        "busy: 600 messages a minute, of which one in 500 is throttled",
        lambda at, table: "hot" if table == 0 else "",
        rate=lambda at: 600.0,
        fails=False,
    ),
)


class Message(Struct, order=True):
    """A message on the queue; they are in the order in which they become visible."""

    visible_at: int
    number: int
    sent_at: int
    received: int = 0


class Measured:
    """What CloudWatch has: values by metric, queue and minute."""

    def __init__(self) -> None:
        self._values: defaultdict[tuple[str, str], defaultdict[Minute, list[float]]]
        self._values = defaultdict(lambda: defaultdict(list))

    def add(self, minute: Minute, metric: str, value: float, queue: str = "q") -> None:
        """Add a value."""
        self._values[metric, queue][minute].append(value)

    def stat(self, metric: str, queue: str, since: Minute, until: Minute, stat: str) -> float | None:
        """Return a statistic of some minutes; None if there is no value."""
        of_metric = self._values[metric, queue]
        values = [value for minute in range(since, until) for value in of_metric.get(minute, ())]
        if not values:
            return None
        return sum(values) if stat == "Sum" else max(values)


def simulate(night: Night, *, worker: bool, seed: int = 1) -> Measured:
    """Run a night; return what CloudWatch measures."""
    chance = random.Random(seed)  # noqa: S311 — a model
    measured = Measured()
    queue: list[Message] = []
    letters = number = 0
    backoff = OutageBackoff(max_receive_count=RECEIVES)
    due = 0.0
    for now in range(0, MINUTES * 60, STEP):
        minute = now // 60
        counts: defaultdict[str, float] = defaultdict(float)
        due += night.rate(minute) * STEP / 60 if night.rate(minute) >= 6 else 0.0
        if 0 < night.rate(minute) < 6 and now % 60 == 0:
            due += night.rate(minute)
        while due >= 1:
            due -= 1
            number += 1
            heapq.heappush(queue, Message(now, number, now))
        starts = night.starts(minute)
        # A worker that can write nothing of a queue pauses it, and one that cannot start receives nothing.
        paused = worker and (not starts or all(night.meets(minute, table) == "fails" for table in range(TABLES)))
        later: list[Message] = []
        while queue and queue[0].visible_at <= now and not paused:
            message = heapq.heappop(queue)
            if message.received == RECEIVES:
                letters += 1
                continue
            message.received += 1
            counts["NumberOfMessagesReceived"] += 1
            meets = night.meets(minute, message.number % TABLES)
            if meets == "slow":
                meets = "fails" if chance.random() < 0.5 else ""
            elif meets == "hot":
                meets = "fails" if chance.random() < TABLES / 500 else ""
            if not starts:
                counts["Errors"] += 1
                message.visible_at = now + VISIBILITY
                later.append(message)
            elif meets == "fails":
                counts["router_messages_retry_total"] += 1
                message.visible_at = now + max(STEP, backoff.wait(message.received, chance.random))
                later.append(message)
            else:
                counts["NumberOfMessagesDeleted"] += 1
                letters += meets == "rejected"
                written = "router_messages_written_total" if not meets else "router_messages_rejected_total"
                counts[written] += 1
        for message in later:
            heapq.heappush(queue, message)
        _measure(measured, minute, counts, queue, now)
        measured.add(minute, "ApproximateNumberOfMessagesVisible", letters, "letters")
    return measured


def _measure(measured: Measured, minute: Minute, counts: Mapping[str, float], queue: list[Message], now: int) -> None:
    for metric in ("NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
        measured.add(minute, metric, counts.get(metric, 0.0))
    for metric, value in counts.items():
        if metric.startswith("router_"):
            measured.add(minute, metric, value)
        elif metric == "Errors":
            measured.add(minute, metric, value, "")
    if "router_messages_retry_total" in counts:
        measured.add(minute, "router_messages_written_total", 0.0)
    waiting = sum(1 for message in queue if message.visible_at <= now)
    measured.add(minute, "ApproximateNumberOfMessagesVisible", waiting)
    measured.add(minute, "ApproximateNumberOfMessagesNotVisible", len(queue) - waiting)
    counted = [now - message.sent_at for message in queue if message.received < RARELY_COUNTED]
    measured.add(minute, "ApproximateAgeOfOldestMessage", max(counted, default=0))


def alarms(*, worker: bool) -> dict[str, dict[str, Any]]:
    """Return the properties of the alarms of the template, by what they are called in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "routes.yaml")
        path.write_text(CONFIG, encoding="utf-8")
        body = make_document(read_for_deployment(path, {}), worker).body
    return {
        id_.removesuffix("Q").removesuffix("Letters"): each["Properties"]
        for id_, each in body["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }


def rings(alarm: Mapping[str, Any], measured: Measured) -> Minute | None:
    """Return the first minute at the end of which an alarm rings; None if it does not."""
    minutes = _period(alarm) // 60
    threshold = alarm["Threshold"] if isinstance(alarm["Threshold"], int) else OLDEST_SECONDS
    below = alarm["ComparisonOperator"] == "LessThanThreshold"
    in_a_row = 0
    for end in range(minutes, MINUTES + 1, 1 if below else minutes):
        value = _value(alarm, measured, end - minutes, end)
        if value is None:
            is_breaching = alarm["TreatMissingData"] == "breaching"
        else:
            is_breaching = value < threshold if below else value > threshold
        in_a_row = in_a_row + 1 if is_breaching else 0
        if in_a_row == alarm["EvaluationPeriods"]:
            return end
    return None


def _period(alarm: Mapping[str, Any]) -> int:
    stats = [each["MetricStat"]["Period"] for each in alarm.get("Metrics", ()) if "MetricStat" in each]
    period: int = stats[0] if stats else alarm["Period"]
    return period


def _value(alarm: Mapping[str, Any], measured: Measured, since: Minute, until: Minute) -> float | None:
    if "Metrics" not in alarm:
        return measured.stat(alarm["MetricName"], _queue(alarm["Dimensions"]), since, until, alarm["Statistic"])
    values: dict[str, float] = {}
    expression = ""
    for each in alarm["Metrics"]:
        if "Expression" in each:
            expression = each["Expression"]
            continue
        metric = each["MetricStat"]["Metric"]
        queue = _queue(metric["Dimensions"])
        value = measured.stat(metric["MetricName"], queue, since, until, each["MetricStat"]["Stat"])
        if value is None:
            return None
        values[each["Id"]] = value
    return evaluate(expression, values)


def _queue(dimensions: list[dict[str, Any]]) -> str:
    names = [each["Value"] for each in dimensions if each["Name"] in ("QueueName", "queue")]
    return str(names[0]) if names else ""


def evaluate(expression: str, values: Mapping[str, float]) -> float | None:
    """Return the value of an expression of metrics; None if it divides by 0."""
    python = re.sub(r"\bAND\b", "and", expression)
    known = {"IF": lambda condition, then, otherwise: then if condition else otherwise, **values}
    try:
        return float(eval(python, {"__builtins__": {}}, known))  # noqa: S307 — expressions of the template
    except ZeroDivisionError:
        return None


def found_in(night: Night, *, worker: bool) -> dict[str, Minute]:
    """Return the alarms that ring, with the minutes after the fault began."""
    measured = simulate(night, worker=worker)
    found = {name: rings(alarm, measured) for name, alarm in alarms(worker=worker).items()}
    rung = {name: minute for name, minute in found.items() if minute is not None}
    begins = BEGINS if night.fails else 0
    return dict(sorted(((name, minute - begins) for name, minute in rung.items()), key=lambda each: each[1]))


def nights_table() -> str:
    """Return the table of the nights."""
    lines = ["| night | function: alarms, after minutes | worker |", "|---|---|---|"]
    for night in NIGHTS:
        cells = [_cell(found_in(night, worker=worker)) for worker in (False, True)]
        lines.append(f"| {night.name} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _cell(found: Mapping[str, Minute]) -> str:
    return ", ".join(f"`{name}` {minutes}" for name, minutes in found.items()) or "none"


if __name__ == "__main__":
    print(nights_table())  # noqa: T201 — the command's output
