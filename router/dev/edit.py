"""Edits a YAML file by the values of some keys: every character that is not of a changed value stays."""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import yaml
from msgspec import UNSET

from router.config.core_schema import compose
from router.config.source import parse_text
from router.dev.changes import DELETE, Change, Kept
from router.dev.compare import same
from router.dev.fragments import dump_entry, dump_value, mend
from router.errors import RouterError, UsageError
from router.model import Path

Span = tuple[int, int, str]
"""Where in the text, from and to, and what is to stand there."""


class YamlFile:
    """A YAML file that is edited, key by key, and saved in the end."""

    def __init__(self, path: FilePath) -> None:
        self._path = path
        # As bytes, so that the ends of lines stay what they are.
        self._text = path.read_bytes().decode("utf-8-sig")
        self._mark = path.read_bytes()[:3] == b"\xef\xbb\xbf"

    def data(self, path: Path) -> Any:
        """The value at a path, before variables are put in."""
        return _at(parse_text(self._text).data, path)

    def change(self, path: Path, changes: list[Change]) -> None:
        """Change keys of the map at a path; raises Kept, and changes nothing, where that needs a person."""
        before = _copy(parse_text(self._text).data)
        _assign(_at(before, path), changes)
        text = self._text
        for change in changes:
            start, end, new = _span(text, path, change)
            text = text[:start] + new + text[end:]
        # Whatever the edit did, it must have done this and nothing else.
        if not same(_read(text), before):
            raise Kept("it is written in a way that cannot be edited safely (an anchor or alias?); change it by hand")
        self._text = text

    def save(self) -> None:
        """Write the file; raises UsageError."""
        try:
            self._path.write_bytes(b"\xef\xbb\xbf" * self._mark + self._text.encode())
        except OSError as error:
            raise UsageError(f"cannot write '{self._path}': {(error.strerror or '').lower()}") from None


def _assign(target: dict[str, Any], changes: list[Change]) -> None:
    for change in changes:
        if change.new is DELETE:
            target.pop(change.key, None)
        else:
            target[change.key] = change.new


def _copy(data: Any) -> Any:
    """A copy in which nothing is shared: of what an anchor names, one place is to change, not all."""
    if isinstance(data, dict):
        return {name: _copy(each) for name, each in data.items()}
    return [_copy(each) for each in data] if isinstance(data, list) else data


def _read(text: str) -> Any:
    try:
        return parse_text(text).data
    except RouterError:
        return None


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _span(text: str, path: Path, change: Change) -> Span:
    node: Any = compose(text)
    for step in path:
        node = _child(node, step)
    entry = next((pair for pair in node.value if pair[0].value == change.key), None)
    if change.new is DELETE:
        return _deletion(text, node, entry)
    if entry is None:
        return _addition(text, node, change)
    key, value = entry
    start = value.start_mark.index
    if not key.end_mark.index < start < node.end_mark.index or text[start] in "&*":
        raise Kept(f"its '{change.key}' is an anchor or alias; change it by hand")
    end = _end(text, value)
    column = value.start_mark.column
    if isinstance(value, yaml.ScalarNode) or change.old is UNSET:
        return start, end, dump_value(change.new)
    return start, end, mend(text[start:end], column, change.new, bool(value.flow_style))


def _child(node: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return node.value[step]
    found = [value for key, value in node.value if key.value == step]
    if not found:
        raise Kept("it comes from an anchor; change it by hand")
    return found[0]


def _end(text: str, node: Any) -> int:
    """Where a node ends; one in block style is told to end where the next begins, comments and all."""
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return len(text[:end].rstrip()) if getattr(node, "style", None) in ("|", ">") else end
    for line in _lines_back(text[:end]):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        end -= len(line)
    return len(text[:end].rstrip())


def _lines_back(text: str) -> Iterator[str]:
    yield from reversed(text.splitlines(keepends=True))


def _addition(text: str, node: Any, change: Change) -> Span:
    if node.flow_style:
        closing = int(node.end_mark.index) - 1
        at = len(text[:closing].rstrip().rstrip(",").rstrip())
        return at, at, f", {dump_entry(change.key, change.new, 0, flow=True)}"
    at = _end(text, node)
    # After a comment on the last line.
    at = text.find("\n", at) if "\n" in text[at:] else len(text)
    column = node.start_mark.column
    newline = "\r\n" if text[:at].endswith("\r") else "\n"
    at -= len(newline) - 1
    return at, at, newline + " " * column + dump_entry(change.key, change.new, column, flow=False)


def _deletion(text: str, node: Any, entry: Any) -> Span:
    if entry is None:
        return 0, 0, ""
    key, value = entry
    index = [pair[0] for pair in node.value].index(key)
    start = key.start_mark.index
    if node.flow_style:
        if index:
            comma = text.rindex(",", 0, start)
            end = node.value[index + 1][0].start_mark.index if index + 1 < len(node.value) else node.end_mark.index - 1
            return comma, len(text[:end].rstrip().rstrip(",").rstrip()), ""
        following = node.value[1][0].start_mark.index if len(node.value) > 1 else node.end_mark.index - 1
        return start, following, ""
    if index + 1 < len(node.value):
        following = node.value[index + 1][0].start_mark.index
        return (
            (start, following, "") if not index else (start, _line_start(text, following) + key.start_mark.column, "")
        )
    return len(text[:start].rstrip()), _end(text, value), ""


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1
