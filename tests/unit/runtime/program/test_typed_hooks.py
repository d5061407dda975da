"""With hooks, the typed form has the result of the general way, and hooks get the same."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import Message, Record
from router.runtime.program.load import load_program
from tests.support.deliver import COMPILE_AFTER, FastPaths
from tests.support.engine import CompiledQueue, PlannedMessage, plan
from tests.support.hooks import CURRENT, ITEMS, MESSAGES, ODD, PLUGINS, SIGNALS, SIMPLE, SIMPLE_OF_ITEMS, Hooks, Text
from tests.support.planning import meaning
from tests.unit.runtime.program import test_typed as typed

NAMES = st.sampled_from(["id", "a", "b", "o", "p", "q", "other"])
STEPS_OF_MESSAGES = st.one_of(
    st.tuples(st.sampled_from(SIMPLE)),
    st.tuples(
        st.sampled_from([each for each in MESSAGES if each not in (*SIMPLE, "raise")]), NAMES, st.sampled_from(ODD)
    ),
    st.tuples(st.just("raise"), st.sampled_from(SIGNALS)),
)
STEPS_OF_ITEMS = st.one_of(
    st.tuples(st.sampled_from(SIMPLE_OF_ITEMS)),
    st.tuples(
        st.sampled_from([each for each in ITEMS if each not in (*SIMPLE_OF_ITEMS, "raise")]),
        NAMES,
        st.sampled_from(ODD),
    ),
    st.tuples(st.just("raise"), st.sampled_from(SIGNALS)),
)
Compile = Callable[..., CompiledQueue]
ITEM = {
    "id": "id",
    "p": "a",
    "q": {"from": "b", "missing": "null"},
    "r": {"meta": "sent_at"},
    "s": {"meta": "attribute.a", "missing": "omit"},
}
TEXT = {"type": "string"}
SCHEMA = {"properties": {"id": TEXT, "a": {"type": "number"}, "b": TEXT}, "required": ["id"]}
BODY = '{"id": "x", "a": 1, "b": "y"}'


@pytest.fixture(scope="module")
def queue_of(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles a queue with one route and a plugin."""
    folder = tmp_path_factory.mktemp("hooked")
    for name, source in PLUGINS.items():
        Path(folder, f"{name}.py").write_text(source, encoding="utf-8")

    def compile_queue(kind: str, schema: Any, item: dict[str, Any], key: dict[str, str]) -> CompiledQueue:
        route = {"queue": "q", "table": "things", "item": item, "schema": schema}
        config = {
            "version": 1,
            "plugins": [f"{kind}.py"],
            "queues": {"q": {}},
            "tables": {"things": {"key": key}},
            "routes": {"r": route},
        }
        path = Path(folder, "routes.yaml")
        path.write_text(json.dumps(config), encoding="utf-8")
        return load_program(path, {}).engine.queues["q"]

    return compile_queue


def plan_all(queue: CompiledQueue, bodies: list[str], hooks: Hooks, *, fast: bool) -> tuple[list[PlannedMessage], int]:
    """Return the planned messages, and how many the typed form took."""
    plan_fast = FastPaths().of(queue, COMPILE_AFTER + 1) if fast else None
    CURRENT.append(hooks)
    planned, taken = [], 0
    for number, body in enumerate(bodies):
        record = Record(f"m{number}", "", body, dict(typed.SYSTEM))
        found = plan_fast(record) if plan_fast else None
        taken += found is not None
        planned.append(found or plan(queue, record))
        # What SQS reported is no hook's to change.
        assert record.attributes == typed.SYSTEM
    CURRENT.pop()
    return planned, taken


def agree(queue: CompiledQueue, bodies: list[str], of_messages: Any = (), of_items: Any = ()) -> int:
    """Assert that both forms have the same results, and that hooks got the same; return how many the typed one took."""
    hooks = [Hooks(of_messages, of_items) for _ in range(2)]

    general, _ = plan_all(queue, bodies, hooks[0], fast=False)
    found, taken = plan_all(queue, bodies, hooks[1], fast=True)

    assert [*map(meaning, found)] == [*map(meaning, general)]
    assert hooks[1].seen() == hooks[0].seen()
    return taken


@settings(deadline=None, max_examples=800)
@given(
    st.sampled_from([*PLUGINS]),
    typed.SCHEMAS,
    typed.ITEMS,
    st.sampled_from([{"id": "S"}, {"id": "N"}]),
    st.lists(typed.MESSAGES, min_size=1, max_size=6),
    st.lists(STEPS_OF_MESSAGES, max_size=4),
    st.lists(STEPS_OF_ITEMS, max_size=4),
)
def test_it_has_the_result_of_the_general_way(
    queue_of: Compile,
    kind: str,
    schema: Any,
    item: dict[str, Any],
    key: dict[str, str],
    messages: list[Any],
    of_messages: Any,
    of_items: Any,
) -> None:
    """Over schemas, items, messages and whatever hooks do."""
    queue = queue_of(kind, schema, {"id": "id"} | item, key)

    agree(queue, [json.dumps(each, ensure_ascii=False) for each in messages], of_messages, of_items)


@settings(deadline=None, max_examples=800)
@given(
    st.sampled_from([*PLUGINS]),
    st.lists(st.dictionaries(st.sampled_from(["id", "a", "b", "other"]), typed.VALUES), max_size=2),
    st.lists(STEPS_OF_MESSAGES, min_size=1, max_size=4),
    st.lists(STEPS_OF_ITEMS, min_size=1, max_size=4),
)
def test_messages_that_it_takes(
    queue_of: Compile, kind: str, messages: list[dict[str, Any]], of_messages: Any, of_items: Any
) -> None:
    """Hooks get nearly all of them."""
    queue = queue_of(kind, SCHEMA, ITEM, {"id": "S"})
    bodies = [BODY, *(json.dumps({"id": "x", "a": 1} | each, ensure_ascii=False) for each in messages), BODY]

    assert agree(queue, bodies, of_messages, of_items) >= 2


def test_a_hook_gets_a_message_as_any(queue_of: Compile) -> None:
    """After any number of messages: of one class, with the same answers to all that compares or shows it."""
    queue = queue_of("messages", SCHEMA, ITEM, {"id": "S"})
    hooks = Hooks([("keep",), ("keep",)], [])

    planned, taken = plan_all(queue, [BODY, BODY], hooks, fast=True)

    first, *_ = hooks.earlier()
    again = Message(json.loads(BODY), "m0", "q", {}, dict(typed.SYSTEM))
    assert taken == 2
    assert (type(first), first == again, first != again, repr(first)) == (Message, True, False, repr(again))
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert planned[0].writes[0].request is not None


def test_a_member_of_an_object_that_a_hook_changes(queue_of: Compile) -> None:
    """The object is the same one, with another content."""
    schema = {"properties": {"id": TEXT, "o": {"type": "object", "properties": {"a": TEXT}}}}
    queue = queue_of("messages", schema, {"id": "id", "v": "o.a"}, {"id": "S"})

    assert agree(queue, ['{"id": "x", "o": {"a": "y"}}'] * 2, [("inside", "a", "z"), ("keep",)]) == 2


NUMBER = {"type": "number", "maximum": 4}
INSIDE = {"type": "object", "properties": {"n": NUMBER, "l": {"type": "array", "items": NUMBER}}}
WHOLE = {"properties": {"id": TEXT, "o": INSIDE, "l": {"type": "array", "items": INSIDE}}}


@pytest.mark.parametrize("body", ['{"id": "x", "o": {"n": 5}}', '{"id": "x", "o": {"l": [5]}}', '{"l": [{"n": 5}]}'])
def test_a_message_is_valid_before_hooks(queue_of: Compile, body: str) -> None:
    """Also where numbers are checked while the text of a whole object is written."""
    queue = queue_of("messages", WHOLE, {"id": "id", "o": "o", "l": "l"}, {"id": "S"})

    assert agree(queue, [body]) == 0
    assert agree(queue, [body.replace("5", "4")]) == 1


def test_hooks_run_once(queue_of: Compile) -> None:
    """Also of a message whose key is none, which the general way finds."""
    queue = queue_of("both", SCHEMA, ITEM, {"id": "S"})
    body = json.dumps({"id": "y" * 3000, "a": 1, "b": "y"})
    hooks = Hooks([], [])

    planned, taken = plan_all(queue, [body], hooks, fast=True)

    assert (len(hooks.earlier()) + 1, taken) == (3, 1)
    assert planned[0].outcome is not None
    assert planned[0].outcome.code == "RT808"
    assert agree(queue, [body]) == 1


@pytest.mark.parametrize("value", ["o", "l", "any"])
def test_items_that_a_hook_could_change_within(queue_of: Compile, value: str) -> None:
    """Lists and maps are the general way's, also where a schema says nothing."""
    schema = {"properties": {"id": TEXT, "o": INSIDE, "l": {"type": "array"}, "any": {}}}
    queue = queue_of("items", schema, {"id": "id", "v": value}, {"id": "S"})

    assert FastPaths().of(queue, COMPILE_AFTER + 1) is None


@pytest.mark.parametrize("value", [True, 1.0, Decimal(1), Text("x")])
@pytest.mark.parametrize("act", ["in place", "other"])
def test_values_that_are_equal_to_those_before(queue_of: Compile, act: str, value: Any) -> None:
    """They are others: DynamoDB stores a truth value as another type, and a number of binary fractions not at all."""
    queue = queue_of("items", SCHEMA, ITEM, {"id": "S"})
    name = "p" if value == 1 else "q"

    assert agree(queue, [BODY.replace('"y"', '"x"')], (), [(act, name, value)]) == 1
