"""Edits values of a YAML file, and leaves every other character as it is."""

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
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
from router.runtime.engine.attributes import plain_number
from router.runtime.filesystem import read_regular, replace_file
from router.tools.dev.compare import same

_WIDTH = 100
"""The longest line on which a new value is written."""

Edit = tuple[int, int, str]
"""A replacement: start and end in the text, and the new text."""


class CannotUpdate(Exception):
    """A failing test is not changed; the text has the reason."""


class YamlFile:
    """A YAML file that is edited, and then saved; `unsaved` is its content, if that differs from the one on disk."""

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
        """Replace the map or list at a path; raises CannotUpdate, without any change, if that is not safe."""
        # A copy without shared parts: a change of one alias must not change the others.
        wanted = copy_plain(self._data)
        node: Any = compose(self._text)
        for step in path:
            node = _child(node, step)
        text = self._text
        edits = list(_edits(text, node, reduce(getitem, path, wanted), new))
        newline = "\r\n" if "\r\n" in text else "\n"
        for start, end, replacement in sorted(edits, reverse=True):
            text = text[:start] + replacement.replace("\n", newline) + text[end:]
        if path:
            reduce(getitem, path[:-1], wanted)[path[-1]] = new
        else:
            wanted = new
        # Verify that the edits had this effect and no other.
        if not same(_read(text), wanted):
            raise CannotUpdate(
                "it is written in a way that cannot be edited safely (an anchor or alias?); change it by hand"
            )
        self._text, self._data = text, wanted

    def add(self, section: str, name: str, value: Any) -> None:
        """Add an entry to the map of a section, which is added if there is none; raises CannotUpdate."""
        known = self._data.get(section)
        if known is None:
            self.change((), {**self._data, section: {name: value}})
        else:
            self.change((section,), {**known, name: value})

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
    found = [value for key, value in node.value if key.value == step]
    if not found:
        raise CannotUpdate("it comes from an anchor; change it by hand")
    return found[0]


def _edits(text: str, node: Any, old: Any, new: Any) -> Iterator[Edit]:
    """Yield the edits that change a node's value from `old` to `new`, none of which overlap; equal parts stay."""
    if same(old, new):
        return
    entries = _entries(text, node)
    before, after = dict(parts(old)), dict(parts(new))
    if type(old) is not type(new) or not entries.keys() & after.keys():
        yield _replacement(text, node, new)
        return
    yield from _deletions(text, node, [(*entry, step in after) for step, entry in entries.items()])
    for step, (start, value) in entries.items():
        if step not in after or same(before[step], after[step]):
            continue
        if value.start_mark.index < start or text[value.start_mark.index] == "&":
            raise CannotUpdate(f"its '{step}' is an anchor or alias; change it by hand")
        yield from _edits(text, value, before[step], after[step])
    # An entry that `<<` merges is added only if its value changes.
    merged = {step: each for step, each in before.items() if step not in entries}
    added = {
        step: each
        for step, each in after.items()
        if step not in entries and not (step in merged and same(merged[step], each))
    }
    if added:
        yield _addition(text, node, added)


def _replacement(text: str, node: Any, new: Any) -> Edit:
    """Return the edit that writes a value on one line, in the quotes of the old one."""
    start, end = int(node.start_mark.index), _end(text, node)
    if isinstance(node, yaml.ScalarNode):
        quotes = node.style if isinstance(new, str) and node.style in ("'", '"') else None
        return start, end, _dump(new, quotes)
    before = text[:start].rstrip()
    # A value that begins below its key moves beside it, since a list may begin in the column of the key.
    return (
        (len(before), end, f" {_dump(new)}") if before.endswith(":") else (start, end, _dump(new))
    )


def _entries(text: str, node: Any) -> dict[str | int, tuple[int, Any]]:
    """Return the start of each entry of a node, the dash of a list included, and the node of its value."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: (key.start_mark.index, value) for key, value in node.value}
    if isinstance(node, yaml.ScalarNode):
        return {}
    starts = [value.start_mark.index for value in node.value]
    return {
        index: (start if node.flow_style else text.rfind("-", 0, start), value)
        for index, (start, value) in enumerate(zip(starts, node.value, strict=True))
    }


def _deletions(text: str, node: Any, entries: list[tuple[int, Any, bool]]) -> Iterator[Edit]:
    """Yield the edits that remove the entries which are not kept, each with what separates it from another one."""
    kept_before = False
    for index, (start, value, kept) in enumerate(entries):
        following = entries[index + 1][0] if index + 1 < len(entries) else None
        if kept:
            kept_before = True
        elif not kept_before:
            assert following is not None  # since one entry is kept
            yield start, following, ""
        elif node.flow_style:
            yield _end(text, entries[index - 1][1]), _end(text, value), ""
        else:
            end = _end(text, value) if following is None else len(text[:following].rstrip())
            yield len(text[:start].rstrip()), end, ""


def _addition(text: str, node: Any, added: Mapping[str | int, Any]) -> Edit:
    """Return the edit that adds entries after the last one."""
    if node.flow_style:
        closing = int(node.end_mark.index) - 1
        at = len(text[:closing].rstrip().rstrip(",").rstrip())
        return (
            at,
            at,
            "".join(f", {entry_text(step, value, None)}" for step, value in added.items()),
        )
    at = _end(text, node)
    # Behind a comment on the last line.
    line_end = text.find("\n", at)
    at = len(text) if line_end < 0 else line_end - text.endswith("\r", 0, line_end)
    column = node.start_mark.column
    return (
        at,
        at,
        "".join(
            f"\n{' ' * column}{entry_text(step, value, column)}" for step, value in added.items()
        ),
    )


def entry_text(step: str | int, value: Any, column: int | None) -> str:
    """Return an entry of a map or list: on one line, or, in block style at a column, on several if it is long."""
    start = "" if isinstance(step, int) else f"{_dump(step)}: "
    line = f"{'- ' if isinstance(step, int) and column is not None else start}{_dump(value)}"
    if (
        column is None
        or not isinstance(value, dict | list)
        or not value
        or column + len(line) <= _WIDTH
    ):
        return line
    indent = f"\n{' ' * (column + 2)}"
    entries = indent.join(entry_text(each, part, column + 2) for each, part in parts(value))
    return f"- {entries}" if isinstance(step, int) else f"{_dump(step)}:{indent}{entries}"


def _end(text: str, node: Any) -> int:
    """Return the end of a node; PyYAML counts comments after a node in block style as parts of it."""
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return len(text[:end].rstrip()) if getattr(node, "style", None) in ("|", ">") else end
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
        return '"' if style == "'" and "'" in getattr(self.event, "value", "") else style


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
