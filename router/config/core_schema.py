"""Composes YAML by the core schema of YAML 1.2, within bounds, into nodes with positions."""

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
"""The most keys and values of a file, with aliases expanded."""
MAX_DEPTH = 100
"""The deepest nesting of maps and lists. DynamoDB stores 32 levels; schemas may need more."""

_TAG = "tag:yaml.org,2002:"
MAP, LIST, TEXT, MERGE = f"{_TAG}map", f"{_TAG}seq", f"{_TAG}str", f"{_TAG}merge"
_NULL, _BOOL, _INT, _FLOAT = f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float"

# Section 10.3.2 of https://yaml.org/spec/1.2.2/, and `<<`, which it does not have, but which is in common use.
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
    """Return the patterns by the first character that they can match, as PyYAML requires."""
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, (pattern, firsts) in _PATTERNS.items():
        for first in firsts:
            resolvers.setdefault(first, []).append((tag, pattern))
    return resolvers


Limit = Literal["nodes", "levels", "recursion"]


class LimitError(Exception):
    """The file exceeds a limit, at `mark`, or at its beginning."""

    def __init__(self, limit: Limit, mark: Any = None) -> None:
        super().__init__(limit)
        self.limit = limit
        self.line: int = mark.line if mark else 0
        self.column: int = mark.column if mark else 0


class CoreSchema:
    """A mixin that makes a PyYAML loader read the core schema, and stop at the bounds while it composes.

    PyYAML calls `descend_resolver` before, and `ascend_resolver` after, each node that is not an alias. It is the
    cheapest place to count nodes, and it precedes the recursion into the node.
    """

    yaml_implicit_resolvers = _resolvers()
    _depth = 0
    _nodes = 0

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        """Count a node, and raise LimitError if it exceeds a limit."""
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH + 1 or self._nodes > MAX_NODES:
            limit: Limit = "levels" if self._depth > MAX_DEPTH + 1 else "nodes"
            raise LimitError(limit, parent and parent.start_mark)

    def resolve(self, kind: type[Node], value: Any, implicit: Any) -> str:
        """Return the tag of a node without an explicit one; PyYAML's own method, without path resolvers."""
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
    """The loader; it uses libyaml if PyYAML was built with it."""


def compose(text: str, loader: Any = CoreLoader) -> Node | None:
    """Return the root node of the one document in `text`, or None; raises YAMLError and LimitError."""
    reader = loader(text)
    try:
        node: Node | None = reader.get_single_node()
        return node
    finally:
        reader.dispose()


def plain_value(node: ScalarNode) -> Any:
    """Return the value of a scalar: str, int, Decimal, bool or None; raises ValueError if it has none."""
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
        raise ValueError(f"{text} is not a number in JSON") from None
    except ValueError:
        raise ValueError("the number has too many digits") from None


def short_tag(node: Node) -> str:
    """Return the tag of a node as it is written in YAML: `!!binary`, `!mine`."""
    return "!!" + node.tag.removeprefix(_TAG) if node.tag.startswith(_TAG) else str(node.tag)
