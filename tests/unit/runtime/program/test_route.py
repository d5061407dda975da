"""One route: its table, its plugins, its `when`, its schema."""

from typing import Any

import pytest

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("thing", "RT201 unknown table 'thing'; did you mean 'things'?"),
        ("orders", "RT201 unknown table 'orders'; add it under 'tables', with its key"),
    ],
)
def test_an_unknown_table(flow: Any, table: str, sentence: str) -> None:
    """Its key is not known, and all else is checked."""
    assert flow({"table": table, "item": {"a": "a", "b": "sum("}}).sentences == [
        sentence,
        "RT401 'sum(' is not a JMESPath expression: it ends too early",
    ]


@pytest.mark.parametrize(
    ("when", "taken"),
    [
        ("type == 'x'", True),
        ("type != 'x'", False),
        ("n == `1.10`", True),
        ("n > `1.09999999999999999999`", True),
        ("sum([n, n]) == `2.2`", True),
        ("nowhere", False),
        ("length(nowhere) > `0`", False),
        ("n > 'x'", False),
        ("!nowhere", True),
    ],
)
def test_when(flow: Any, when: str, taken: bool) -> None:
    """The route takes the message if it holds; an expression that fails is false."""
    sent = flow({"when": when}).send(body='{"id": "1", "type": "x", "n": 1.1}')

    assert (isinstance(sent, list) or sent) == (
        True if taken else ("rejected", "RT805", "no route takes the message", "")
    )


def test_a_faulty_when(flow: Any) -> None:
    """Is found where it stands."""
    assert flow({"when": "type =="}).sentences == ["RT401 'type ==' is not a JMESPath expression: it ends too early"]


@pytest.mark.parametrize(("on_invalid", "kind"), [("dead_letter", "rejected"), ("drop", "dropped"), ("retry", "retry")])
def test_a_message_that_fails_its_schema(flow: Any, on_invalid: str, kind: str) -> None:
    """What becomes of it says `on_invalid`."""
    sent = flow({"schema": SCHEMA, "on_invalid": on_invalid}).send({"id": 1})

    assert (sent[0], sent[1], sent[3]) == (kind, "RT806", "/id")


def test_a_message_that_passes_its_schema(flow: Any) -> None:
    """Goes on."""
    assert flow({"schema": SCHEMA}).send({"id": "1"}) == [{"id": "1"}]


@pytest.mark.parametrize(
    ("route", "sentences"),
    [
        ({"plugins": ["own"], "options": {"own": {"x": 1}}}, []),
        ({"plugins": []}, []),
        (
            {"plugins": ["won", "prices"], "options": {"owns": {}, "rates": {}}},
            [
                "RT204 unknown plugin 'won'; did you mean 'own'?",
                "RT204 unknown plugin 'prices'; load it under the top-level 'plugins'",
                "RT204 unknown plugin 'owns'; did you mean 'own'?",
                "RT204 unknown plugin 'rates'; load it under the top-level 'plugins'",
            ],
        ),
    ],
)
def test_plugins_of_a_route(flow: Any, route: Any, sentences: list[str]) -> None:
    """Are those that the file loads."""
    assert flow(route, plugin="pass").sentences == sentences


def test_a_plugin_with_a_fault_is_not_unknown(flow: Any) -> None:
    """Its own fault is reported, and no other that comes of it."""
    made = flow({"plugins": ["own"], "options": {"own": {}}}, plugin="raise KeyError")

    assert [sentence[:5] for sentence in made.sentences] == ["RT501"]


@pytest.mark.parametrize(
    ("route", "item"),
    [
        ({}, {"id": "1", "by": None}),
        ({"plugins": []}, {"id": "1"}),
        ({"plugins": ["own"], "options": {"own": {"x": 2}}}, {"id": "1", "by": {"x": 2}}),
    ],
)
def test_whose_hooks_run(flow: Any, route: Any, item: Any) -> None:
    """Those of the named plugins, by default of all, with the route's options."""
    plugin = """
@hookimpl
def router_transform_item(item, route):
    return {**item, "by": route.options.get("own")}
"""
    assert flow(route, plugin=plugin).send({"id": "1"}) == [item]


def test_hooks_of_both_kinds(flow: Any) -> None:
    """The message is transformed before it is mapped, the item after."""
    plugin = """
@hookimpl
def router_transform_message(message):
    return message.with_data({"id": message.data["key"]})

@hookimpl
def router_transform_item(item, message):
    return {**item, "seen": message.data["id"]}
"""
    assert flow({"item": {"id": "id"}}, plugin=plugin).send({"key": "1"}) == [{"id": "1", "seen": "1"}]
