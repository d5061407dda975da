"""What differs between two definitions of a resource of a template, by path, and how its values are shown."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.runtime.config.secret_values import find_secret, names_secret
from router.tools.dev.compare import to_json

_IDENTIFYING = ("Name", "Key", "AttributeName", "IndexName", "Sid")
"""The members that identify an element of a list in a template.

They are those of variables and dimensions, tags, keys, indexes and statements.
"""
_ENVIRONMENT = re.compile(r"(?:^|[.\]])Environment\.")
_LISTS = (list, tuple)
NOT_SHOWN, ANOTHER_NOT_SHOWN = "(not shown)", "(another, not shown)"


class PropertyDifference(Struct, frozen=True):
    """A value that differs: its path, such as `Environment.Variables.X`, and both values; None for one that is not set.

    The path of an element that only one of two lists has ends with `[]`.
    """

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        shown = self.without_secrets
        before, after = _shown(shown.before), _shown(shown.after)
        if before == after:
            before, after = to_json(shown.before), to_json(shown.after)
        return f"{self.path}: {before} → {after}"

    @property
    def values(self) -> tuple[Any, Any]:
        """Both values."""
        return self.before, self.after

    @property
    def without_secrets(self) -> "PropertyDifference":
        """The same, with words in place of values of which one may be a secret."""
        if not any(_may_be_secret(self.path, each) for each in self.values):
            return self
        before = None if self.before is None else NOT_SHOWN
        after = None if self.after is None else NOT_SHOWN
        if before == after:
            after = ANOTHER_NOT_SHOWN
        return PropertyDifference(self.path, before, after)


def differences(before: Any, after: Any, path: str = "") -> list[PropertyDifference]:
    """Return the innermost values that differ."""
    if before == after:
        return []
    one, two = _members(before), _members(after)
    found = []
    if one is not None and two is not None:
        for name in dict.fromkeys((*one, *two)):
            found += differences(one.get(name), two.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, _LISTS) and isinstance(after, _LISTS):
        found = _elements(before, after, path)
    # Of two lists with the same elements the order differs.
    return found or [PropertyDifference(path, before, after)]


def _members(value: Any) -> Mapping[str, Any] | None:
    """Return the parts of a value by their names; None if it can have none, as a text or an intrinsic function."""
    match value:
        case None:  # what is not set has no parts, beside a value that has some
            return {}
        case Mapping():
            return None if _is_function(value) else value
        case [Mapping(), *_]:
            for name in _IDENTIFYING:
                keys = [each.get(name) for each in value if isinstance(each, Mapping)]
                if len({each for each in keys if isinstance(each, str)}) == len(value):
                    return {str(each[name]): _rest(each, name) for each in value}
    return None


def _rest(element: Mapping[str, Any], name: str) -> Any:
    """Return what an element of a list has besides its name: its value, if there is only that."""
    left = {key: value for key, value in element.items() if key != name}
    return next(iter(left.values())) if len(left) == 1 else left


def _elements(before: Sequence[Any], after: Sequence[Any], path: str) -> list[PropertyDifference]:
    """Return the elements that differ of two lists without names: by their index if there are as many."""
    if len(before) == len(after):
        found = []
        for index, value in enumerate(before):
            found += differences(value, after[index], f"{path}[{index}]")
        return found
    return [
        *(PropertyDifference(f"{path}[]", each, None) for each in _without(before, after)),
        *(PropertyDifference(f"{path}[]", None, each) for each in _without(after, before)),
    ]


def _without(values: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Return the values that are not among others, each as often as there are more of it."""
    left = list(others)
    found = []
    for each in values:
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found


def _is_function(value: Mapping[str, Any]) -> bool:
    name = next(iter(value), "")
    return len(value) == 1 and (name == "Ref" or name.startswith("Fn::"))


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    plain = _plain(value)
    return plain if isinstance(plain, str) and plain else to_json(plain)


def _plain(value: Any) -> Any:
    """Return a value with references as texts, in the notation of `Fn::Sub`."""
    match value:
        case {"Fn::Sub": str(text)} if len(value) == 1:
            return text
        case {"Ref": str(name)} if len(value) == 1:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(resource), str(name)]} if len(value) == 1:
            return f"${{{resource}.{name}}}"
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _may_be_secret(path: str, value: Any) -> bool:
    """Return whether a value looks like a secret, or is of a variable whose name does; a reference is none."""
    text, name = _shown(value), path.rpartition(".")[2]
    if re.fullmatch(r"\$\{[^}]*\}", text):
        return False
    if _ENVIRONMENT.search(path) and names_secret(name):
        return True
    return find_secret(f"{name}={text}\n".encode()) is not None
