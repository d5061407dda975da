"""Reads YAML by the core schema of YAML 1.2, within bounds, into nodes that know where they stand."""

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

if TYPE_CHECKING:
    from yaml import SafeLoader as _FastestLoader
else:
    _FastestLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_NODES = 1_000_000
"""Keys and values that a file may have; aliases count as what they stand for."""
MAX_DEPTH = 100
"""Maps and lists that may stand inside each other. DynamoDB stores 32 levels; schemas may need more."""

_TAG = "tag:yaml.org,2002:"
MAP, LIST, TEXT, MERGE = f"{_TAG}map", f"{_TAG}seq", f"{_TAG}str", f"{_TAG}merge"
_NULL, _BOOL, _INT, _FLOAT = f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float"

# Section 10.3.2 of https://yaml.org/spec/1.2.2/, and `<<`, which is not in it and which everybody uses.
_PATTERNS: dict[str, tuple[re.Pattern[str], list[str]]] = {
    _NULL: (re.compile(r"(?:null|Null|NULL|~|)\Z"), ["n", "N", "~", ""]),
    _BOOL: (re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")),
    _INT: (re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), list("-+0123456789")),
    _FLOAT: (
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        list("-+.0123456789"),
    ),
    MERGE: (re.compile(r"<<\Z"), ["<"]),
}


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """The patterns by the first character that they can match, as PyYAML wants them."""
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, (pattern, firsts) in _PATTERNS.items():
        for first in firsts:
            resolvers.setdefault(first, []).append((tag, pattern))
    return resolvers


Limit = Literal["nodes", "levels", "recursion"]


class LimitError(Exception):
    """The file goes over a limit, at `mark`, or at its beginning."""

    def __init__(self, limit: Limit, mark: Any = None) -> None:
        super().__init__(limit)
        self.limit = limit
        self.line: int = mark.line if mark else 0
        self.column: int = mark.column if mark else 0


class CoreSchema:
    """What makes a PyYAML loader read the core schema, and stop at the bounds while it composes.

    PyYAML calls `descend_resolver` before, and `ascend_resolver` after, each node that is no alias: the cheapest
    place to count, and one that comes before the recursion into the node.
    """

    yaml_implicit_resolvers = _resolvers()
    _depth = 0
    _nodes = 0

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        """Count a node, and refuse it if it is one too many or too deep."""
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH + 1 or self._nodes > MAX_NODES:
            limit: Limit = "levels" if self._depth > MAX_DEPTH + 1 else "nodes"
            raise LimitError(limit, parent and parent.start_mark)

    def resolve(self, kind: type[Node], value: Any, implicit: Any) -> str:
        """The tag of a node that has none written: PyYAML's own way, without what we do not use of it."""
        if kind is not ScalarNode:
            return MAP if kind is MappingNode else LIST
        if implicit[0]:
            for tag, pattern in self.yaml_implicit_resolvers.get(value[:1], ()):
                if pattern.match(value):
                    return tag
        return TEXT

    def ascend_resolver(self) -> None:
        """Leave the node."""
        self._depth -= 1


class CoreLoader(CoreSchema, _FastestLoader):
    """The loader: libyaml's where PyYAML was built with it."""


def compose(text: str, loader: Any = CoreLoader) -> Node | None:
    """The root node of the one document in `text`, or None if there is none; raises YAMLError and LimitError."""
    reader = loader(text)
    try:
        node: Node | None = reader.get_single_node()
        return node
    finally:
        reader.dispose()


def plain_value(node: ScalarNode) -> Any:
    """The value of a scalar: str, int, Decimal, bool or None; ValueError says why it has none."""
    text: str = node.value
    if node.tag in (TEXT, MERGE):
        return text
    if node.tag not in _PATTERNS:
        raise ValueError(f"the tag {short_tag(node)} is not supported")
    if not _PATTERNS[node.tag][0].match(text):
        raise ValueError(f"{text!r} is not a value of the tag {short_tag(node)}")
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        return text[0] in "tT"
    return _number(text)


def _number(text: str) -> int | Decimal:
    try:
        if text[:2] in ("0o", "0x"):
            return int(text, 0)
        return Decimal(text) if any(mark in text for mark in ".eE") else int(text)
    except InvalidOperation:
        raise ValueError(f"{text} is no number that JSON has") from None
    except ValueError:
        raise ValueError("the number has too many digits") from None


def short_tag(node: Node) -> str:
    """The tag of a node as a person writes it: `!!binary`, `!mine`."""
    return "!!" + node.tag.removeprefix(_TAG) if node.tag.startswith(_TAG) else str(node.tag)
