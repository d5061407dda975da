"""What a built-in transform is: a value with its function, and with all that is known about it.

`router check` and the documentation read what they say about a transform from here.

A field claims what is true for every value, and for all arguments that are in their ranges. A claim
that is not true makes `router check` prove what is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from router.model import TextFormat, TransformFunction

Kind = Literal["string", "number", "boolean", "array", "object", "binary"]
"""A kind of values, by JSON Schema's name; no message has binary, which only a transform makes."""
Kinds = tuple[Kind, ...]
TEXT: Kinds = ("string",)
NUMBER: Kinds = ("number",)
LIST: Kinds = ("array",)
MAP: Kinds = ("object",)
TEXT_OR_BINARY: Kinds = ("string", "binary")
SCALARS: Kinds = ("string", "number", "boolean")

Arguments = Mapping[str, Any]
"""Arguments of a transform by name; one with a default is left out if the config does not give it."""


# What an argument must be: `takes` a value of the config or not, `words` says what it takes.


class WholeNumber(Struct, frozen=True):
    """An argument that is a whole number, within bounds."""

    minimum: int
    maximum: int | None
    """None for no bound."""

    @property
    def words(self) -> str:
        """What it takes, for a sentence."""
        if self.maximum is None:
            return f"a whole number, {self.minimum} or more"
        return f"a whole number from {self.minimum} to {self.maximum}"

    def takes(self, value: Any) -> bool:
        """Whether it takes a value."""
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.minimum <= value and (self.maximum is None or value <= self.maximum)


class AnyNumber(Struct, frozen=True):
    """An argument that is a number whose magnitude DynamoDB can store."""

    words = "a number from 1E-130 to 9.99E+125"

    def takes(self, value: Any) -> bool:
        """Whether it takes a value."""
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return False
        number = Decimal(value)
        return number.is_finite() and -130 <= number.adjusted() <= 125


class AnyText(Struct, frozen=True):
    """An argument that is text."""

    may_be_empty: bool

    @property
    def words(self) -> str:
        """What it takes, for a sentence."""
        return "text" if self.may_be_empty else "text that is not empty"

    def takes(self, value: Any) -> bool:
        """Whether it takes a value."""
        return isinstance(value, str) and (self.may_be_empty or value != "")


class OneOf(Struct, frozen=True):
    """An argument that is one of some texts."""

    options: tuple[str, ...]
    """Two or more."""

    @property
    def words(self) -> str:
        """What it takes, for a sentence."""
        *others, last = map(repr, self.options)
        return f"{', '.join(others)} or {last}"

    def takes(self, value: Any) -> bool:
        """Whether it takes a value."""
        return isinstance(value, str) and value in self.options


class AnyMap(Struct, frozen=True):
    """An argument that is a map."""

    words = "a map"

    def takes(self, value: Any) -> bool:
        """Whether it takes a value."""
        return isinstance(value, Mapping)


class AnyConstant(Struct, frozen=True):
    """An argument that is any value of a config."""

    words = "any value"

    def takes(self, value: Any) -> bool:
        """Whether it takes a value."""
        return True


Argument = WholeNumber | AnyNumber | AnyText | OneOf | AnyMap | AnyConstant


# Which values a transform accepts, of the kinds that it takes.


class OnlyKinds(Struct, frozen=True):
    """It accepts every value of these kinds; others it may refuse."""

    kinds: Kinds


class NumbersBetween(Struct, frozen=True):
    """It accepts every number within these bounds; other numbers it may refuse.

    It accepts every value of another kind.
    """

    minimum: int
    maximum: int


class TextsMatching(Struct, frozen=True):
    """It accepts every text that matches a pattern of JSON Schema; other texts it may refuse."""

    pattern: str


class ListsOf(Struct, frozen=True):
    """It accepts every list whose elements are all of one of these groups of kinds.

    It refuses a list with an element that is of no group.
    """

    groups: tuple[Kinds, ...]


Accepts = (
    Literal["every value", "unknown"]
    | TextFormat
    | OnlyKinds
    | NumbersBetween
    | TextsMatching
    | ListsOf
)


# What is known of the result, besides its kind.


class EmptyIfMatches(Struct, frozen=True):
    """The result is empty exactly if the text matches a pattern of JSON Schema."""

    pattern: str
    samples: tuple[str, ...]
    """Some texts that match."""


class EmptyIfRepeats(Struct, frozen=True):
    """The result is empty exactly if the text is nothing but repetitions of a part."""

    part: str


Emptiness = Literal["as before", "never", "always", "unknown"] | EmptyIfMatches | EmptyIfRepeats
"""When the text of a result is empty; "as before": exactly if the value is."""


class TextResult(Struct, frozen=True):
    """The result is text, or binary."""

    longest: Callable[[float, Arguments], float]
    """The most characters, or bytes, of the result, for the most of the value as text; infinity: no bound."""
    empty: Callable[[Arguments], Emptiness]
    can_keep_length: bool
    """Whether some text of each length keeps its length, with any arguments; False claims nothing."""


class SameList(Struct, frozen=True):
    """The result is a list of the same elements, in any order and with fewer duplicates."""


class ListEnd(Struct, frozen=True):
    """The result is the first element of the list, or the last one; of an empty list, nothing."""

    index: Literal[0, -1]


class JoinedText(Struct, frozen=True):
    """The result is text: the elements of the list, with text between them."""


class SplitText(Struct, frozen=True):
    """The result is a list: the parts of the text between separators; of an empty text, no part."""

    separator: str
    """The name of the argument with the separator."""


class MapEntry(Struct, frozen=True):
    """The result is the entry of a map for the value as text, or a default, or nothing."""

    entries: str
    """The name of the argument with the map."""
    default: str
    """The name of the argument with the default."""


class SameNames(Struct, frozen=True):
    """The result is a map with the same names."""


class EpochSeconds(Struct, frozen=True):
    """The result is a number of seconds since 1970."""


class Digits(Struct, frozen=True):
    """The most digits of a number in plain notation: before its point, and after it; infinity: no bound."""

    whole: int
    decimals: float


class NumberResult(Struct, frozen=True):
    """The result is a number."""

    digits: Callable[[Digits, Arguments], Digits] | Digits | None
    """The most digits of the result, in any case or for the most of the number; None: the number stays the same."""
    stays_storable: Callable[[Arguments], Mapping[str, Any] | None]
    """Keywords of JSON Schema: of numbers with them that DynamoDB can store, so can the results; None: unknown."""


Result = (
    TextResult
    | SameList
    | ListEnd
    | JoinedText
    | SplitText
    | MapEntry
    | SameNames
    | EpochSeconds
    | NumberResult
)


class Transform(Struct, frozen=True, kw_only=True):
    """A built-in transform. No field has a default, so that mypy names what a new transform lacks."""

    name: str
    apply: TransformFunction
    """Takes the value, then the arguments. It raises ValueError or TypeError for what it refuses.

    The first sentence of its docstring, and the example, are its row in `docs/config.md`.
    """
    takes: Kinds | None
    """The kinds of values that it takes; it refuses every other. None: it may take any."""
    accepts: Accepts
    """Which values of these kinds it accepts. Numbers out of DynamoDB's range do not count."""
    gives: Kind | None
    """The kind of its result; None: any, or nothing."""
    arguments: Mapping[str, Argument]
    """All parameters of `apply` after the value, in their order.

    `apply` gets only arguments that are in their ranges: they are checked once, when a config is compiled.
    """
    result: Result | None
    """What else is known of the result; None: nothing."""
    most_bytes: Callable[[float, Arguments], float] | None
    """The most bytes of the result in an item, for the most of the value; None: no bound.

    The most of a number is always 20 bytes.
    """

    def takes_arguments(self, given: Sequence[Any], named: Arguments) -> bool:
        """Whether arguments are in their ranges: those after the value, and those by name."""
        by_name = {**dict(zip(self.arguments, given, strict=False)), **named}
        return all(self.arguments[name].takes(value) for name, value in by_name.items())


def as_before(before: float, arguments: Arguments) -> float:
    """Return that the result is no longer, or no larger, than the value."""
    return before


def utf8_bytes(text: str) -> int:
    """Return the bytes of an argument in UTF-8."""
    return len(text.encode(errors="surrogatepass"))


GROWTH_AS_TEXT = 9
"""The most bytes of JSON, or of numbers as text, for each byte of a value in an item.

A number has at most 20 bytes, and 170 as text.
"""


def bytes_as_text(before: float) -> float:
    """Return the most bytes of a value as JSON or text, for the most of the value in an item."""
    return GROWTH_AS_TEXT * before + len('""')
