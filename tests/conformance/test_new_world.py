"""`router new` on messages of shapes of the world: one command to a config that passes and stores each of them.

Of messages that were held out, few are rejected, though the samples are few.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema_rs import validator_for

from router.model import Record
from tests.conformance.world import SHAPES, messages_of
from tests.support.cli import app
from tests.support.dev import MESSAGE_ID, META, infer_schema
from tests.support.engine import plan
from tests.support.program import load_program

FEW = 3
LEAST = 6
"""Kinds with fewer examples have too few to hold out."""
ONE_IN = 20
"""At most one message in so many is rejected."""
Message = dict[str, Any]
Fold = tuple[list[Message], list[Message]]


@pytest.mark.parametrize("count", [FEW, LEAST])
@pytest.mark.parametrize("shape", SHAPES)
def test_one_command(shape: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config passes `router check --strict` and its tests, and each sample is stored."""
    monkeypatch.chdir(tmp_path)
    messages = messages_of(shape, count)
    Path(f"{shape}.jsonl").write_text("\n".join(map(json.dumps, messages)), encoding="utf-8")

    done = CliRunner().invoke(app, ["new", f"{shape}.jsonl", "--yes"])

    assert (done.exit_code, "passed router check --strict and router test" in done.output) == (0, True), done.output
    queue = load_program(tmp_path / "routes.yaml", {}).engine.queues[shape]
    records = [Record(MESSAGE_ID, "receipt", json.dumps(message), META) for message in messages]
    assert [plan(queue, record).outcome for record in records] == [None] * count


def folds(messages: list[Message], size: int) -> Iterator[Fold]:
    """Each run of so many messages, and the others."""
    for start in range(0, len(messages) - size + 1, size):
        yield messages[start : start + size], messages[:start] + messages[start + size :]


def rejected(tried: Iterable[Fold]) -> tuple[int, int]:
    """How many of the messages that are held out the schema of the others rejects, and their number."""
    found: list[bool] = []
    for samples, held_out in tried:
        validator = validator_for(infer_schema(samples), validate_formats=True)
        found += [not validator.is_valid(message) for message in held_out]
    return sum(found), len(found)


@pytest.mark.parametrize("size", [FEW, LEAST])
def test_few_samples_of_github(size: int, webhooks: Path) -> None:
    """Of its published examples of one event and action, some make a schema, and the others are held out."""
    kinds = defaultdict(list)
    for file in sorted(webhooks.glob("*/index.json")):
        for event in json.loads(file.read_text(encoding="utf-8")):
            for example in event["examples"]:
                kinds[event["name"], example.get("action")].append(example)
    tried: list[Fold] = []
    for examples in kinds.values():
        tried += folds(examples, size) if len(examples) >= LEAST else ()

    faults, count = rejected(tried)

    assert faults * ONE_IN <= count
    assert count > 100


@pytest.mark.parametrize("size", [FEW, 10, 30, 60])
def test_few_samples_of_the_world(size: int) -> None:
    """Of messages of all shapes: a code may be a number or a text, which three samples may not show."""
    messages = {shape: messages_of(shape, size + 60) for shape in SHAPES}

    faults, count = rejected((each[:size], each[size:]) for each in messages.values())

    assert faults * ONE_IN <= count
