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
    """A reference in a text: the variable, and its default if it has one."""

    name: str
    default: str | None = None


def split_references(text: str) -> Iterator[str | Reference]:
    """Split a text without faults into its references and the text between them.

    `$${` becomes `${`.
    """
    end = 0
    for match in re.finditer(_REFERENCE, text):
        yield text[end : match.start()]
        inside = re.match(_INSIDE, match[1]) if match[1] is not None else None
        yield Reference(*inside.groups()) if inside else "${"
        end = match.end()
    yield text[end:]


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
    for name in _names(written):
        if names_secret(name):
            secrets.uses[SecretUse(name, path)] = None
        value = env.get(name, "")
        if is_secret(name, value):
            secrets.add(value, f"${{{name}}}")
            held.append(value)
    if any(held):
        secrets.add(text, written)


def _names(text: str) -> list[str]:
    """Return the names of the variables that a text refers to."""
    pieces = split_references(text)
    return [piece.name for piece in pieces if isinstance(piece, Reference)]


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
    if not isinstance(value, str):
        least, most = (
            keywords.get("minimum", value),
            keywords.get("maximum", value),
        )
        return bool(least <= value <= most)
    if "pattern" in keywords:
        # In other letters, and at line feeds, patterns of Python are not those of JSON
        # Schema.
        if not value.isascii() or "\n" in value:
            return False
        return re.search(keywords["pattern"], value) is not None
    length = len(value)
    least, most = (
        keywords.get("minLength", 0),
        keywords.get("maxLength", length),
    )
    return bool(least <= length <= most)


def convert_texts(data: Any, texts: Iterable[TypedText]) -> list[EnvironmentFault]:
    """Convert texts whose references were replaced, in the data itself.

    A text that cannot be converted is removed, so that the default of its key applies:
    a fault says so, unless it has the placeholder of a variable that is not set.
    """
    faults = []
    for each in texts:
        holder, key = reduce(getitem, each.path[:-1], data), each.path[-1]
        text = holder[key]
        form, words = _KINDS[each.kind]
        if re.fullmatch(form, text):
            holder[key] = int(text) if each.kind == "integer" else text[0] in "tT"
            continue
        del holder[key]
        if not stands_for_unset(text):
            faults.append(
                EnvironmentFault(
                    each.path,
                    f"the variables in {str(key)!r} do not make {words}",
                    f"set them so that it is {words}",
                )
            )
    return faults


_AT_RUN_TIME = {
    "queues": ("encoding", "match", "redact", "unmatched"),
    "routes": (
        "for_each",
        "item",
        "merge",
        "on_invalid",
        "options",
        "schema",
        "tests",
        "when",
    ),
}
"""The settings of queues and routes that only running code reads, by section."""


def is_read_at_run_time(path: Path) -> bool:
    """Return whether only running code reads the text at a path, from its environment.

    Texts at other paths are parts of names, ARNs, keys or settings, which a template
    has, or name files to pack.
    """
    match path:
        case ("function" | "worker", "environment", _):
            return True
        case ("routes", _, "schema") | (*_, "$ref"):
            return False
        case (str(section), _, str(setting), *_):
            return setting in _AT_RUN_TIME.get(section, ())
        case _:
            return False


def redacts(data: Mapping[str, Any]) -> bool:
    """Return whether a queue of a file has `redact`, so that the config needs its key."""
    queues = (data.get("queues") or {}).values()
    return any(queue.get("redact") for queue in queues if queue)


def stands_for_unset(text: str) -> bool:
    """Return whether a text contains the placeholder of a variable that is not set."""
    return f"{_PLACEHOLDER}_" in text


def variables_in(data: Any, paths: Iterable[Path]) -> set[str]:
    """Return the names of the variables that the texts at these paths refer to."""
    names: set[str] = set()
    for path in paths:
        names.update(_names(reduce(getitem, path, data)))
    return names


def _replace(
    text: str,
    env: Mapping[str, str],
    path: Path,
    faults: list[EnvironmentFault],
) -> str:
    def fault(sentence: str, advice: str, unset: str = "") -> None:
        faults.append(EnvironmentFault(path, sentence, advice, unset))

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "${"
        inside = re.match(_INSIDE, match[1])
        if inside is None or not match[2] or "${" in match[1]:
            shown = match[0]
            if len(shown) > _SHOWN:
                shown = f"{shown[: _SHOWN - 1]}…"
            fault(f"malformed reference {shown!r}", _HOW)
            return _PLACEHOLDER
        name, default = inside.groups()
        found = env.get(name)
        # Different variables need different placeholders: names of queues and tables
        # must be unique.
        placeholder = f"{_PLACEHOLDER}_{name}"
        if found and not _is_text(found):
            fault(
                f"environment variable {name!r} is not UTF-8 text",
                "set it to text",
            )
            return placeholder
        if default is not None:
            return found or str(default)
        if found is None:
            fault(
                f"environment variable {name!r} is not set",
                f"set it, or give it a default: ${{{name}:-…}}",
                name,
            )
            return placeholder
        return found

    return re.sub(_REFERENCE, value, text)


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
