"""YAML scalars and bounds."""

import re
from decimal import Decimal
from typing import Any

import pytest
import yaml

from router.runtime.config.tree import (
    MAX_DEPTH,
    CoreLoader,
    CoreSchema,
    LimitError,
    compose,
    plain_value,
)


class PurePython(CoreSchema, yaml.SafeLoader):
    """CoreLoader as it is where PyYAML has no libyaml."""


LOADERS = pytest.mark.parametrize("loader", [CoreLoader, PurePython])


@LOADERS
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("12:30:00", "12:30:00"),
        ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("=", "="),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("010", 10),
        ("+5", 5),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("0x1e5", 485),
        ("3.10", Decimal("3.10")),
        (".5", Decimal("0.5")),
        ("1e3", Decimal("1E+3")),
        ("!!float 1", 1),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("true", True),
        ("FALSE", False),
        ("<<", "<<"),
    ],
)
def test_scalars_are_read_by_the_core_schema(loader: Any, text: Any, value: Any) -> None:
    """Text that YAML 1.1 converts stays text, and fractions are exact."""
    sequence: Any = compose(f"[{text}]", loader)
    node = sequence.value[0]

    read = plain_value(node)

    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (".nan", ".nan is not a number in JSON"),
        ("-.INF", "-.INF is not a number in JSON"),
        ("1e99999999999999999999", "1e99999999999999999999 is not a number in JSON"),
        ("9" * 5000, "the number has too many digits"),
        ("!!binary aGk=", "the tag !!binary is not supported"),
        ("!mine x", "the tag !mine is not supported"),
        ("!!int x", "'x' is not a value of the tag !!int"),
    ],
)
def test_what_json_cannot_hold_has_no_value(text: Any, reason: Any) -> None:
    """Infinity, tags of objects and misused tags raise ValueError with a reason."""
    node: Any = compose(text)

    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        plain_value(node)


@LOADERS
@pytest.mark.parametrize("text", ["- " * 100_000, "? " * 100_000, "{a: " * 900, "[" * 900])
def test_deep_nesting_is_refused_before_it_is_read(loader: Any, text: Any) -> None:
    """Each kind of nesting stops at the limit instead of exhausting the stack."""
    with pytest.raises(LimitError) as caught:
        compose(text, loader)

    assert caught.value.limit == "levels"


def test_the_deepest_nesting_that_is_allowed_is_read() -> None:
    """The limit itself is allowed."""
    assert compose("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH) is not None


class FewNodes(CoreLoader):
    """A loader of at most five nodes."""

    max_nodes = 5


class NoNodes(CoreLoader):
    """A loader that takes nothing."""

    max_nodes = 0


def test_too_many_nodes_are_refused() -> None:
    """Composing stops at the parent of the first node over the limit."""
    with pytest.raises(LimitError) as caught:
        compose("a: 1\nb: [2, 3]\n", FewNodes)

    assert (caught.value.limit, caught.value.line, caught.value.column) == ("nodes", 1, 3)


def count_nodes(node: Any) -> int:
    """The number of nodes of a file without aliases."""
    below = [each for child in node.value for each in (child if isinstance(child, tuple) else [child])]
    return 1 if isinstance(node.value, str) else 1 + sum(map(count_nodes, below))


@pytest.mark.parametrize(
    "text",
    [
        *("a", "- a\n- b", "a:\nb:", "a:\n- b\n- c", "? a\n? b", "? - a\n: - b", "- - - a", "- a: 1\n  b:\n- ?"),
        *("[a,b]", "[a: b,c: d]", "[? a,? b]", "{a,b}", "{{a}}", "{? a,? b}", "{a: {b}, c: [d]}", '{"a":1}'),
    ],
)
def test_each_way_to_write_a_node_is_counted(text: Any) -> None:
    """Also those of entries that have neither a name nor a value."""
    count = count_nodes(compose(text))
    enough, too_few = (type("Limited", (CoreLoader,), {"max_nodes": most}) for most in (count, count - 1))

    assert compose(text, enough) is not None
    with pytest.raises(LimitError):
        compose(text, too_few)


def test_a_limit_at_the_root_stands_at_the_beginning() -> None:
    """An error at the root has the beginning of the file as its place."""
    with pytest.raises(LimitError) as caught:
        compose("\n\na: 1\n", NoNodes)

    assert (caught.value.line, caught.value.column) == (0, 0)
