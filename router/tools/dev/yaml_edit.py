"""Edits values of a YAML file, and leaves every other character as it is."""

from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from operator import getitem
from pathlib import Path as FilePath
from typing import Any

import yaml

from router.errors import RouterError, refusing_file
from router.model import Path
from router.runtime.config.environment import copy_plain, parts
from router.runtime.config.source import parse_text
from router.runtime.config.tree import CoreSchema, compose
from router.runtime.conversions import plain_number
from router.runtime.filesystem import read_regular
from router.tools.deploy.file_writing import replace_file
from router.tools.dev.compare import same

_WIDTH = 100
"""The longest line on which a new value is written."""

_INDENT = 2

Edit = tuple[int, int, str]
"""A replacement: start and end in the text, and the new text."""
Entries = dict[str | int, tuple[int, Any]]
"""The start of each entry of a node, and the node of its value."""


class CannotUpdate(Exception):
    """A failing test is not changed; the text has the reason."""


class YamlFile:
    """A YAML file that is edited, and then saved; `unsaved` is its content, if that differs from
    the one on disk.
    """

    def __init__(self, path: FilePath, unsaved: bytes | None = None) -> None:
        self._path = path
        # As bytes, so that line endings do not change.
        raw = read_regular(path) if unsaved is None else unsaved
        self._text = raw.decode("utf-8-sig")
        self._mark = BOM_UTF8 if raw.startswith(BOM_UTF8) else b""
        self._data: Any = parse_text(self._text, as_written=True).data

    def data(self, path: Path) -> Any:
        """Return the value at a path, with its references to variables."""
        return reduce(getitem, path, self._data)

    def change(self, path: Path, new: dict[str, Any] | list[Any]) -> None:
        """Replace the map or list at a path; raises CannotUpdate, without any change, if that is
        not safe.
        """
        node: Any = compose(self._text)
        for step in path:
            node = _child(node, step)
        text = self._text
        newline = "\r\n" if "\r\n" in text else "\n"
        edits = _edits(text, node, self.data(path), new)
        # From the end to the beginning, so that the places of the other edits stay.
        for start, end, replacement in sorted(edits, reverse=True):
            text = text[:start] + replacement.replace("\n", newline) + text[end:]
        wanted: Any = new
        if path:
            # A copy without shared parts: a change of one alias must not change the others.
            wanted = copy_plain(self._data)
            reduce(getitem, path[:-1], wanted)[path[-1]] = new
        # Verify that the edits had this effect and no other.
        if not same(_read(text), wanted):
            raise CannotUpdate(
                "it is written in a way that cannot be edited safely (an anchor or alias?); change it by hand"
            )
        self._text, self._data = text, wanted

    def add(self, section: str, name: str, value: Any) -> None:
        """Add an entry to the map of a section, which is added if there is none; raises
        CannotUpdate.
        """
        known = self._data.get(section)
        if known is None:
            self.change((), {**self._data, section: {name: value}})
            return
        self.change((section,), {**known, name: value})

    def comment(self, section: str, name: str, lines: Sequence[str]) -> None:
        """Write a comment above an entry of a section; one that is on a line with others gets none."""
        node = _child(compose(self._text), section)
        start, _ = _entries(self._text, node)[name]
        line = self._text.rfind("\n", 0, start) + 1
        indent = self._text[line:start]
        if not indent.strip():
            newline = "\r\n" if "\r\n" in self._text else "\n"
            text = "".join(f"{indent}# {each}{newline}" for each in lines)
            self._text = f"{self._text[:line]}{text}{self._text[line:]}"

    @property
    def content(self) -> bytes:
        """The file with its changes."""
        return self._mark + self._text.encode()

    def save(self) -> None:
        """Write the file; raises UsageError."""
        with refusing_file(f"write '{self._path}'"):
            replace_file(self._path, self.content)


def _read(text: str) -> Any:
    try:
        return parse_text(text, as_written=True).data
    except RouterError:
        return None


def _child(node: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return node.value[step]
    for key, value in node.value:
        if key.value == step:
            return value
    raise CannotUpdate("it comes from an anchor; change it by hand")


def _edits(
    text: str,
    node: Any,
    old: Any,
    new: Any,
) -> Iterator[Edit]:
    """Yield the edits that change a node's value from `old` to `new`, none of which overlap; equal
    parts stay.
    """
    if same(old, new):
        return
    entries = _entries(text, node)
    before, after = dict(parts(old)), dict(parts(new))
    if type(old) is not type(new) or not entries.keys() & after.keys():
        yield _replacement(text, node, new)
        return
    yield from _deletions(text, node, entries, after.keys())
    added = {}
    for step, value in after.items():
        is_same = step in before and same(before[step], value)
        if step in entries and not is_same:
            start, old_node = entries[step]
            at = old_node.start_mark.index
            if at < start or text[at] == "&":
                raise CannotUpdate(f"its '{step}' is an anchor or alias; change it by hand")
            yield from _edits(text, old_node, before[step], value)
        elif not is_same:
            # An entry that `<<` merges is added only if its value changes.
            added[step] = value
    if added:
        yield _addition(text, node, added)


def _replacement(text: str, node: Any, new: Any) -> Edit:
    """Return the edit that writes a value on one line, in the quotes of the old one."""
    start, end = int(node.start_mark.index), _end(text, node)
    if isinstance(node, yaml.ScalarNode):
        is_quoted = isinstance(new, str) and node.style in ("'", '"')
        return start, end, _dump(new, node.style if is_quoted else None)
    before = text[:start].rstrip()
    if before.endswith(":"):
        # A value below its key moves beside it, since a list may begin in the column of the key.
        return len(before), end, f" {_dump(new)}"
    return start, end, _dump(new)


def _entries(text: str, node: Any) -> Entries:
    """Return the entries of a node; that of a list begins with its dash."""
    if isinstance(node, yaml.ScalarNode):
        return {}
    if isinstance(node, yaml.MappingNode):
        return {key.value: (key.start_mark.index, value) for key, value in node.value}
    entries: Entries = {}
    for index, value in enumerate(node.value):
        start = value.start_mark.index
        if not node.flow_style:
            start = text.rfind("-", 0, start)
        entries[index] = start, value
    return entries


def _deletions(
    text: str,
    node: Any,
    entries: Entries,
    kept: Collection[str | int],
) -> Iterator[Edit]:
    """Yield the edits that remove the entries which are not kept, each with what separates it from
    another one.
    """
    values = [value for _, value in entries.values()]
    starts = [start for start, _ in entries.values()]
    kept_before = False
    for index, step in enumerate(entries):
        if step in kept:
            kept_before = True
        elif not kept_before:
            # An entry follows, since one is kept.
            yield starts[index], starts[index + 1], ""
        elif node.flow_style:
            yield _end(text, values[index - 1]), _end(text, values[index]), ""
        else:
            end = _end(text, values[index])
            if index + 1 < len(starts):
                end = len(text[: starts[index + 1]].rstrip())
            yield len(text[: starts[index]].rstrip()), end, ""


def _addition(text: str, node: Any, added: Mapping[str | int, Any]) -> Edit:
    """Return the edit that adds entries after the last one."""
    if node.flow_style:
        closing = int(node.end_mark.index) - 1
        at = len(text[:closing].rstrip().rstrip(",").rstrip())
        entries = [f", {entry_text(step, value, None)}" for step, value in added.items()]
        return at, at, "".join(entries)
    column = node.start_mark.column
    indent = f"\n{' ' * column}"
    entries = [f"{indent}{entry_text(step, value, column)}" for step, value in added.items()]
    at = _end_of_line(text, _end(text, node))
    return at, at, "".join(entries)


def _end_of_line(text: str, at: int) -> int:
    """Return the end of a line, behind a comment on it."""
    end = text.find("\n", at)
    if end < 0:
        return len(text)
    return end - text.endswith("\r", 0, end)


def entry_text(step: str | int, value: Any, column: int | None) -> str:
    """Return an entry of a map or list: on one line, or, in block style at a column, on several if
    it is long.
    """
    is_element = isinstance(step, int)
    name = "" if is_element else f"{_dump(step)}:"
    if column is None:
        return f"{name} {_dump(value)}".lstrip()
    start = "-" if is_element else name
    line = f"{start} {_dump(value)}"
    is_long = column + len(line) > _WIDTH
    if not is_long or not value or not isinstance(value, dict | list):
        return line
    inner = column + _INDENT
    indent = f"\n{' ' * inner}"
    entries = indent.join(entry_text(each, part, inner) for each, part in parts(value))
    return f"- {entries}" if is_element else f"{name}{indent}{entries}"


def _end(text: str, node: Any) -> int:
    """Return the end of a node; PyYAML counts comments after a node in block style as parts of it."""
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode):
        is_block = node.style in ("|", ">")
        return len(text[:end].rstrip()) if is_block else end
    if node.flow_style:
        return end
    for line in reversed(text[:end].splitlines(keepends=True)):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        end -= len(line)
    return len(text[:end].rstrip())


class _Writer(yaml.SafeDumper):
    """Writes values on one line, in quotes only where the core schema of YAML 1.2 requires them."""

    yaml_implicit_resolvers = CoreSchema.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        """Return True: a value that occurs twice is written twice."""
        return True

    def choose_scalar_style(self) -> Any:
        """Return the quotes that need no escape."""
        style = super().choose_scalar_style()
        if style == "'" and "'" in getattr(self.event, "value", ""):
            return '"'
        return style


def _represent_decimal(writer: _Writer, value: Decimal) -> yaml.ScalarNode:
    return writer.represent_scalar("tag:yaml.org,2002:float", plain_number(value))


_Writer.add_representer(Decimal, _represent_decimal)


def _dump(value: Any, quotes: str | None = None) -> str:
    # In a list, since text needs quotes more often in flow style.
    text: str = yaml.dump(
        [value],
        Dumper=_Writer,
        default_style=quotes,
        default_flow_style=True,
        width=10**6,
        allow_unicode=True,
        sort_keys=False,
    )
    return text.strip()[1:-1]
