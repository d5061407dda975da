"""Reads a config and the files that it includes: text into plain data with places, and
that into typed structs.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from msgspec import structs
from yaml import YAMLError
from yaml.nodes import MappingNode, Node, SequenceNode
from yaml.scanner import ScannerError

from router.codes import declare
from router.errors import ConfigError, reason_of
from router.model import Code, Finding, Place, Severity
from router.runtime.config import spec
from router.runtime.config.environment import (
    RT005,
    EnvironmentFault,
    convert_texts,
    copy_plain,
    find_references,
    replace_references,
)
from router.runtime.config.findings import stopped
from router.runtime.config.include import included_files
from router.runtime.config.merge import (
    NO_UNSAVED,
    IncludedFile,
    Reading,
    SourceFile,
    Unsaved,
    folder_of,
    merge,
    with_defaults,
)
from router.runtime.config.parse import parse_part
from router.runtime.config.schema import find_typed, without_extensions
from router.runtime.config.secret_values import SecretValues
from router.runtime.config.tree import (
    MAP,
    MAX_DEPTH,
    MAX_NODES,
    Limit,
    LimitError,
    Tree,
    compose,
)
from router.runtime.filesystem import NOT_REGULAR, read_regular

MAX_BYTES = 16 * 1024 * 1024
"""The largest size of a config file; a thousand routes take half of one MiB."""

RT001 = declare("RT001", "cannot be read", "A config is a file of UTF-8 text.")
RT002 = declare(
    "RT002",
    "not YAML",
    "A file that a YAML reader cannot read cannot be checked any further.",
)
RT003 = declare(
    "RT003",
    "no config in it",
    "A config is a map with at least a version and a route.",
)
RT006 = declare(
    "RT006",
    "too deep or too large",
    "With aliases to aliases, or by nesting, a file of a few lines can expand to more "
    "data than fits in memory.",
)


def read_config(
    path: pathlib.Path,
    env: Mapping[str, str],
    unset: Severity = "error",
    unsaved: Unsaved = NO_UNSAVED,
) -> Reading:
    """Read and parse a config and the files that it includes.

    Every fault is a finding, none is raised. `unset` is the severity of a variable that
    is not set and has no default. A file in `unsaved` is read from there.
    """
    try:
        root = read_source(path, env, unset=unset, unsaved=unsaved)
    except ConfigError as error:
        return Reading(None, stopped(error.findings), path.parent, False)
    config, left_out = parse_part(spec.Config, root.data, root.findings)
    parts: list[IncludedFile] = []
    unreadable: list[Finding] = []
    for file in included_files(path, config.include, root.findings) if config else ():
        try:
            source = read_source(file, env, unset, spec.Included, unsaved=unsaved)
        except ConfigError as error:
            unreadable += error.findings
        else:
            content, without = parse_part(spec.Included, source.data, source.findings)
            assert content is not None  # since none of its keys is required
            folder = folder_of(file, root.folder)
            parts.append(IncludedFile(source, folder, content, without))
    return merge(root, config, left_out, parts, unreadable)


def read_source(
    path: pathlib.Path,
    env: Mapping[str, str] | None = None,
    unset: Severity = "error",
    cls: type[spec.Config | spec.Included] = spec.Config,
    *,
    unsaved: Unsaved = NO_UNSAVED,
) -> SourceFile:
    """Read the config at `path`, and replace its references to variables of `env`.

    Without `env`, references stay as they are written. `unset` is the severity of a
    variable that is not set and has no default; a placeholder replaces it. `cls` is
    what the file has to be. If `unsaved` has the file, it is read from there. Raises
    ConfigError if there is no data.
    """
    file = str(path)
    raw = unsaved[path] if path in unsaved else _read_bytes(path)
    if len(raw) > MAX_BYTES:
        raise _stop(
            RT001,
            "the config is too large",
            Place(file),
            f"keep it under {MAX_BYTES // 1024 // 1024} MiB, with schemas in files of their own",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig")
        place = _place_after(file, before)
        raise _stop(
            RT001,
            "the config is not UTF-8 text from here on",
            place,
            "save it as UTF-8",
        ) from None
    return parse_text(text, env, file, path.parent, unset, cls)


def _read_bytes(path: pathlib.Path) -> bytes:
    try:
        return read_regular(path, MAX_BYTES + 1)
    except OSError as error:
        sentence = f"cannot read the config: {reason_of(error)}"
        advice = "check the path of the config"
        if error.strerror == NOT_REGULAR:
            # It is read more than once, and what it names is in its folder.
            advice = "save it as a file"
        raise _stop(RT001, sentence, Place(str(path)), advice) from None


def parse_text(
    text: str,
    env: Mapping[str, str] | None = None,
    label: str = "routes.yaml",
    folder: pathlib.Path = pathlib.Path(),
    unset: Severity = "error",
    cls: type[spec.Config | spec.Included] = spec.Config,
    *,
    as_written: bool = False,
) -> SourceFile:
    """Read a config from text, as `read_source` does from a file.

    `as_written` keeps keys that begin with `x-`, and gives entries no owner and no tags
    of the file.
    """
    tree = Tree(_compose(text, label), label)
    try:
        data = tree.data()
    except LimitError as error:
        raise _over_limit(error, label) from None
    if "x-" in text and not as_written:
        data = without_extensions(data)
    # An escape in double quotes can be a part of a reference.
    if env is not None and ("${" in text or "\\" in text):
        data, faults = _with_variables(data, env, cls, tree.findings.secrets)
        for fault in faults:
            code = structs.replace(RT005, severity=unset) if fault.unset else RT005
            tree.findings.add(code, fault.sentence, fault.path, suggestion=fault.suggestion)
    if not as_written:
        data = with_defaults(data)
    return SourceFile(label, folder, data, tree.findings)


def _with_variables(
    data: Any,
    env: Mapping[str, str],
    cls: type[spec.Config | spec.Included],
    secrets: SecretValues,
) -> tuple[Any, list[EnvironmentFault]]:
    """Return data with the values of variables.

    They are text, but a number, or true or false, where the config takes that.
    """
    replaced = copy_plain(data)
    paths = find_references(data)
    faults = replace_references(replaced, paths, env, secrets)
    return replaced, [*faults, *convert_texts(replaced, find_typed(cls, data, paths))]


def _compose(text: str, file: str) -> MappingNode:
    """Return the root of the file, which is a map."""
    try:
        root = compose(text)
    except LimitError as error:
        raise _over_limit(error, file) from None
    except (YAMLError, UnicodeEncodeError) as error:
        raise _not_yaml(error, text, file) from None
    if root is None:
        raise _stop(RT003, "the config is empty", Place(file), _SMALLEST)
    if not isinstance(root, MappingNode) or root.tag != MAP:
        place = Place(file, root.start_mark.line + 1, root.start_mark.column + 1)
        raise _stop(
            RT003,
            f"the config must be a map of keys, not a {_kind(root)}",
            place,
            _SMALLEST,
        )
    return root


_SMALLEST = "it needs the keys version, tables and routes"


def _kind(root: Node) -> str:
    if isinstance(root, SequenceNode):
        return "list"
    return "map with a tag" if isinstance(root, MappingNode) else "single value"


def _over_limit(error: LimitError, file: str) -> ConfigError:
    sentence, suggestion = _LIMITS[error.limit]
    place = Place(file, error.line + 1, error.column + 1)
    return _stop(RT006, sentence, place, suggestion)


_LIMITS: dict[Limit, tuple[str, str]] = {
    "levels": (
        f"more than {MAX_DEPTH} lists and maps inside each other",
        "nest less deeply",
    ),
    "nodes": (
        f"more than {MAX_NODES:,} keys and values",
        "use fewer aliases, or split the config",
    ),
    "recursion": ("an alias is inside its own anchor", "write the value out"),
}


def _not_yaml(error: Exception, text: str, file: str) -> ConfigError:
    """Return the error of the YAML reader as a finding.

    Its advice depends on the character where the reader stopped.
    """
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return _not_allowed(text, file)
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    place = Place(file, mark.line + 1, mark.column + 1)
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        place = Place(file, mark.line + 1, indentation.index("\t") + 1)
        return _stop(RT002, "a tab is used as indentation", place, "indent with spaces")
    char = line[mark.column : mark.column + 1]
    # The scanner gives up at a bracket that is too deep.
    is_bracket = isinstance(error, ScannerError) and char in ("[", "{")
    if is_bracket and text.count("[") + text.count("{") > MAX_DEPTH:
        return _over_limit(LimitError("levels", mark), file)
    return _stop(RT002, _sentence(error), place, _ADVICE.get(char, _LOOK))


def _not_allowed(text: str, file: str) -> ConfigError:
    """Return the error for a character that YAML does not allow anywhere."""
    index = next((i for i, char in enumerate(text) if not _is_allowed(char)), 0)
    number = ord(text[index : index + 1] or " ")
    advice = "remove it"
    # Half of a surrogate pair is no character, which an escape could stand for.
    if number < 256:
        advice += f', or write it as an escape in double quotes: "\\x{number:02x}"'
    return _stop(
        RT002,
        f"the character U+{number:04X} is not allowed in YAML",
        _place_after(file, text[:index]),
        advice,
    )


def _sentence(error: Exception) -> str:
    """Return the message of the YAML reader on one line."""
    problem = getattr(error, "problem", None) or "something unexpected"
    context = getattr(error, "context", None)
    began = getattr(error, "context_mark", None)
    if not context:
        return f"this is not YAML: {problem}"
    since = f" begun on line {began.line + 1}" if began else ""
    return f"this is not YAML: {context}{since}, {problem}"


_LOOK = "look at the indentation, the quotes and the brackets here and on the line before"
_QUOTE = "put text that begins with this character in quotes"
_ADVICE = {
    ":": "put text that has a colon and a space in it in quotes, or mend the indentation",
    "@": _QUOTE,
    "`": _QUOTE,
    "%": _QUOTE,
    "*": "put text that begins with * in quotes, or define the anchor above",
    "&": "put text that begins with & in quotes, or name each anchor differently",
}


def _is_allowed(char: str) -> bool:
    """Return whether YAML allows the character: section 5.1 of
    https://yaml.org/spec/1.2.2/.
    """
    return (
        char in "\t\n\r\x85"
        or "\x20" <= char <= "\x7e"
        or "\xa0" <= char <= "\ud7ff"
        or char >= "\ue000"
    )


def _place_after(file: str, before: str) -> Place:
    """Return the place after the text `before`."""
    return Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _stop(code: Code, sentence: str, place: Place, suggestion: str) -> ConfigError:
    return ConfigError([Finding(code, sentence, place, suggestion)])
