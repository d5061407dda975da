"""Replaces references to environment variables in the text of a config: `${NAME}` and
`${NAME:-default}`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import getitem
from typing import Any, Literal

from msgspec import Struct

from router.codes import declare
from router.model import Path
from router.runtime.config.secret_values import (
    WRITTEN,
    SecretUse,
    SecretValues,
    is_secret,
    names_secret,
)

RT005 = declare(
    "RT005",
    "environment variable",
    "Without the variable, the router would read and write queues and tables with wrong names.",
)

REDACT_KEY = "ROUTER_REDACT_KEY"
"""The variable of the key that `redact` hashes values with.

A config needs it without a reference, so that no file has the key in it.
"""

_REFERENCE = r"\$\$\{|\$\{([^}]*)(\}?)"
_INSIDE = r"(?s:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?)\Z"
_PLACEHOLDER = "unset"
"""Replaces a missing value, so that later checks report no consequences of it."""


class EnvironmentFault(Struct, frozen=True):
    """A reference that cannot be replaced.

    It has the path of its text, the fault, and what to do.
    `unset` is the variable that is not set; it is empty where the reference itself is
    malformed.
    """

    path: Path
    sentence: str
    suggestion: str
    unset: str = ""


class Reference(Struct, frozen=True):
    """A reference in a text, as it is written: the variable, and its default if any.

    The name is empty if the reference is malformed.
    """

    written: str
    name: str = ""
    default: str | None = None


def split_references(text: str) -> Iterator[str | Reference]:
    """Split a text into its references and the text between them; `$${` becomes `${`."""
    end = 0
    for match in re.finditer(_REFERENCE, text):
        yield text[end : match.start()]
        yield "${" if match[1] is None else _reference(match)
        end = match.end()
    yield text[end:]


def _reference(match: re.Match[str]) -> Reference:
    inside = re.match(_INSIDE, match[1])
    if inside is None or not match[2] or "${" in match[1]:
        return Reference(match[0])
    return Reference(match[0], *inside.groups())


def find_references(data: Any) -> list[Path]:
    """Return the paths of the text values in plain data that may contain references."""
    found: list[Path] = []

    def look(value: Any, path: Path) -> None:
        if isinstance(value, str):
            if "${" in value:
                found.append(path)
            return
        for step, child in parts(value):
            look(child, (*path, step))

    look(data, ())
    return found


def parts(data: Any) -> Iterable[tuple[str | int, Any]]:
    """Return the values in a map by key, or in a list by index; other data has none."""
    if isinstance(data, dict):
        return data.items()
    return enumerate(data) if isinstance(data, list) else ()


def copy_plain(value: Any) -> Any:
    """Return a copy of maps and lists, whose parts are no longer shared."""
    if isinstance(value, dict):
        return {name: copy_plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [copy_plain(each) for each in value]
    return value


def replace_references(
    data: Any,
    paths: Iterable[Path],
    env: Mapping[str, str],
    secrets: SecretValues,
) -> list[EnvironmentFault]:
    """Replace references in the data itself, at the paths of `find_references`.

    Returns the faults.

    Keys are not changed, and replaced values are text. As in a shell, the default of
    `${NAME:-default}` is used for a variable that is not set or empty. `$${` is a
    literal `${`. The variables that hold secrets are added to `secrets`, and to those
    that are masked in what this process writes.
    """
    faults: list[EnvironmentFault] = []
    for path in paths:
        holder = reduce(getitem, path[:-1], data)
        written = holder[path[-1]]
        holder[path[-1]] = _replace(written, env, path, faults)
        _add_secrets(secrets, written, holder[path[-1]], path, env)
    WRITTEN.take(secrets)
    return faults


def _add_secrets(
    secrets: SecretValues,
    written: str,
    text: str,
    path: Path,
    env: Mapping[str, str],
) -> None:
    """Add the variables of a text that hold secrets.

    Their values are masked, and the text as a whole.
    """
    held = []
    for name in names_in(written):
        if names_secret(name):
            secrets.uses[SecretUse(name, path)] = None
        value = env.get(name, "")
        if is_secret(name, value):
            secrets.add(value, f"${{{name}}}")
            held.append(value)
    if any(held):
        secrets.add(text, written)


def names_in(text: str) -> list[str]:
    """Return the names of the variables that a text refers to."""
    pieces = split_references(text)
    return [piece.name for piece in pieces if isinstance(piece, Reference) and piece.name]


Kind = Literal["integer", "boolean"]
"""What a place of a config takes besides text, by JSON Schema's name."""
_KINDS: Mapping[Kind, tuple[str, str]] = {
    "integer": (r"[-+]?[0-9]{1,18}", "a whole number"),
    "boolean": ("[Tt]rue|TRUE|[Ff]alse|FALSE", "true or false"),
}


class TypedText(Struct, frozen=True):
    """A text with references, which stands for a number, or for true or false."""

    path: Path
    kind: Kind


class Constraint(Struct, frozen=True):
    """What the config takes for the value of a text with references.

    Each of the `choices` is keywords of JSON Schema; one of them is to accept it.
    """

    path: Path
    choices: tuple[dict[str, Any], ...]


def meets(data: Any, constraint: Constraint) -> bool:
    """Return whether the value in the data is accepted.

    False if that is for the schema to decide.
    """
    value = reduce(getitem, constraint.path, data)
    return any(_accepts(choice, value) for choice in constraint.choices)


def _accepts(keywords: Mapping[str, Any], value: Any) -> bool:
    if "enum" in keywords:
        return value in keywords["enum"]
    if "pattern" in keywords:
        # In other letters, and at line feeds, patterns of Python are not those of JSON
        # Schema.
        if not value.isascii() or "\n" in value:
            return False
        return re.search(keywords["pattern"], value) is not None
    size = len(value) if isinstance(value, str) else value
    least = keywords.get("minimum", keywords.get("minLength", size))
    most = keywords.get("maximum", keywords.get("maxLength", size))
    return bool(least <= size <= most)


def convert_texts(data: Any, texts: Iterable[TypedText]) -> Iterator[EnvironmentFault]:
    """Convert texts whose references were replaced, in the data itself; yield the faults.

    A text that cannot be converted is removed, so that the default of its key applies:
    a fault says so before, unless it has the placeholder of a variable that is not set.
    """
    for each in texts:
        key = each.path[-1]
        holder = reduce(getitem, each.path[:-1], data)
        text = holder[key]
        form, words = _KINDS[each.kind]
        if re.fullmatch(form, text):
            holder[key] = int(text) if each.kind == "integer" else text[0] in "tT"
            continue
        if not stands_for_unset(text):
            yield EnvironmentFault(
                each.path,
                f"the variables in {str(key)!r} do not make {words}",
                f"set them so that it is {words}",
            )
        del holder[key]


def stands_for_unset(text: str) -> bool:
    """Return whether a text contains the placeholder of a variable that is not set."""
    return f"{_PLACEHOLDER}_" in text


def _replace(
    text: str,
    env: Mapping[str, str],
    path: Path,
    faults: list[EnvironmentFault],
) -> str:
    replaced = ""
    for piece in split_references(text):
        if isinstance(piece, str):
            replaced += piece
            continue
        fault = _fault_of(piece, env, path)
        if fault is None:
            replaced += env.get(piece.name) or piece.default or ""
            continue
        faults.append(fault)
        # Different variables need different placeholders: names of queues and tables must
        # be unique.
        replaced += f"{_PLACEHOLDER}_{piece.name}" if piece.name else _PLACEHOLDER
    return replaced


def _fault_of(reference: Reference, env: Mapping[str, str], path: Path) -> EnvironmentFault | None:
    name = reference.name
    if not name:
        shown = reference.written
        if len(shown) > _SHOWN:
            shown = f"{shown[: _SHOWN - 1]}…"
        return EnvironmentFault(path, f"malformed reference {shown!r}", _HOW)
    found = env.get(name)
    if found is not None and not _is_text(found):
        sentence = f"environment variable {name!r} is not UTF-8 text"
        return EnvironmentFault(path, sentence, "set it to text")
    if found is None and reference.default is None:
        sentence = f"environment variable {name!r} is not set"
        advice = f"set it, or give it a default: ${{{name}:-…}}"
        return EnvironmentFault(path, sentence, advice, name)
    return None


def _is_text(value: str) -> bool:
    """Whether a value can be encoded.

    Bytes that are not UTF-8 are lone surrogates in `os.environ`.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_SHOWN = 40
_HOW = "write ${NAME} or ${NAME:-default}, and $${ for a literal ${"
