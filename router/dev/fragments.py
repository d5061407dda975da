"""Parts of a YAML file, written anew by ruamel.yaml: comments, order and quotes stay where values do."""

import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from router.dev.compare import same
from router.engine.attributes import plain_number
from router.errors import MissingExtra

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_WIDTH = 100
"""Columns up to which a new value is written on one line."""


def mend(fragment: str, column: int, new: Any, flow: bool) -> str:
    """A fragment that begins at a column, with other values in it."""
    from ruamel.yaml.error import YAMLError

    lines = fragment.splitlines()
    text = "\n".join([lines[0], *(line.removeprefix(" " * column) for line in lines[1:])])
    writer = _yaml(text)
    try:
        data = writer.load(text)
    except YAMLError:  # an alias to what is outside
        return _indent(_dump(_yaml(""), _styled(new, flow)), column)
    return _indent(_dump(writer, _put(data, new, flow)), column)


def dump_value(new: Any) -> str:
    """A new value, on one line."""
    return _dump(_yaml(""), _styled(new, True))


def dump_entry(key: str, new: Any, column: int, flow: bool) -> str:
    """A new key with its value, which begins at a column: on one line, if it is short."""
    line = f"{key}: {dump_value(new)}"
    if flow or not new or not isinstance(new, dict | list) or column + len(line) <= _WIDTH:
        return line
    inside = _dump(_yaml(""), _styled(new, False))
    return f"{key}:\n{' ' * (column + 2)}{_indent(inside, column + 2)}"


def _put(data: Any, new: Any, flow: bool) -> Any:
    """The new value; what is equal in it is what was there, with its comments."""
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
    """What ruamel.yaml read, as the router reads it: its floats are their text."""
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
    """A writer that indents as the text does."""
    try:
        # An extra, and 40 ms that only who updates tests pays for.
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
