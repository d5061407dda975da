"""Attribute sources: where the value of an attribute of an item comes from, one module each.

A module of this package defines `SOURCE`. Its fields have all that the router knows about that source: the parser, the
published schema, the compiler, `router check` and the documentation read them. Modules are found by their presence.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol

from msgspec import UNSET, Struct, to_builtins

from router.model import Code, Message, Path
from router.runtime.discovery import import_modules

GetValue = Callable[[Any, Message], Any]
"""From data and message to a value or None; raises ExpressionError, or ValueError with a reason that holds no value."""


class Lookup(Struct, frozen=True):
    """A compiled source.

    `pointer` is the JSON Pointer of the value in the message and `path` the names on the way to it; both are empty if
    the source is anything else. `constant` is the value, if it is the same for each message. Without `reads_data`,
    `get` is the same for any data. If it is `plain`, it is None, or a text that JSON writes without escapes.
    """

    get: GetValue
    pointer: str = ""
    path: tuple[str, ...] = ()
    constant: Any = UNSET
    reads_data: bool = True
    plain: bool = False


class CompiledExpression(Struct, frozen=True):
    """A compiled JMESPath expression; `pointer` is the JSON Pointer that it is equal to, empty if there is none."""

    evaluate: Callable[[Any], Any]
    pointer: str


class AttributeCompiler(Protocol):
    """What the compiler of an attribute offers to its source; a place is relative to the attribute."""

    @property
    def route(self) -> str:
        """The name of the route."""

    @property
    def type(self) -> str:
        """The attribute's `type`, or "" if it has none."""

    def expression(self, text: str, place: Path) -> CompiledExpression | None:
        """Compile a JMESPath expression; None after a finding at `place`."""

    def reject(self, code: Code, sentence: str, place: Path, suggestion: str) -> None:
        """Add a finding at `place`."""


ValueType = Literal["string", "number", "boolean", "array", "object"]
"""A type of values in a message, by JSON Schema's name."""
SCALARS: tuple[ValueType, ...] = ("string", "number", "boolean")


class ExpressionUse(Struct, frozen=True):
    """An expression of a source, at a place relative to the attribute, and what its values must be.

    A value of another type than `takes` rejects the message; with None, a value of no type does. If `is_time`, so does
    text that is no time, or a number that is none in seconds.
    """

    place: Path
    text: str
    takes: tuple[ValueType, ...] | None
    is_time: bool = False


class Evaluated(Struct, frozen=True):
    """The values of a source are those of one expression."""

    text: str


class Joined(Struct, frozen=True):
    """The values of a source are text: literals, and the values of expressions as text."""

    literals: tuple[str, ...]
    expressions: tuple[str, ...]


class Constant(Struct, frozen=True):
    """A source has the same value for each message."""

    value: Any


class Computed(Struct, frozen=True):
    """The values of a source are computed: of the type `type`, or of an unknown one.

    `longest` is the length of the longest text. The value is missing where that of one of the `expressions` is; for
    other reasons it is missing in some messages (`missing` is True), in none (False), or that is unknown (None). If
    `required`, a missing value rejects the message, whatever `default` and `missing` of the attribute say. A number of
    `milliseconds` counts from 1970.
    """

    type: Literal["string", "number", ""]
    longest: int | None = None
    expressions: tuple[str, ...] = ()
    missing: bool | None = False
    required: bool = False
    milliseconds: bool = False
    gap: str = ""
    """Why the value is missing in some messages, for a sentence, if it is not for an expression."""
    fixed: bool = False
    """Whether it is the same for all messages of a route."""


Values = Evaluated | Joined | Constant | Computed
"""What `router check` can infer of the values of a source."""


class AttributeSource(Struct, frozen=True):
    """An attribute source: all that is known about one of the keys that an attribute takes its value from.

    `spec` is the type of the key's value in the config, with a description and examples.
    `expressions` takes plain data, as it is in the file, and has no findings: what is malformed has no expressions.
    `meta` are the names of metadata that it reads of a message, such as `sent_at` or `attribute.NAME`.
    `values` takes the value of the key, whether the queue is FIFO, and the attribute's `type` or "".
    `section` is the title in docs/config.md of the struct that a value can be.
    """

    key: str
    spec: Any
    compile: Callable[[Any, AttributeCompiler], Lookup | None]
    values: Callable[[Any, bool, str], Values]
    expressions: Callable[[Any], Iterable[ExpressionUse]]
    meta: Callable[[Any], Iterable[str]]
    section: tuple[type[Struct], str] | None = None

    @property
    def field(self) -> str:
        """The name of the struct field for the key."""
        return f"{self.key}_" if self.key == "from" else self.key


def source_of(attribute: Any) -> tuple[AttributeSource, Any]:
    """The source of an attribute, and the value of its key."""
    for field, source in _BY_FIELD:
        given = getattr(attribute, field)
        if given is not UNSET:
            return source, given
    raise LookupError("an attribute has no source")  # the parser refuses it


def expressions_of(attribute: Any) -> list[ExpressionUse]:
    """The expressions of an attribute."""
    source, given = source_of(attribute)
    return list(source.expressions(to_builtins(given)))


def meta_of(attribute: Any) -> frozenset[str]:
    """The names of the metadata that an attribute reads of a message."""
    source, given = source_of(attribute)
    return frozenset(source.meta(given))


SOURCES: Mapping[str, AttributeSource] = {
    module.SOURCE.key: module.SOURCE for module in import_modules(__name__, __path__)
}
"""Every source by its key."""
_BY_FIELD = tuple((source.field, source) for source in SOURCES.values())
