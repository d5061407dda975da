"""Composes YAML by the core schema of YAML 1.2, within bounds, and builds plain data
with the places of its parts.
"""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from router.codes import declare
from router.model import Code, Path, Place
from router.runtime.config.findings import Findings

if TYPE_CHECKING:
    from yaml import SafeLoader as _FastestLoader
else:
    _FastestLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_NODES = 1_000_000
"""The most keys and values of a file, with aliases expanded."""
MAX_DEPTH = 100
"""The deepest nesting of maps and lists.

DynamoDB stores 32 levels; schemas may need more.
"""
_DEEPEST = MAX_DEPTH + 1

_TAG = "tag:yaml.org,2002:"
MAP = f"{_TAG}map"
LIST = f"{_TAG}seq"
TEXT = f"{_TAG}str"
MERGE = f"{_TAG}merge"
_NULL = f"{_TAG}null"
_BOOL = f"{_TAG}bool"
_INT = f"{_TAG}int"
_FLOAT = f"{_TAG}float"

# Section 10.3.2 of https://yaml.org/spec/1.2.2/, and `<<`, which it does not have, but
# which is in common use.
_PATTERNS = {
    _NULL: re.compile(r"(?:null|Null|NULL|~|)\Z"),
    _BOOL: re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    _INT: re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    _FLOAT: re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    MERGE: re.compile(r"<<\Z"),
}
_FIRSTS = {
    _NULL: "nN~",
    _BOOL: "tTfF",
    _INT: "-+0123456789",
    _FLOAT: "-+.0123456789",
    MERGE: "<",
}
"""The characters that a value of a tag can begin with; one of null may be empty."""


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return the patterns by the first character that they can match, as in PyYAML."""
    resolvers = {"": [(_NULL, _PATTERNS[_NULL])]}
    for tag, firsts in _FIRSTS.items():
        for first in firsts:
            resolvers.setdefault(first, []).append((tag, _PATTERNS[tag]))
    return resolvers


_RESOLVERS = _resolvers()


@lru_cache(maxsize=1024)
def _resolve(kind: type[Node], value: Any, implicit: Any) -> str:
    """Return the tag of a node without an explicit one.

    It is PyYAML's own method, without path resolvers. The same few names and values are
    most of a config, so that they are kept.
    """
    if kind is not ScalarNode:
        return MAP if kind is MappingNode else LIST
    if implicit[0]:
        for tag, pattern in _RESOLVERS.get(value[:1], ()):
            if pattern.match(value):
                return tag
    return TEXT


Limit = Literal["nodes", "levels", "recursion"]


class LimitError(Exception):
    """The file exceeds a limit, at `mark`, or at its beginning."""

    def __init__(self, limit: Limit, mark: Any = None) -> None:
        super().__init__(limit)
        self.limit = limit
        self.line: int = mark.line if mark else 0
        self.column: int = mark.column if mark else 0


class CoreSchema:
    """A mixin for a loader of PyYAML: it reads the core schema, within bounds.

    PyYAML calls `descend_resolver` before, and `ascend_resolver` after, each node that
    is not an alias. It is the cheapest place to count nodes, and it precedes the
    recursion into the node.
    """

    yaml_implicit_resolvers = _RESOLVERS
    resolve = staticmethod(_resolve)
    max_nodes = MAX_NODES

    def __init__(self, stream: str) -> None:
        super().__init__(stream)  # type: ignore[call-arg]  # the loader's constructor
        self._nodes = 0
        # An entry, of at most two nodes, begins with one of a few characters.
        most = 1 + 2 * sum(map(stream.count, "-:?,[{"))
        self._is_counted = most > self.max_nodes
        # One for each further level.
        self._levels = [None] * _DEEPEST
        # It leaves a node, without a call of a function in Python for each.
        self.ascend_resolver = partial(self._levels.append, None)

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        """Enter a node, and raise LimitError if it exceeds a limit."""
        try:
            self._levels.pop()
        except IndexError:
            raise LimitError("levels", parent and parent.start_mark) from None
        if self._is_counted:
            self._nodes += 1
            if self._nodes > self.max_nodes:
                raise LimitError("nodes", parent and parent.start_mark)


class CoreLoader(CoreSchema, _FastestLoader):
    """The loader; it uses libyaml if PyYAML was built with it."""


def compose(text: str, loader: Any = CoreLoader) -> Node | None:
    """Return the root node of the one document in `text`, or None.

    Raises YAMLError and LimitError.
    """
    reader = loader(text)
    try:
        node: Node | None = reader.get_single_node()
        return node
    finally:
        reader.dispose()


def plain_value(node: ScalarNode) -> Any:
    """Return the value of a scalar: str, int, Decimal, bool or None.

    Raises ValueError if it has none.
    """
    text: str = node.value
    if node.tag in (TEXT, MERGE):
        return text
    if node.tag not in _PATTERNS:
        raise ValueError(f"the tag {short_tag(node)} is not supported")
    if not _PATTERNS[node.tag].match(text):
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
        is_whole = set(".eE").isdisjoint(text)
        return int(text) if is_whole else Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text} is not a number in JSON") from None
    except ValueError:
        raise ValueError("the number has too many digits") from None


def short_tag(node: Node) -> str:
    """Return the tag of a node as it is written in YAML: `!!binary`, `!mine`."""
    tag = str(node.tag)
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag


RT004 = declare(
    "RT004",
    "duplicate key",
    "Readers of YAML keep one of two equal keys, and drop the other silently, so that "
    "its value has no effect.",
)
RT007 = declare(
    "RT007",
    "not a plain value",
    "A config contains the values of JSON: text, numbers, true, false, null, lists and "
    "maps with text keys. Tags that "
    "create objects can run code, and DynamoDB stores neither infinity nor not-a-number.",
)

_Entries = dict[str, tuple[Node, Node]]
_UNFINISHED: Any = object()
"""In place of the value of a node that is being built."""


class Tree:
    """The nodes of one file; places are looked up in them on demand.

    `findings` are the faults of nodes.
    """

    def __init__(self, root: MappingNode, file: str) -> None:
        self.findings = Findings(self.locate)
        self._root = root
        self._file = file
        self._entries: dict[int, _Entries] = {}
        self._built: dict[int, Any] = {}
        # Whether a list or a map has an alias. Of other values, there are as many aliases
        # as places.
        self._has_aliases = False
        self._nodes = 1
        self._found: dict[Path, tuple[Node, Node, bool]] = {(): (root, root, True)}
        self._merged = 0

    def data(self) -> dict[str, Any]:
        """Return the plain data, and add `findings`; raises LimitError."""
        data: dict[str, Any] = self._build(self._root)
        # The loader has counted only what is no alias.
        if self._has_aliases or self._nodes > MAX_NODES:
            _measure(self._root, {})
        return data

    def locate(self, path: Path, key: bool = False) -> Place:
        """Return the place of the value (or of its key) at `path`.

        If it does not exist, that of the nearest parent that exists.

        An element of a list has no key: the place is that of its value. An empty value
        has the place of its key.
        """
        key_node, node, _ = self._find(path)
        is_empty = node.start_mark.index == node.end_mark.index
        return self.place(key_node if key or is_empty else node)

    def _find(self, path: Path) -> tuple[Node, Node, bool]:
        """Return the nodes of the key and of the value at `path`, and whether it exists.

        If not, they are those of the nearest parent that exists.
        """
        if path in self._found:
            return self._found[path]
        key_node, node, exists = self._find(path[:-1])
        child = self._child(node, path[-1]) if exists else None
        found = (key_node, node, False) if child is None else (*child, True)
        self._found[path] = found
        return found

    def _child(self, node: Node, step: str | int) -> tuple[Node, Node] | None:
        if isinstance(step, str):
            return self._entries.get(id(node), {}).get(step)
        if not isinstance(node, SequenceNode) or step >= len(node.value):
            return None
        element = node.value[step]
        return element, element

    def place(self, node: Node) -> Place:
        """Return the place where a node begins."""
        return Place(self._file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _fault(self, code: Code, sentence: str, node: Node, suggestion: str) -> None:
        self.findings.add(code, sentence, place=self.place(node), suggestion=suggestion)

    def _build(self, node: Node) -> Any:
        """Return the value of a node; aliases share the value of their anchor."""
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        mark = id(node)
        if mark in self._built:
            self._has_aliases = True
            if self._built[mark] is _UNFINISHED:
                raise LimitError("recursion", node.start_mark)
            return self._built[mark]
        self._built[mark] = _UNFINISHED
        is_map = isinstance(node, MappingNode)
        built = self._map(node) if is_map else self._list(node)
        self._built[mark] = built
        if node.tag not in (MAP, LIST):
            self._fault(
                RT007,
                f"the tag {short_tag(node)} is not supported",
                node,
                "remove it",
            )
        return built

    def _scalar(self, node: ScalarNode) -> Any:
        try:
            return plain_value(node)
        except ValueError as error:
            self._fault(
                RT007,
                str(error),
                node,
                "write text in quotes, or a plain number",
            )
            return node.value or short_tag(node)

    def _list(self, node: Node) -> list[Any]:
        self._nodes += len(node.value)
        return [self._build(child) for child in node.value]

    def _map(self, node: Node) -> dict[str, Any]:
        self._nodes += 2 * len(node.value)
        data: dict[str, Any] = {}
        entries: _Entries = {}
        own: dict[str, Node] = {}
        for key_node, value_node in node.value:
            # Most are text: they are read without a call.
            if value_node.tag == TEXT and value_node.__class__ is ScalarNode:
                value = value_node.value
            else:
                value = self._build(value_node)
            is_text = key_node.__class__ is ScalarNode
            name = key_node.value if is_text else self._key(key_node)
            if name in own:
                first = own[name].start_mark.line + 1
                self._fault(
                    RT004,
                    f"duplicate key {name!r}; the first is on line {first}",
                    key_node,
                    "keep one of the two",
                )
                continue
            own[name] = key_node
            if key_node.tag == MERGE:
                self._merge(value_node, data, entries)
            else:
                data[name] = value
                entries[name] = (key_node, value_node)
        self._entries[id(node)] = entries
        return data

    def _key(self, node: Node) -> str:
        """Return the text that stands for a key that is not one.

        `5` and `on` are text here.
        """
        self._build(node)
        self._fault(
            RT007,
            "a key must be text, not a list or a map",
            node,
            "write text before the colon",
        )
        mark = node.start_mark
        return f"(key on line {mark.line + 1}, column {mark.column + 1})"

    def _merge(self, node: Node, data: dict[str, Any], entries: _Entries) -> None:
        """Add the entries of a `<<`.

        Keys that the map or an earlier source has are left out.
        """
        for source in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(source, MappingNode):
                self._fault(
                    RT007,
                    "'<<' takes a map, or a list of maps",
                    source,
                    "name an anchor of a map: <<: *name",
                )
                continue
            merged = self._build(source)
            self._merged += len(merged)
            if self._merged > MAX_NODES:
                raise LimitError("nodes", source.start_mark)
            for name, pair in self._entries[id(source)].items():
                if name not in entries:
                    entries[name] = pair
                    data[name] = merged[name]


def _measure(node: Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return the number of nodes of a value with aliases expanded, and its depth.

    Raises LimitError. `known` are those of lists and maps by identity: an alias counts
    as often as it is written.
    """
    if isinstance(node, ScalarNode):
        return 1, 1
    if id(node) not in known:
        size = 1
        depth = 0
        for child in node.value:
            value = child
            if isinstance(child, tuple):
                key, value = child
                # It counts as text: what else it is, is a fault.
                _measure(key, known)
                size += 1
            value_size, value_depth = _measure(value, known)
            size += value_size
            depth = max(depth, value_depth)
        if size > MAX_NODES:
            raise LimitError("nodes", node.start_mark)
        if depth > MAX_DEPTH:
            raise LimitError("levels", node.start_mark)
        known[id(node)] = size, depth + 1
    return known[id(node)]
