"""The index of the routes of a queue: it selects each route that takes a message, in order, and few others."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from router.model import Record
from router.runtime.program.expressions import path_of
from router.runtime.program.expressions.compile import compile_condition, look_up, parse_expression
from router.runtime.program.load import load_program
from router.runtime.program.route_index import MAX_ENTRIES, MIN_SPARED, index_routes, required_texts
from tests.support.engine import CompiledQueue, plan

TEXTS = st.sampled_from(["a", "b", "c", ""])
FIELDS = st.sampled_from(["kind", "other", "in.kind", "@"])
LITERALS = TEXTS.map(lambda text: f"'{text}'") | st.sampled_from(["`1`", "`null`", "`true`", '`"a"`', "kind"])
COMPARED = st.one_of(
    st.builds("{} == {}".format, FIELDS, LITERALS),
    st.builds("{} == {}".format, LITERALS, FIELDS),
    st.builds("{} != {}".format, FIELDS, LITERALS),
    st.builds("contains([{}, {}], {})".format, LITERALS, LITERALS, FIELDS),
    st.builds("contains(`[{}]`, {})".format, st.sampled_from(["", '"a", "b"', '"a", 1']), FIELDS),
    st.builds("contains({}, {})".format, FIELDS, LITERALS),
    st.builds("length({}) > `0`".format, FIELDS),
    FIELDS,
)
CONDITIONS = st.recursive(
    COMPARED,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} | {})".format, inner, inner),
    ),
    max_leaves=6,
)
VALUES: st.SearchStrategy[Any] = TEXTS | st.sampled_from([None, 1, True, [], ["a"], {}])
MESSAGES = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {}, optional={"kind": VALUES, "other": VALUES, "in": VALUES | st.dictionaries(st.just("kind"), VALUES)}
    ),
)


@given(CONDITIONS, MESSAGES)
@example("length(other) > `0` && kind == 'a'", {"kind": "b"})
@example("kind == 'a' && kind == 'b'", {"kind": "b"})
def test_a_condition_that_holds_has_a_required_text_at_each_path(condition: str, data: Any) -> None:
    """What is required is necessary."""
    required = required_texts(parse_expression(condition))
    found = {path: look_up(path)(data) for path in required}

    assert not compile_condition(condition)(data) or all(
        isinstance(value, str) and value in required[path] for path, value in found.items()
    )


@pytest.mark.parametrize(
    ("condition", "required"),
    [
        ("kind == 'x'", {"kind": {"x"}}),
        ("'x' == in.kind", {"in.kind": {"x"}}),
        ("kind == 'x' && total > `1`", {"kind": {"x"}}),
        ("total > `1` && kind == 'x' && v == 'y'", {"kind": {"x"}, "v": {"y"}}),
        ("kind == 'x' || kind == 'y'", {"kind": {"x", "y"}}),
        ("contains(['x', 'y'], kind)", {"kind": {"x", "y"}}),
        ('contains(`["x"]`, kind)', {"kind": {"x"}}),
        ("kind == 'x' && contains(['x', 'y'], kind)", {"kind": {"x"}}),
        ("kind == 'x' && kind == 'y'", {"kind": set()}),
        ("kind == 'x' || v == 'y'", {}),
        ("kind == `1`", {}),
        ("kind == other", {}),
        ("contains(['x', other], kind)", {}),
        ("contains(kind, 'x')", {}),
        ("kind != 'x'", {}),
        ("!(kind == 'x')", {}),
    ],
)
def test_required(condition: str, required: Mapping[str, set[str]]) -> None:
    """An equality with text, also under && and ||, and a list of texts that contains a field."""
    assert required_texts(parse_expression(condition)) == {
        path_of(parse_expression(path)): texts for path, texts in required.items()
    }


@pytest.fixture(scope="module")
def queue_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., CompiledQueue]:
    """Compiles a queue with a route for each condition; "" is a route without one."""

    def compile_queue(conditions: list[str], match: str = "all", **settings: Any) -> CompiledQueue:
        routes = {
            f"r{number}": {"queue": "q", "table": "things", "item": {"id": {"meta": "message_id"}}}
            | ({"when": condition} if condition else {})
            for number, condition in enumerate(conditions)
        }
        config = {
            "version": 1,
            "queues": {"q": {"match": match, **settings}},
            "tables": {"things": {"key": {"id": "S"}}},
            "routes": routes,
        }
        path = Path(tmp_path_factory.mktemp("index"), "routes.yaml")
        path.write_text(json.dumps(config))
        return load_program(path, {"ROUTER_REDACT_KEY": "k" * 32}).engine.queues["q"]

    return compile_queue


@given(st.lists(CONDITIONS | st.just(""), min_size=1, max_size=12), st.sampled_from(["all", "first"]), MESSAGES)
def test_the_same_result_with_and_without_index(
    queue_of: Callable[..., CompiledQueue], conditions: list[str], match: str, data: Any
) -> None:
    """Writes, their order and the outcome."""
    queue = queue_of(conditions, match)
    record = Record("id", "", json.dumps(data))
    planned, expected = plan(queue, record), plan(structs.replace(queue, index=None), record)

    assert (planned.outcome, planned.writes) == (expected.outcome, expected.writes)


def test_a_message_reaches_the_routes_of_its_kind(queue_of: Callable[..., CompiledQueue]) -> None:
    """And those without condition, in the order of the file."""
    queue = queue_of([*(f"kind == 'k{number}' && total > `1`" for number in range(500)), "", "kind == 'k7'"])
    assert queue.index is not None

    assert [
        [route.route.name for route in queue.index.select(queue.routes, {"kind": value})]
        for value in ("k7", "none", 7, ["k7"])
    ] == [["r7", "r500", "r501"], ["r500"], ["r500"], ["r500"]]


@pytest.mark.parametrize(
    ("trace", "asked"), [(None, ["r7"]), (lambda route, stage, result: None, [f"r{n}" for n in range(10)])]
)
def test_which_conditions_are_asked(queue_of: Callable[..., CompiledQueue], trace: Any, asked: list[str]) -> None:
    """Those that can hold; all for a trace, which shows the others too."""
    queue = queue_of([f"kind == 'k{n}'" for n in range(10)])
    seen: list[str] = []

    def asking(route: Any) -> Any:
        def when(data: Any) -> Any:
            seen.append(route.route.name)
            return route.when(data)

        return structs.replace(route, when=when)

    queue = structs.replace(queue, routes=tuple(map(asking, queue.routes)))
    planned = plan(queue, Record("id", "", '{"kind": "k7"}'), trace)

    assert ([write.route for write in planned.writes], seen) == (["r7"], asked)


@pytest.mark.parametrize(
    ("conditions", "settings"),
    [
        (["kind == 'a'", "kind == 'b'", "kind == 'c'"], {}),
        (["kind == 'a'"] * 9, {}),
        (["total > `1`"] * 9, {}),
        ([f"kind == '{each}'" for each in "abcdefg"], {"redact": ["kind"], "dead_letter": "dlq"}),
    ],
)
def test_no_index(queue_of: Callable[..., CompiledQueue], conditions: list[str], settings: dict[str, Any]) -> None:
    """For few routes, for conditions that one text fulfils or that say nothing of text, and for redacted queues."""
    assert queue_of(conditions, **settings).index is None


def test_the_path_that_tells_most_routes_apart() -> None:
    """Of several, whatever their order."""
    index = index_routes([f"source == 's{n % 2}' && kind == 'k{n}'" for n in range(10)], {})

    assert index is not None
    assert index.by_text == {f"k{n}": (n,) for n in range(10)}


@pytest.mark.parametrize("condition", ["kind == 'k{}'", "kind == 'x{}' && kind == 'y'"])
@pytest.mark.parametrize(("count", "pays"), [(MIN_SPARED, False), (MIN_SPARED + 1, True)])
def test_an_index_pays(condition: str, count: int, pays: bool) -> None:
    """If it spares a message some conditions; of routes that no text reaches it spares one more."""
    index = index_routes([condition.format(n) for n in range(count)], {})

    assert (index is not None) == (pays or "&&" in condition)


@pytest.mark.parametrize(("more", "is_indexed"), [(0, True), (1, False)])
def test_an_index_is_bounded(more: int, is_indexed: bool) -> None:
    """Each text lists all routes that have no required text."""
    texts = 500
    # An entry of each text for itself and for each of the others.
    others = MAX_ENTRIES // texts - 1 + more

    index = index_routes([*(f"kind == '{n}'" for n in range(texts)), *(["total"] * others)], {})

    assert (index is not None) == is_indexed
