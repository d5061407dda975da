"""What is proved about a schema holds for every message that the run-time validator accepts."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from router.errors import Rejection
from router.model import REMOVE, Message, Place, Table
from router.prover.conditions import condition_of, opposite_of
from router.prover.predicates import SOME_VALUE, there
from router.prover.schema_prover import Answer, SchemaProver
from router.tools.check.analysis.attributes import infer
from router.tools.check.analysis.proof_cache import prover_of
from router.tools.check.rule import Subject
from tests.support.config import Findings, spec
from tests.support.engine import UNLIMITED
from tests.support.program import (
    Check,
    CompileContext,
    Plugins,
    SchemaStore,
    compile_condition,
    compile_mapping,
    load_plugins,
)

SCHEMA = ("routes", "r", "schema")
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -3,
    1.5,
    "",
    "x",
    "xyz",
    "12",
    [],
    ["x"],
    [None, 1],
    {},
    {"a": "x"},
    {"b": 1},
]
MESSAGES: list[Any] = [
    *VALUES,
    *({name: value} for name, value in itertools.product("ab", VALUES)),
    *({"a": one, "b": other} for one, other in itertools.product(VALUES, VALUES)),
]
NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.sampled_from([("a",), ("b",), ("a", "b"), ("a", "a"), ("a", None), ("b", None)])
PLAIN = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 1},
        {"type": "string", "minLength": 1, "maxLength": 2},
        {"type": ["string", "null"]},
        {"type": "number"},
        {"type": "integer", "minimum": 0},
        {"type": "boolean"},
        {"type": "object"},
        {"enum": ["x", "xyz"]},
        {"enum": ["", 0, None]},
        {"const": "x"},
        {"pattern": "^x"},
        {"pattern": "^[xyz]{1,2}$"},
        {"type": "string", "format": "date"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"$ref": "#/$defs/d"},
        {},
        True,
        False,
    ]
)


def _combined(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(parts, min_size=1, max_size=2)
    objects = st.fixed_dictionaries(
        {"properties": st.dictionaries(NAMES, parts, max_size=2)},
        optional={
            "type": st.just("object"),
            "required": st.lists(NAMES, unique=True, max_size=2),
            "additionalProperties": parts,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), parts, max_size=1),
            "propertyNames": st.just({"enum": ["a", "b"]}),
            "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=1), max_size=1),
            "minProperties": st.integers(0, 2),
            "unevaluatedProperties": st.just(False),
        },
    )
    cases = st.fixed_dictionaries({"if": parts, "then": parts}, optional={"else": parts})
    branches = st.one_of(*(st.fixed_dictionaries({key: lists}) for key in ("allOf", "anyOf", "oneOf")))
    return st.one_of(objects, objects, cases, branches, st.fixed_dictionaries({"not": parts}))


SCHEMAS = st.builds(
    lambda body, definition: {**body, "$defs": {"d": definition}} if isinstance(body, dict) else body,
    st.recursive(PLAIN, _combined, max_leaves=8),
    PLAIN,
)
CONDITIONS = st.recursive(
    st.sampled_from(
        [
            *("a", "a.b", "a == 'x'", "b != 'x'", "a == `0`", "a == `null`", "b == `false`", "a.b == `1`", "@"),
            *("contains(['x', 'xyz'], a)", "contains(`[0, true]`, b)", "contains(`[]`, a)", "contains(a, 'x')"),
            *("length(a) == `1`", "length(a) != `1`", "length(b) < `2`", "length(a) > `1`", "length(@) <= `1`"),
            *("length(a) == `1.5`", "length(a) == `-1`", "length(b) >= `0`", "length(a) < `0`", "length('x') == `1`"),
            *("a > `0`", "b <= `0`", "`1` > a", "a >= `1.5`", "a < 'x'", "a > `true`", "a > b", "sum(a) > `0`"),
            *("starts_with(a, 'x')", "ends_with(b, 'z')", "starts_with(a, b)", "contains(b, '2')", "contains(a, '')"),
            *("type(a) == 'string'", "type(b) != 'null'", "type(a) == 'x'", "type(a.b) == 'number'", "type(a) > `1`"),
            *("`[]`", "`true`", "a == b", "'x' == a", "`1` != b", "`0` == `0`", "contains(a, `1`)"),
        ]
    ),
    lambda parts: st.one_of(
        parts.map(lambda text: f"!({text})"),
        st.tuples(parts, st.sampled_from(["&&", "||"]), parts).map(lambda of: f"({of[0]}) {of[1]} ({of[2]})"),
    ),
    max_leaves=4,
)
SOURCES = st.one_of(
    st.fixed_dictionaries(
        {"from_": st.sampled_from(["a", "b", "a.b", "a || b", "a || 'x'", "to_string(a)", "[a, b]", "'k'", "!a"])},
        optional={"transform": st.sampled_from(["strip", "to_text", "lower", "unique", "first", "to_bool"])},
    ),
    st.fixed_dictionaries({"template": st.sampled_from(["{a}", "{a}#{b}", "{a}{b}", "k{a}", "{{"])}),
    st.fixed_dictionaries({"hash": st.just(("a", "b"))}),
)
POLICIES = ["omit", "null", "error", "remove"]
ATTRIBUTES = st.builds(
    lambda source, more: spec.Attribute(**source, **more),
    SOURCES,
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["S", "N", "BOOL", "SS", "L", "M", "json"]),
            "default": st.sampled_from(["", "long text"]),
            "missing": st.sampled_from(POLICIES),
            "null": st.sampled_from(POLICIES),
        },
    ),
)
PROOFS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def _findings() -> Findings:
    return Findings(lambda path, key: Place("routes.yaml"))


def _prove(schema: Any) -> tuple[SchemaStore, Check, SchemaProver]:
    store = SchemaStore(Path("/nowhere"))
    check = store.compile(schema, _findings(), SCHEMA)
    linked = store.linked(schema, SCHEMA)
    proofs = linked and prover_of(linked)
    assume(check is not None and proofs is not None)
    assert check
    assert proofs
    return store, check, proofs


def _found(message: Any, path: tuple[str | None, ...]) -> Iterator[Any]:
    """Yields the values at a path; None for a missing one."""
    if not path:
        yield message
    elif path[0] is None:
        for element in message if isinstance(message, list) else ():
            yield from _found(element, path[1:])
    else:
        yield from _found(message.get(path[0]) if isinstance(message, dict) else None, path[1:])


def _kind(value: Any) -> str:
    kinds: list[tuple[Any, str]] = [(bool, "boolean"), (str, "string"), (list, "array"), (dict, "object"), (set, "set")]
    return next((kind for type_, kind in kinds if isinstance(value, type_)), "number")


@PROOFS
@given(SCHEMAS, PATHS)
def test_paths(schema: Any, path: tuple[str | None, ...]) -> None:
    """Presence, absence, types and lengths at a path hold for every valid message."""
    _, check, proofs = _prove(schema)
    values = [value for message in MESSAGES if check(message) is None for value in _found(message, path)]
    texts = [value for value in values if isinstance(value, str)]

    wrong = [
        proofs.impossible and any(check(message) is None for message in MESSAGES),
        proofs.present(path) is Answer.YES and None in values,
        proofs.absent(path) is Answer.YES and any(value is not None for value in values),
        proofs.present(path) is Answer.NO
        and None not in path
        and proofs.allows({"not": there(path, SOME_VALUE)}) is Answer.NO,
        {_kind(each) for each in values if each is not None}
        & {kind for kind, can in proofs.types(path).items() if can is Answer.NO},
        proofs.holds_at(path, {"minLength": 1}) is Answer.YES and "" in texts,
        max(map(len, texts), default=0) > (9 if (longest := proofs.longest(path, 9)) is None else longest),
        any(each in ("x", "xyz") for each in texts)
        and proofs.can_be(path, ["x", "xyz"]) is Answer.NO
        and None not in path,
    ]

    assert [each for each in wrong if each] == []


@PROOFS
@given(CONDITIONS)
def test_conditions(text: str) -> None:
    """The predicate of a condition holds for the messages that satisfy it; if it is exact, for no others."""
    positive, opposite = condition_of(text), opposite_of(text)
    holds = compile_condition(text)
    checks = [_prove(condition.predicate)[1] for condition in (positive, opposite)]

    for message in MESSAGES:
        for condition, check, wanted in zip((positive, opposite), checks, (True, False), strict=True):
            takes = check(message) is None
            assert takes or holds(message) is not wanted, message
            assert not (condition.exact and takes) or holds(message) is wanted, message


@PROOFS
@given(SCHEMAS, CONDITIONS, PATHS)
def test_narrowing(schema: Any, text: str, path: tuple[str | None, ...]) -> None:
    """What is proved about the messages that satisfy a condition holds for them."""
    _, check, proofs = _prove(schema)
    condition, holds = condition_of(text), compile_condition(text)
    narrowed = proofs.narrow(condition.predicate, condition.exact)
    messages = [message for message in MESSAGES if check(message) is None and holds(message)]
    values = [value for message in messages for value in _found(message, path)]

    wrong = [
        narrowed.impossible and messages,
        narrowed.present(path) is Answer.YES and None in values,
        narrowed.absent(path) is Answer.YES and any(value is not None for value in values),
    ]

    assert [each for each in wrong if each] == []


def _plugins() -> Plugins:
    return load_plugins((), Path(), _findings())


@PROOFS
@given(SCHEMAS, ATTRIBUTES)
def test_attributes(schema: Any, attribute: spec.Attribute) -> None:
    """The value of an attribute is as inferred."""
    store, check, _ = _prove(schema)
    plugins = _plugins()
    write = spec.WriteSettings(mode="update")
    route = spec.RouteSettings(queue="q", table="t", schema=schema, item={"k": attribute}, write=write)
    config = spec.Config(version=1, tables={"t": spec.TableSettings(key={"k": "S"})}, routes={"r": route})
    value = infer(Subject(config, plugins, store).routes[0], attribute).value
    context = CompileContext({}, {}, plugins, store, _findings(), {})
    mapping = compile_mapping("r", route, Table("t", ()), context, ("routes", "r"))
    assume(mapping is not None)
    assert mapping

    for data in MESSAGES:
        if check(data) is not None:
            continue
        try:
            [item] = mapping.items(Message(data), UNLIMITED)
        except Rejection:
            continue
        got = item.get("k")
        if got is None or got is REMOVE:
            assert value.missing is not Answer.NO, data
        else:
            assert value.types.get(_kind(got), Answer.NO) is not Answer.NO, (data, got)
            assert value.empty is not Answer.NO or got != "", data
            assert not isinstance(got, str) or value.longest is None or len(got) <= value.longest, (data, got)
