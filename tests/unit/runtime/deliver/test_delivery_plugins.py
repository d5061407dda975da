"""Plugins that misbehave: the other messages of a batch are delivered, and in order."""

from typing import Any

import pytest

from tests.support.aws import Aws
from tests.support.deliver import Delivery, DeliveryOptions, FixedDeadline

FIFO = "name: q.fifo, dead_letter: letters.fifo"
IN_PLACE = """
@hookimpl
def {hook}:
    if message.data["id"] == "a0":
        message.system.clear()
        message.attributes.clear()
"""


def deliver(aws: Aws, program: Any, records: Any, *, interruptible: bool = False) -> list[tuple[str, str, str]]:
    """The outcomes of a batch: id, kind, code."""
    delivery = Delivery(program, aws, lambda: 1.0, options=DeliveryOptions(interruptible=interruptible))
    delivered = delivery.deliver(program.engine.queues["q"], records, FixedDeadline(60))
    return [(each.record.message_id, each.outcome.kind, each.outcome.code) for each in delivered]


@pytest.mark.parametrize("hook", ["router_transform_message(message)", "router_transform_item(item, message)"])
def test_a_plugin_does_not_change_the_group_of_a_message(
    aws: Aws, tables: Any, compile_: Any, arrive: Any, hook: str
) -> None:
    """Not in place: the group keeps its order, whatever a plugin does to what SQS reported of a message."""
    records = [arrive(f'{{"id":"a{number}"}}', f"m{number}", MessageGroupId="a") for number in range(3)]

    outcomes = deliver(aws, compile_(queue=FIFO, inplace=IN_PLACE.format(hook=hook)), records)

    assert ([kind for _, kind, _ in outcomes], tables.calls) == (["written"] * 3, [["a0"], ["a1"], ["a2"]])
    assert [record.group_id for record in records] == ["a"] * 3


RAISES = """
class Odd(Reject):
    @property
    def reason(self):
        raise SystemExit

    @reason.setter
    def reason(self, value):
        pass


@hookimpl
def {hook}:
    if {what}["id"] == "b":
        raise {error}
"""


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit", "Odd('x')"])
@pytest.mark.parametrize(
    ("hook", "what"),
    [("router_transform_message(message)", "message.data"), ("router_transform_item(item)", "item")],
)
def test_no_exception_of_a_plugin_fails_a_batch(
    aws: Aws, tables: Any, compile_: Any, messages: Any, hook: str, what: str, error: str
) -> None:
    """The message stays, and the others are written: no signal raises KeyboardInterrupt in a worker or a function."""
    program = compile_(raises=RAISES.format(hook=hook, what=what, error=error))

    outcomes = deliver(aws, program, messages(*"abc"))

    assert [(kind, code) for _, kind, code in outcomes] == [("written", ""), ("retry", "RT813"), ("written", "")]
    assert sorted(tables.items) == ["a", "c"]


@pytest.mark.parametrize("hook", ["router_outcome", "router_batch_done"])
def test_no_exception_of_an_observer_fails_a_batch(aws: Aws, compile_: Any, messages: Any, hook: str) -> None:
    """What is written is acknowledged."""
    argument = "outcome" if hook == "router_outcome" else "summary"
    program = compile_(seen=f"@hookimpl\ndef {hook}({argument}):\n    raise KeyboardInterrupt\n")

    assert [kind for _, kind, _ in deliver(aws, program, messages(*"ab"))] == ["written"] * 2


@pytest.mark.parametrize("hook", ["router_transform_item(item)", "router_outcome(outcome)"])
def test_ctrl_c_ends_a_command_that_delivers(aws: Aws, compile_: Any, messages: Any, hook: str) -> None:
    """Also while a plugin runs."""
    program = compile_(raises=f"@hookimpl\ndef {hook}:\n    raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        deliver(aws, program, messages("a"), interruptible=True)
