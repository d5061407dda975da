"""Edits values of a YAML file, and leaves every other character as it is."""

import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import UNSET, Struct

from router.config.core_schema import compose
from router.config.source import parse_text
from router.dev.compare import same
from router.engine.attributes import plain_number
from router.errors import MissingExtra, RouterError, UsageError
from router.model import Path

if TYPE_CHECKING:
    from ruamel.yaml import YAML

DELETE: Any = object()
"""The new value of a key that is removed."""
_WIDTH = 100
"""The longest line on which a new value is written."""


class KeyChange(Struct, frozen=True):
    """A change of a key: its old value in the file (UNSET if it has none), and its new one."""

    key: str
    old: Any
    new: Any


class CannotUpdate(Exception):
    """A failing test is not changed; the text has the reason."""


def mend(fragment: str, column: int, new: Any, flow: bool) -> str:
    """Return a fragment that begins at a column, with new values, and its comments and quotes where values stay."""
    from ruamel.yaml.error import YAMLError

    lines = fragment.splitlines()
    text = "\n".join([lines[0], *(line.removeprefix(" " * column) for line in lines[1:])])
    writer = _yaml(text)
    try:
        data = writer.load(text)
    except YAMLError:  # an alias of an anchor outside
        return _indent(_dump(_yaml(""), _styled(new, flow)), column)
    return _indent(_dump(writer, _put(data, new, flow)), column)


def dump_value(new: Any) -> str:
    """Return a new value on one line."""
    return _dump(_yaml(""), _styled(new, True))


def dump_entry(key: str, new: Any, column: int, flow: bool) -> str:
    """Return a new key with its value, which begins at a column; on one line if it is short."""
    line = f"{key}: {dump_value(new)}"
    if flow or not new or not isinstance(new, dict | list) or column + len(line) <= _WIDTH:
        return line
    inside = _dump(_yaml(""), _styled(new, False))
    return f"{key}:\n{' ' * (column + 2)}{_indent(inside, column + 2)}"


def _put(data: Any, new: Any, flow: bool) -> Any:
    """Return the new value, with the old objects and their comments where values are equal."""
    if same(_plain(data), new) and list(_keys(data)) == list(_keys(new)):
        return data
    if not data or not new:
        return _styled(new, True)
    if isinstance(data, dict) and isinstance(new, dict):
        for name in [name for name in data if name not in new]:
            del data[name]
        for name, value in new.items():
            data[name] = _put(data[name], value, flow) if name in data else _styled(value, True)
        return data
    if isinstance(data, list) and isinstance(new, list):
        del data[len(new) :]
        for index, value in enumerate(new):
            if index < len(data):
                data[index] = _put(data[index], value, flow)
            else:
                data.append(_styled(value, flow or isinstance(value, dict)))
        return data
    return _styled(new, True)


def _keys(value: Any) -> Any:
    return value if isinstance(value, dict) else ()


def _plain(value: Any) -> Any:
    """Return data of ruamel.yaml as the router reads it, with exact decimals."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return Decimal(str(value)) if isinstance(value, float) else value


def _styled(value: Any, flow: bool) -> Any:
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        made: Any = CommentedMap({name: _styled(each, True) for name, each in value.items()})
    elif isinstance(value, list):
        made = CommentedSeq([_styled(each, True) for each in value])
    else:
        return value
    if flow:
        made.fa.set_flow_style()
    return made


def _yaml(like: str) -> "YAML":
    """Return a reader and writer that indents as the text does."""
    try:
        # An extra, and imported late: it takes 40 ms.
        from ruamel.yaml import YAML
        from ruamel.yaml.util import load_yaml_guess_indent
    except ModuleNotFoundError:
        raise MissingExtra("router test --update", "cli") from None
    made = YAML()
    made.preserve_quotes = True
    made.width = 1_000_000
    made.allow_unicode = True
    # `[{a: 1}]`, not `[a: 1]`, which few people know.
    made.brace_single_entry_mapping_in_flow_sequence = True
    _, indent, offset = load_yaml_guess_indent(like) if like else (None, None, None)
    made.indent(mapping=2, sequence=(indent or 4), offset=(2 if offset is None else offset))
    made.representer.add_representer(Decimal, _represent_decimal)
    made.representer.add_representer(type(None), _represent_null)
    return made


def _represent_decimal(representer: Any, value: Decimal) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:float", plain_number(value))


def _represent_null(representer: Any, value: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _dump(writer: "YAML", value: Any) -> str:
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue().removesuffix("...\n").rstrip("\n")


def _indent(text: str, column: int) -> str:
    first, *others = text.split("\n")
    return "\n".join([first, *(" " * column + line if line.strip() else "" for line in others)])


Span = tuple[int, int, str]
"""A replacement: start and end in the text, and the new text."""


class YamlFile:
    """A YAML file that is edited by keys, and then saved."""

    def __init__(self, path: FilePath) -> None:
        self._path = path
        # As bytes, so that line endings do not change.
        self._text = path.read_bytes().decode("utf-8-sig")
        self._mark = path.read_bytes()[:3] == b"\xef\xbb\xbf"

    def data(self, path: Path) -> Any:
        """Return the value at a path, with its references to variables."""
        return _at(parse_text(self._text).data, path)

    def change(self, path: Path, changes: list[KeyChange]) -> None:
        """Change keys of the map at a path; raises CannotUpdate, without any change, if that is not safe."""
        before = _copy(parse_text(self._text).data)
        _assign(_at(before, path), changes)
        text = self._text
        for change in changes:
            start, end, new = _span(text, path, change)
            text = text[:start] + new + text[end:]
        # Verify that the edit had this effect and no other.
        if not same(_read(text), before):
            raise CannotUpdate(
                "it is written in a way that cannot be edited safely (an anchor or alias?); change it by hand"
            )
        self._text = text

    def save(self) -> None:
        """Write the file; raises UsageError."""
        try:
            self._path.write_bytes(b"\xef\xbb\xbf" * self._mark + self._text.encode())
        except OSError as error:
            raise UsageError(f"cannot write '{self._path}': {(error.strerror or '').lower()}") from None


def _assign(target: dict[str, Any], changes: list[KeyChange]) -> None:
    for change in changes:
        if change.new is DELETE:
            target.pop(change.key, None)
        else:
            target[change.key] = change.new


def _copy(data: Any) -> Any:
    """Return a copy without shared parts: a change of one alias must not change the others."""
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


def _span(text: str, path: Path, change: KeyChange) -> Span:
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
        raise CannotUpdate(f"its '{change.key}' is an anchor or alias; change it by hand")
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
        raise CannotUpdate("it comes from an anchor; change it by hand")
    return found[0]


def _end(text: str, node: Any) -> int:
    """Return the end of a node; PyYAML counts comments after a node in block style as parts of it."""
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


def _addition(text: str, node: Any, change: KeyChange) -> Span:
    if node.flow_style:
        closing = int(node.end_mark.index) - 1
        at = len(text[:closing].rstrip().rstrip(",").rstrip())
        return at, at, f", {dump_entry(change.key, change.new, 0, flow=True)}"
    at = _end(text, node)
    # Behind a comment on the last line.
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
