"""Finds where a message fails its schema.

Its time and memory are proportional to the message. jsonschema-rs builds all errors of
all branches of an `anyOf` or `oneOf` that fails, each with a copy of the value: 45 KB
of a message can take gigabytes. So the validator that finds the place has each `anyOf`
and `oneOf` inside `not: {not: ...}`, which gives the same verdict and stops at the
first error. The branch that fits best is then found by validating the branches one
after the other, each up to its first error.
"""

from collections.abc import Mapping
from copy import deepcopy
from functools import cache, cached_property, lru_cache, reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

from router.model import Path
from router.runtime.program.schemas.documents import (
    UNEVALUATED,
    SchemaDocument,
    escape,
    map_of,
    pointer,
    subschemas,
)
from router.runtime.program.schemas.links import Linker
from router.runtime.program.schemas.references import (
    Location,
    Locations,
    own_base,
)

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MAX_BRANCHES = 64
"""Branches of `anyOf` and `oneOf` that are validated for one message."""
MAX_REFERENCES = 8
"""References that are followed from a branch to the properties that tell branches
apart.
"""
_MOST_REASONS = 64
"""The most places in the schemas whose reasons are kept, and places in data whose pointers are."""
_CHOICES = ("anyOf", "oneOf")
_GUARD = (0, "not", "not")


_NAMING = (
    "properties",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
)


class Locator:
    """Says where data fails a schema.

    Validators of branches are compiled when a message first fails there, and kept.
    """

    def __init__(self, linker: Linker, validator: "Validator") -> None:
        self._documents = linker.reached
        self._build = linker.build
        self._root = next(iter(self._documents))
        self._original = validator
        self._branches: dict[str, Validator] = {}
        self._discriminators: dict[tuple[str, Path], Validator | None] = {}
        # The messages of a queue fail at few places, again and again.
        self._reason = lru_cache(_MOST_REASONS)(self._make_reason)
        self._pointer = lru_cache(_MOST_REASONS)(escape)

    def explain(self, data: Any) -> tuple[str, str]:
        """Return why data fails that the schema does not take; raises ValueError.

        That is a reason, which has no name but those of the schema, and a JSON Pointer.
        """
        error = None if self._guarded is None else first_error(self._guarded, data)
        return self._left_out() if error is None else self._located(error, data)

    @cached_property
    def _names(self) -> frozenset[str]:
        """The names that the schemas declare."""
        names = [declared_names(document.content) for document in self._documents.values()]
        return frozenset[str]().union(*names)

    @cached_property
    def _contents(self) -> dict[str, Any] | None:
        """The documents with guarded choices; None if no document has any."""
        documents = self._documents.values()
        if not any(_has_choices(document) for document in documents):
            return None
        contents = {}
        for document in documents:
            # References may name a document by its file or by its `$id`.
            for uri in (document.uri, own_base(document)):
                contents[uri] = _with_guards(document.content)
        return contents

    @cached_property
    def _locations(self) -> Locations:
        return Locations(self._documents.values())

    @cached_property
    def _guarded(self) -> "Validator | None":
        """The validator that stops at the first error.

        None if the guarded documents cannot be linked.
        """
        if self._contents is None:
            return self._original
        try:
            return self._build(self._contents[self._root], self._root, self._contents)
        except ValueError:
            return None

    def _left_out(self) -> tuple[str, str]:
        """Return what is known where the guarded schema takes the data.

        Keywords that are left out of it decide there.
        """
        places = []
        for uri, document in self._documents.items():
            for path, part in subschemas(document.content):
                found = [keyword for keyword in UNEVALUATED if keyword in part]
                places += [(keyword, (*path, keyword), uri) for keyword in found]
        if len(places) == 1:
            return self._reason(*places[0]), ""
        keywords = {keyword for keyword, _, _ in places}
        what = f"'{keywords.pop()}'" if len(keywords) == 1 else "its schema"
        return f"fails {what}", ""

    def _located(self, error: "ValidationError", data: Any) -> tuple[str, str]:
        """Return the error, or that of the branch that fits best, as far down as one does."""
        base: Path = ()
        left = MAX_BRANCHES
        while error.kind.name in _CHOICES:
            choice = self._choice(error)
            if choice is None or len(choice.content) > left:
                break
            left -= len(choice.content)
            path = (*base, *error.instance_path)
            at = named_steps(data, path)
            value = reduce(getitem, at, data)
            is_elsewhere = len(at) < len(path) or has_empty_name(value)
            best = None if is_elsewhere else self._best_branch(choice, error, value)
            if best is None:
                break
            error = best
            base = at
        kind = error.kind
        keyword = "false" if kind.name == "falseSchema" else kind.name
        uri = (error.absolute_keyword_location or "").partition("#")[0]
        place = tuple(error.schema_path)
        if self._contents is not None:
            place = _without_guards(place)
        reason = self._reason(keyword, place, uri)
        missing = getattr(kind, "property", None)
        if missing is not None:
            reason += f": '{missing}' is missing"
        # A name that no schema declares may be a secret.
        path = named_steps(data, (*base, *error.instance_path))
        shown = [step if step in self._names or isinstance(step, int) else "*" for step in path]
        return reason, self._pointer(tuple(shown))

    def _make_reason(self, keyword: str, path: Path, uri: str) -> str:
        where = pointer(path)
        if uri != self._root and uri in self._documents:
            where += f" of {self._documents[uri].name}"
        return f"fails '{keyword}' at {where}"

    def _choice(self, error: "ValidationError") -> Location | None:
        """Return the branches of an error of `anyOf` or `oneOf`; None if they are unknown."""
        uri, _, fragment = (error.absolute_keyword_location or "").partition("#")
        if uri not in (self._contents or ()):
            # A document inside of another: validators of branches cannot refer to it.
            return None
        path = _without_guards(tuple(fragment.split("/")))
        return self._locations.find(f"{uri}#{'/'.join(map(str, path))}")

    def _best_branch(
        self, choice: Location, error: "ValidationError", value: Any
    ) -> "ValidationError | None":
        """Return the first error of the branch that fits best.

        None if no branch fits better than each other.
        """
        guards = "/".join(map(str, (*_GUARD, error.kind.name)))
        ranked: dict[tuple[bool, bool, int], list[ValidationError]] = {}
        for index in range(len(choice.content)):
            reference = f"{error.absolute_keyword_location}/{guards}/{index}"
            if reference not in self._branches:
                self._branches[reference] = self._compile({"$ref": reference})
            failure = first_error(self._branches[reference], value)
            if failure is not None:
                depth = len(failure.instance_path)
                is_other_type = depth == 0 and failure.kind.name == "type"
                is_other = not self._discriminates(choice.below((index,)), value)
                # The less, the better the branch fits: the failure is far down.
                ranked.setdefault((is_other_type, is_other, -depth), []).append(failure)
        best = ranked[min(ranked)] if ranked else []
        return best[0] if len(best) == 1 else None

    def _discriminates(self, branch: Location, value: Any) -> bool:
        """Whether the properties that a branch fixes have such values."""
        if branch.key not in self._discriminators:
            fixed = self._fixed_properties(branch)
            validator = self._compile({"properties": fixed}) if fixed else None
            self._discriminators[branch.key] = validator
        known = self._discriminators[branch.key]
        return known is None or known.is_valid(value)

    def _fixed_properties(self, branch: Location) -> dict[str, Any]:
        """Return the properties that a branch, or what it refers to, fixes.

        Each has its `const` or `enum`.
        """
        place: Location | None = branch
        for _ in range(MAX_REFERENCES):
            if place is None or "$ref" not in place.schema:
                break
            place = self._locations.follow(place, place.schema["$ref"])
        fixed: dict[str, Any] = {}
        properties = place.schema.get("properties", {}) if place else {}
        for name, schema in properties.items():
            for keyword in ("const", "enum"):
                if isinstance(schema, dict) and keyword in schema:
                    fixed[name] = {keyword: schema[keyword]}
        return fixed

    def _compile(self, schema: dict[str, Any]) -> "Validator":
        assert self._contents is not None  # only guarded documents have choices
        draft = self._contents[self._root]["$schema"]
        uri = f"{self._root}/branch"
        return self._build({"$schema": draft, **schema}, uri, self._contents)


def declared_names(content: Any) -> set[str]:
    """Return the property names that a document declares.

    Messages may show them; other names may be secrets.
    """
    names: set[str] = set()
    for _, schema in subschemas(content):
        lists = [
            schema.get("required"),
            map_of(schema, "propertyNames").get("enum"),
        ]
        for key in _NAMING:
            declared = map_of(schema, key)
            names.update(declared)
            # The names that others depend on.
            lists += declared.values()
        for entries in lists:
            if isinstance(entries, list):
                names.update(entry for entry in entries if isinstance(entry, str))
    return names


def named_steps(data: Any, path: Path) -> Path:
    """Return a path in data with the names of properties.

    The library reports a name that is a number as an index. Of names that are one
    number, such as `7` and `007`, it may be the wrong one: the path then ends there.
    So it does at an object with an empty name, which the library leaves out.
    """
    steps: list[str | int] = []
    for step in path:
        if has_empty_name(data):
            break
        name = step
        if isinstance(step, int) and isinstance(data, dict):
            name = _name_of(data, step)
        try:
            data = data[name]
        except (LookupError, TypeError):
            break
        steps.append(name)
    return tuple(steps)


def has_empty_name(data: Any) -> bool:
    """Whether data is an object with a property that has an empty name."""
    return isinstance(data, dict) and "" in data


def _name_of(data: Mapping[str, Any], number: int) -> str:
    """Return the name of a property that is a number."""
    if str(number) in data:
        return str(number)
    return next(name for name in data if _number_of(name) == number)


def _number_of(name: str) -> int | None:
    is_number = name.isascii() and name.removeprefix("+").isdecimal()
    return int(name) if is_number else None


def first_error(validator: "Validator", data: Any) -> "ValidationError | None":
    """Return the first error of data.

    `iter_errors` makes all, whose memory grows with the square of the data.
    """
    try:
        validator.validate(data)
    except _validation_error() as error:
        # With its traceback, the error would be a part of a cycle: the frame of a caller that
        # keeps it would live until the next garbage collection, and all above it.
        return error.with_traceback(None)
    return None


@cache
def _validation_error() -> "type[ValidationError]":
    # Imported once, by who validates: each invalid message asks for it.
    from jsonschema_rs import ValidationError

    return ValidationError


def _has_choices(document: SchemaDocument) -> bool:
    parts = (part for _, part in subschemas(document.content))
    return any(not part.keys().isdisjoint(_CHOICES) for part in parts)


def _with_guards(content: Any) -> Any:
    """Return a copy of a document whose choices are guarded.

    References that pass through them are led on. Keywords that need what branches have
    evaluated are left out: inside `not` nothing is evaluated.
    """
    content = deepcopy(content)
    for _, part in list(subschemas(content)):
        for keyword in UNEVALUATED:
            part.pop(keyword, None)
        for keyword in _CHOICES:
            if isinstance(part.get(keyword), list):
                part[keyword] = [{"not": {"not": {keyword: part[keyword]}}}]
        if isinstance(part.get("$ref"), str):
            uri, mark, fragment = part["$ref"].partition("#")
            part["$ref"] = uri + mark + _led_on(fragment)
    return content


def _led_on(fragment: str) -> str:
    """Return a JSON Pointer of the original document in the guarded one."""
    parts: list[str] = []
    for part in fragment.split("/"):
        if parts and parts[-1] in _CHOICES and part.isdecimal():
            parts += [*map(str, _GUARD), parts[-1]]
        parts.append(part)
    return "/".join(parts)


def _without_guards(path: Path) -> Path:
    """Return a path of the guarded document in the original one: the inverse of `_led_on`."""
    kept: list[str | int] = []
    at = 0
    while at < len(path):
        step = path[at]
        kept.append(step)
        at += 1
        # Few paths have a choice.
        if step in _CHOICES and [*map(str, path[at : at + 4])] == [*map(str, _GUARD), step]:
            at += 4
    return tuple(kept)
