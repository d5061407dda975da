"""Dead letters."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from router.deliver.dead_letters import send_dead_letters
from router.model import Record
from tests.support.engine import plan
from tests.support.program import load_program

CONFIG = Path(__file__).parents[3] / "routes.yaml"


@pytest.mark.parametrize(("others", "known"), [(9, True), (9, False), (10, False)])
def test_the_reason_takes_one_of_ten_attributes(others: int, known: bool) -> None:
    """It replaces an earlier reason, and is left out if there are ten other attributes."""
    names = [f"a{number}" for number in range(others)] + ["router"] * known
    given = {name: {"DataType": "String", "StringValue": "{}"} for name in names}
    queue = load_program(CONFIG, {}).engine.queues["user-metadata"]
    sent: list[Any] = []

    def send(url: str, messages: Any) -> dict[str, Any]:
        sent.extend(messages)
        return {}

    queues: Any = SimpleNamespace(url=lambda name: name, send=send)

    send_dead_letters(queues, queue, [plan(queue, Record("m", "handle", "{}", {}, given))])

    (letter,) = sent
    reason = json.loads(letter.message_attributes.get("router", {}).get("StringValue", "{}"))
    assert (len(letter.message_attributes), reason.get("code")) == (10, "RT806" if others == 9 else None)
