"""The worker and the Lambda function give the same outcomes, tables and dead letters for one table of cases."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.faults.fault_rig import FOLDER, Rig, lambda_record, read_lines, running_function, running_worker, wait_until
from tests.support.dev import LocalAws

CONFIG = FOLDER / "answers" / "routes.yaml"
OutcomeAndCode = tuple[str, str]
"""An outcome and its code, as in the log; written messages have no log line."""
WRITTEN: OutcomeAndCode = ("written", "")
LATER: OutcomeAndCode = ("retry", "RT819")


class AnswerCase(NamedTuple):
    """Messages for a queue, sent together, and their outcomes; the second round finds the items of the first."""

    queue: str
    messages: Sequence[Any]
    outcomes: Sequence[OutcomeAndCode]
    second_round: bool = False
    attributes: Mapping[str, Any] = MappingProxyType({})


CASES = {
    "written": AnswerCase("plain", [{"id": "w"}], [WRITTEN]),
    "with attributes": AnswerCase(
        "plain",
        [{"id": "a", "weight": "1.50", "tags": ["y", "x"]}],
        [WRITTEN],
        attributes={"colour": {"DataType": "String", "StringValue": "grün"}},
    ),
    "exact numbers": AnswerCase("plain", ['{"id": "n", "more": 0.1234567890123456789012345678901234567}'], [WRITTEN]),
    "not JSON": AnswerCase("plain", ["{"], [("rejected", "RT801")]),
    "no envelope": AnswerCase("topic", ['{"id": "t"}'], [("rejected", "RT802")]),
    "too deep": AnswerCase("plain", ["[" * 65 + "]" * 65], [("rejected", "RT803")]),
    "no version": AnswerCase("versions", [{"id": "nv"}], [("rejected", "RT804")]),
    "no route": AnswerCase("plain", [{"id": "o", "kind": "other"}], [("rejected", "RT805")]),
    "no route, dropped": AnswerCase("ignored", [{"id": "o", "kind": "other"}], [("dropped", "RT805")]),
    "no route, kept": AnswerCase("waiting", [{"id": "o", "kind": "other"}], [("retry", "RT805")]),
    "fails its schema": AnswerCase("plain", [{"id": 1}], [("rejected", "RT806")]),
    "fails its schema, dropped": AnswerCase("ignored", [{"id": 1}], [("dropped", "RT806")]),
    "fails its schema, kept": AnswerCase("waiting", [{"id": 1}], [("retry", "RT806")]),
    "no number": AnswerCase("plain", [{"id": "u", "weight": "much"}], [("rejected", "RT807")]),
    "empty key": AnswerCase("plain", [{"id": ""}], [("rejected", "RT808")]),
    "too many digits": AnswerCase("plain", [{"id": "d", "more": 10**39 + 1}], [("rejected", "RT809")]),
    "plugin rejects": AnswerCase("plain", [{"id": "pr", "mood": "reject"}], [("rejected", "RT810")]),
    "plugin drops": AnswerCase("plain", [{"id": "pd", "mood": "drop"}], [("dropped", "RT811")]),
    "plugin retries": AnswerCase("plain", [{"id": "py", "mood": "retry"}], [("retry", "RT812")]),
    "plugin fails": AnswerCase("plain", [{"id": "pf", "mood": "break"}], [("retry", "RT813")]),
    "two messages of one key": AnswerCase(
        "plain", [{"id": "k", "more": 1}, {"id": "k", "more": 2}], [WRITTEN, WRITTEN]
    ),
    "first": AnswerCase("firsts", [{"id": "f", "value": 1}], [WRITTEN]),
    "duplicate": AnswerCase("firsts", [{"id": "f", "value": 1}], [("duplicate", "RT820")], second_round=True),
    "conflict": AnswerCase("firsts", [{"id": "f", "value": 2}], [("duplicate", "RT820")], second_round=True),
    "version": AnswerCase("versions", [{"id": "v", "version": 5}, {"id": "vw", "version": 5}], [WRITTEN, WRITTEN]),
    "same version": AnswerCase("versions", [{"id": "v", "version": 5}], [("duplicate", "RT820")], second_round=True),
    # Of an item of its own: in one batch with a greater version it would have another reason.
    "stale": AnswerCase("versions", [{"id": "vw", "version": 4}], [("stale", "RT821")], second_round=True),
    "other type of version": AnswerCase(
        "versions", [{"id": "v", "version": "6"}], [("rejected", "RT804")], second_round=True
    ),
    "count": AnswerCase("counts", [{"id": "c", "amount": 2, "event": "e"}], [WRITTEN]),
    "counted": AnswerCase(
        "counts", [{"id": "c", "amount": 2, "event": "e"}], [("duplicate", "RT820")], second_round=True
    ),
    "count on": AnswerCase("counts", [{"id": "c", "amount": 3, "event": "f"}], [WRITTEN], second_round=True),
    "to be deleted": AnswerCase("plain", [{"id": "x"}], [WRITTEN]),
    "deleted": AnswerCase("deletes", [{"id": "x"}], [WRITTEN], second_round=True),
    "atomic": AnswerCase("orders", [{"id": "at", "lines": [1, 2, 3]}], [WRITTEN]),
    "atomic, two writes of one item": AnswerCase("orders", [{"id": "at2", "lines": [1, 1]}], [("rejected", "RT822")]),
    "atomic, nothing": AnswerCase("orders", [{"id": "at0", "lines": []}], [("dropped", "RT811")]),
    "group": AnswerCase("groups.fifo", [{"id": "g", "n": n} for n in range(3)], [WRITTEN] * 3),
    "group that fails": AnswerCase(
        "groups.fifo",
        [{"id": "h1"}, {"id": "h2", "mood": "retry"}, {"id": "h3"}],
        [WRITTEN, ("retry", "RT812"), LATER],
    ),
    "group with a rejection": AnswerCase(
        "groups.fifo", [{"id": "j1"}, {"id": ""}, {"id": "j3"}], [WRITTEN, ("rejected", "RT808"), WRITTEN]
    ),
    "no dead-letter queue": AnswerCase("unwatched", [{"id": 1}], [("rejected", "RT806")]),
    "dead-letter queue is missing": AnswerCase("undeliverable", [{"id": 1}], [("retry", "RT818")]),
    "table is missing": AnswerCase("lost", [{"id": "l"}], [("retry", "RT816")]),
}


class ProgramResults(NamedTuple):
    """The results of all cases: log lines by message, tables, dead letters, and messages that are still queued."""

    lines: dict[str, list[dict[str, Any]]]
    tables: dict[str, list[Any]]
    letters: list[Any]
    left: dict[str, int]


def send(rig: Rig, *, second_round: bool) -> dict[str, list[str]]:
    """Send the messages of a round; return their ids by case."""
    ids: dict[str, list[str]] = {}
    for name, case in CASES.items():
        if case.second_round == second_round:
            bodies = [each if isinstance(each, str) else json.dumps(each) for each in case.messages]
            groups = [name] * len(bodies) if case.queue.endswith(".fifo") else []
            ids[name] = rig.send(case.queue, bodies, groups, MessageAttributes=dict(case.attributes))
    return ids


def of_worker(server: LocalAws, prefix: str, log: Path) -> ProgramResults:
    """Run all cases in the worker."""
    rig = Rig(server, server.endpoint, prefix, CONFIG, visibility=20)
    ids = send(rig, second_round=False)
    with running_worker(rig, log, 1, hasty=False) as worker:

        def settled() -> bool:
            written = sum(line.get("counts", {}).get("written", 0) for line in worker.lines())
            # Each other outcome has a line. A message that stays on its queue is received again, and counts once.
            others = {line["message_id"] for line in worker.lines() if "outcome" in line}
            return bool(written + len(others) >= sum(map(len, ids.values())))

        wait_until(settled, 60, "the first round")
        ids |= send(rig, second_round=True)
        wait_until(settled, 60, "the second round")
        assert worker.stop() == 0
        return look(rig, ids, worker.lines())


def of_function(server: LocalAws, prefix: str, log: Path) -> ProgramResults:
    """Run all cases in the Lambda function, and delete the messages that it does not report as failed."""
    rig = Rig(server, server.endpoint, prefix, CONFIG, visibility=20)
    ids: dict[str, list[str]] = {}
    with running_function(rig, log, hasty=False) as function:
        for second_round in (False, True):
            ids |= send(rig, second_round=second_round)
            for queue in rig.sources:
                while messages := rig.receive(queue):
                    failed = function.invoke([lambda_record(message, queue) for message in messages])
                    for message in messages:
                        if message["MessageId"] not in failed:
                            rig.delete(queue, message)
    return look(rig, ids, read_lines(log))


def look(rig: Rig, ids: dict[str, list[str]], log: Sequence[dict[str, Any]]) -> ProgramResults:
    """Collect the results, without ids and times."""
    fields = ("outcome", "code", "reason", "queue", "route", "pointer", "conflict", "receive_count")
    logged: dict[str, dict[str, Any]] = {}
    for line in log:
        if "outcome" in line:
            line["reason"] = line["reason"].replace(f"{rig.prefix}-", "")
            logged.setdefault(line["message_id"], {name: line[name] for name in fields})
    return ProgramResults(
        {name: [logged.get(id_, {"outcome": "written", "code": ""}) for id_ in sent] for name, sent in ids.items()},
        {table: sorted(rig.items(table), key=repr) for table in ("items", "lines", "markers")},
        sorted(
            (letter_of(each, rig.prefix) for queue in ("dead", "dead.fifo") for each in rig.letters(queue)), key=repr
        ),
        {queue.removeprefix(rig.prefix): left for queue in rig.sources if (left := rig.left([queue]))},
    )


OF_ONE_RUN = (
    "message_id",
    "failed_at",
    "first_failed_at",
    "sent_at",
    "first_received_at",
    "sequence_number",
    "deduplication_id",
    "source",
    "config",
)
"""What a dead letter states about its message that differs from run to run."""


def letter_of(letter: dict[str, Any], prefix: str) -> Any:
    """Return the body, the group, the attributes and the reason of a dead letter."""
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    why = json.loads(attributes.pop("router"))
    why["reason"] = why["reason"].replace(f"{prefix}-", "")
    return (
        letter["Body"],
        letter["Attributes"].get("MessageGroupId"),
        attributes,
        {name: value for name, value in why.items() if name not in OF_ONE_RUN},
    )


def test_same_answer(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """Each case has its outcome in the worker and in Lambda, with the same reason, items and dead letters."""
    worker = of_worker(ministack, f"{name}-w", tmp_path / "worker")
    function = of_function(ministack, f"{name}-f", tmp_path / "function")

    outcomes = {case: [(line["outcome"], line["code"]) for line in lines] for case, lines in worker.lines.items()}
    assert outcomes == {name: list(case.outcomes) for name, case in CASES.items()}
    assert function._asdict() == worker._asdict()
    assert len(worker.letters) == sum(
        outcome[0] == "rejected" for case in CASES.values() for outcome in case.outcomes if case.queue != "unwatched"
    )
