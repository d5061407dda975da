"""What each built-in transform says about itself is true: of any value, and of any arguments in their ranges."""

import inspect
import re
import sys
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from itertools import product
from math import inf
from typing import Any, get_args

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.errors import Rejection
from router.model import Place, TextFormat
from router.runtime.transforms import FUNCTIONS, TRANSFORMS, is_built_in
from router.runtime.transforms.transform import (
    AnyConstant,
    AnyMap,
    AnyNumber,
    AnyText,
    Argument,
    Arguments,
    Digits,
    EmptyIfMatches,
    EmptyIfRepeats,
    EpochSeconds,
    JoinedText,
    ListEnd,
    ListsOf,
    MapEntry,
    NumberResult,
    NumbersBetween,
    OneOf,
    OnlyKinds,
    SameList,
    SameNames,
    SplitText,
    TextResult,
    TextsMatching,
    Transform,
    WholeNumber,
)
from router.runtime.transforms.values import Rounding
from tests.support.config import Findings
from tests.support.engine import encode_item
from tests.support.program import Plugins, compile_transforms

REFUSES = (ValueError, TypeError)
NUMBER_BYTES = 20
EACH = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=lambda transform: transform.name)

LETTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    [*" \t\x1c\x85\ufeff\u3000", *"ΐŉßİǰ\u212a", *"%+,-_", *"aZ019", "\U0001f600"]
)
TEXTS = st.text(LETTERS, max_size=8) | st.sampled_from(["", " ", "true", "1.50", "%C3%A9", "QUJD", '{"a": 1}'])
NUMBERS = (
    st.integers(-9, 9)
    | st.integers(1 - 10**38, 10**38 - 1)
    | st.integers(-(10**13), 10**13)
    | st.builds(
        lambda digits, power: Decimal(f"{digits}e{power}"), st.integers(-(10**37), 10**37), st.integers(-130, 88)
    )
)
SCALARS = TEXTS | NUMBERS | st.booleans()
ANY = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
OF_DYNAMODB = st.dictionaries(st.text(max_size=2), st.fixed_dictionaries({"S": TEXTS}), max_size=2)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "number": NUMBERS,
    "boolean": st.booleans(),
    "array": st.lists(TEXTS, max_size=4) | st.lists(NUMBERS, max_size=4) | st.lists(ANY, max_size=4),
    "object": st.dictionaries(st.text(max_size=2), ANY, max_size=3) | OF_DYNAMODB | st.just({"S": "x"}),
    "binary": st.binary(max_size=8),
}


def values_of(*kinds: str) -> st.SearchStrategy[Any]:
    """Values of some kinds."""
    return st.one_of(*(VALUES[kind] for kind in kinds))


def argument_of(argument: Argument) -> st.SearchStrategy[Any]:
    """Values in the range of an argument."""
    match argument:
        case WholeNumber(minimum, maximum):
            return st.integers(minimum, 12 if maximum is None else maximum)
        case AnyNumber():
            return NUMBERS
        case AnyText(may_be_empty):
            return TEXTS.filter(lambda text: may_be_empty or text)
        case OneOf(options):
            return st.sampled_from(options)
        case AnyMap():
            return st.dictionaries(TEXTS, SCALARS, max_size=3)
        case AnyConstant():
            return SCALARS


def arguments_of(transform: Transform) -> st.SearchStrategy[Arguments]:
    """Arguments in their ranges; one with a default is given or not."""
    parameters = inspect.signature(transform.apply).parameters
    given_ = {name: argument_of(argument) for name, argument in transform.arguments.items()}
    optional = {name for name in given_ if parameters[name].default is not inspect.Parameter.empty}
    return st.fixed_dictionaries(
        {name: values for name, values in given_.items() if name not in optional},
        optional={name: given_[name] for name in optional},
    )


def kind_of(value: Any) -> str:
    """The kind of a value; "" of none."""
    kinds = {str: "string", bool: "boolean", int: "number", Decimal: "number", list: "array", dict: "object"}
    return {**kinds, bytes: "binary"}.get(type(value), "")


def matches(pattern: str, text: str) -> bool:
    """Whether text matches a pattern of JSON Schema."""
    return bool(validator_of(pattern).is_valid(text))


@cache
def validator_of(pattern: str) -> Any:
    """What asserts a pattern."""
    return jsonschema_rs.validator_for({"pattern": pattern})


def must_accept(transform: Transform, value: Any) -> bool:
    """Whether a transform says that it accepts a value."""
    match transform.accepts:
        case "every value":
            return True
        case TextFormat(pattern=pattern, numbers=numbers):
            if kind_of(value) == "number":
                return numbers is None or value in numbers
            return kind_of(value) != "string" or (bool(pattern) and matches(pattern, value))
        case OnlyKinds(kinds):
            return kind_of(value) in kinds
        case NumbersBetween(minimum, maximum):
            return bool(kind_of(value) != "number" or minimum <= value <= maximum)
        case TextsMatching(pattern):
            return kind_of(value) != "string" or matches(pattern, value)
        case ListsOf(groups):
            return any(all(kind_of(each) in kinds for each in value) for kinds in groups)
    return False


def bytes_of(value: Any) -> float:
    """The most bytes that `router check` counts for a value."""
    match value:
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case None | bool():
            return 1
        case list():
            return 3 + sum(1 + bytes_of(each) for each in value)
        case dict():
            return 3 + sum(1 + len(name.encode()) + bytes_of(each) for name, each in value.items())
    return NUMBER_BYTES


@EACH
def test_names(transform: Transform) -> None:
    """The name, in the config and in the docs, is that of the function; so are those of the arguments."""
    _, *parameters = inspect.signature(transform.apply).parameters

    assert (TRANSFORMS[transform.name], transform.apply.__name__) == (transform, transform.name)
    assert list(transform.arguments) == parameters


def test_what_is_built_in() -> None:
    """A function is built in under its own name, and a plugin's is not."""
    assert all(is_built_in(name, function) for name, function in FUNCTIONS.items())
    assert [is_built_in("strip", str.strip), is_built_in("mine", str.strip), is_built_in("mine", None)] == [False] * 3


@EACH
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_what_it_accepts(transform: Transform, data: st.DataObject) -> None:
    """It accepts what it says, and refuses other values with ValueError or TypeError only."""
    value = data.draw(values_of(*(transform.takes or VALUES)))
    arguments = data.draw(arguments_of(transform))
    try:
        result = transform.apply(value, **arguments)
    except REFUSES:
        assert not must_accept(transform, value)
    else:
        assert transform.gives in (None, kind_of(result))


@EACH
@settings(deadline=None, max_examples=10)
@given(st.data())
def test_what_it_refuses(transform: Transform, data: st.DataObject) -> None:
    """It refuses values of kinds that it does not take, and elements of no group."""
    takes = {*(transform.takes or VALUES)}
    refused = [VALUES[kind] for kind in VALUES if kind not in takes]
    if isinstance(transform.accepts, ListsOf):
        accepted = {kind for kinds in transform.accepts.groups for kind in kinds}
        elements = values_of(*(VALUES.keys() - accepted - {"binary"}))
        refused.append(st.lists(elements, min_size=1, max_size=3))
    for values in refused:
        value, arguments = data.draw(values), data.draw(arguments_of(transform))
        with pytest.raises(REFUSES):
            transform.apply(value, **arguments)


@EACH
@settings(deadline=None, max_examples=10)
@given(st.data())
def test_arguments_out_of_their_range(transform: Transform, data: st.DataObject) -> None:
    """With one of them, no message is accepted; `router check` reports it, and loading does not."""
    wrong = data.draw(ANY | st.integers())
    for name, argument in transform.arguments.items():
        value, arguments = data.draw(values_of(*(transform.takes or VALUES))), data.draw(arguments_of(transform))
        assert transform.takes_arguments((), arguments)
        if not argument.takes(wrong):
            findings = Findings(lambda path, key: Place("routes.yaml"))
            given_ = {transform.name: {**arguments, name: wrong}}
            (step,) = compile_transforms([given_], Plugins(), findings, ()) or ()
            with pytest.raises(ValueError, match=f"has a value that transform '{transform.name}' does not take"):
                step(value)
            assert not list(findings)


@EACH
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_results(transform: Transform, data: st.DataObject) -> None:
    """The result is no longer, no larger and of no other shape than it says."""
    value = data.draw(values_of(*(transform.takes or VALUES)))
    arguments = data.draw(arguments_of(transform))
    try:
        result = transform.apply(value, **arguments)
    except REFUSES:
        return

    assert is_as_described(transform, value, arguments, result)
    assert is_small(transform, value, arguments, result)


@EACH
def test_special_characters(transform: Transform) -> None:
    """What it says of texts is true of those that few random texts have."""
    if transform.takes is not None and "string" not in transform.takes:
        return
    arguments = [
        dict(zip(transform.arguments, values, strict=True))
        for values in product(*(samples_of(argument) for argument in transform.arguments.values()))
    ]
    for char in special_characters():
        for text, given_ in product((char, 2 * char, f"a{char}", f"{char}-"), arguments):
            try:
                result = transform.apply(text, **given_)
            except REFUSES:
                assert not must_accept(transform, text), (text, given_)
                continue
            assert is_as_described(transform, text, given_, result), (text, given_, result)
            assert is_small(transform, text, given_, result), (text, given_, result)


@cache
def special_characters() -> list[str]:
    """Characters of ASCII, white space, and those that become more than one, or ASCII, in another case or form."""
    found = []
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        others = {char.lower(), char.upper(), unicodedata.normalize("NFKC", char)}
        if char.isspace() or any(len(other) > 1 or other.isascii() for other in others):
            found.append(char)
    return ["\ufeff", *found]


def samples_of(argument: Argument) -> list[Any]:
    """Some values in the range of an argument."""
    match argument:
        case WholeNumber(minimum):
            return [minimum, minimum + 1]
        case AnyNumber():
            return [1]
        case AnyText(may_be_empty):
            return ["", " ", "a"] if may_be_empty else [" ", "a"]
        case OneOf(options):
            return [options[0]]
        case AnyMap():
            return [{}, {"a": "b"}]
        case AnyConstant():
            return [None]


def is_small(transform: Transform, value: Any, arguments: Arguments, result: Any) -> bool:
    """Whether the result is not larger in an item than the transform says."""
    if transform.most_bytes is None or result is None:
        return True
    try:
        size = encode_item({"k": result})[1] - 1
    except Rejection:
        return True
    return size <= transform.most_bytes(bytes_of(value), arguments)


def is_as_described(transform: Transform, value: Any, arguments: Arguments, result: Any) -> bool:
    """Whether a result is what the transform says."""
    match transform.result:
        case TextResult() as text:
            known = inf if isinstance(value, bytes) else len(FUNCTIONS["to_text"](value))
            fits = len(result) <= text.longest(known, arguments)
            return fits and is_empty_as_described(text, value, arguments, result)
        case SameList():
            return all(each in value for each in result) and bool(result) == bool(value)
        case ListEnd(index):
            return bool(result == (value[index] if value else None))
        case SplitText(separator):
            whole = arguments[separator].join(result)
            return bool(whole == value and bool(result) == bool(value))
        case JoinedText():
            return bool(result) or not any(value)
        case MapEntry(entries, default):
            return result in [*arguments[entries].values(), arguments.get(default)]
        case SameNames():
            return bool(result.keys() == value.keys())
        case EpochSeconds():
            return isinstance(result, int)
        case NumberResult(digits=None):
            return bool(result == (Decimal(value.strip()) if isinstance(value, str) else value))
        case NumberResult(digits=digits):
            assert digits is not None
            most = digits if isinstance(digits, Digits) else digits(digits_in(value), arguments)
            made = digits_in(result)
            return made.whole <= most.whole and made.decimals <= most.decimals
    return True


def is_stored(number: Any) -> bool:
    """Whether DynamoDB can store a number."""
    try:
        encode_item({"n": number})
    except Rejection:
        return False
    return True


STORED = st.builds(
    lambda digits, power, sign: Decimal(f"{sign}{digits}e{power}"),
    st.integers(1, 10**38 - 1) | st.sampled_from([1, 9, 10**38 - 1, 5 * 10**37, 10**38 - 5]),
    st.integers(-130, 125) | st.sampled_from([-130, 88, 87, 125]),
    st.sampled_from(["", "-"]),
).filter(is_stored)
"""Numbers that DynamoDB can store, also the greatest and the least."""
DIGITS = st.integers(-130, 130) | st.integers(-91, -86)
POWERS = st.integers(-130, 125).map(lambda power: Decimal(f"1e{power}")) | st.sampled_from([0, 1, -10, Decimal("1.1")])


@settings(deadline=None, max_examples=400)
@given(STORED, DIGITS, st.sampled_from(get_args(Rounding)), POWERS)
@example(Decimal(f"{10**38 - 1}e88"), -88, "up", Decimal("0.1"))
@example(Decimal(f"{10**38 - 1}e88"), -89, "up", Decimal(10))
@example(Decimal("1e-130"), 130, "up", Decimal("0.1"))
def test_numbers_that_stay_storable(number: Decimal, digits: int, mode: str, factor: Any) -> None:
    """What a transform makes of a number that DynamoDB can store and that has its keywords can be stored, too."""
    for name, arguments in (("round", {"digits": digits, "mode": mode}), ("scale", {"factor": factor})):
        result = TRANSFORMS[name].result
        assert isinstance(result, NumberResult)
        keywords = result.stays_storable(arguments)
        if keywords is not None and jsonschema_rs.validator_for(dict(keywords)).is_valid(number):
            assert is_stored(FUNCTIONS[name](number, **arguments))


def digits_in(number: int | Decimal) -> Digits:
    """The digits of a number in plain notation, but for zeros that do not count."""
    whole, _, decimals = f"{abs(Decimal(number)):f}".partition(".")
    return Digits(len(whole.lstrip("0")), len(decimals.rstrip("0")))


def is_empty_as_described(text: TextResult, value: Any, arguments: Arguments, result: str) -> bool:
    """Whether a text is empty exactly if the transform says so."""
    match text.empty(arguments):
        case "as before":
            return (result in ("", b"")) == (value in ("", b""))
        case "never":
            return result != ""
        case "always":
            return result == ""
        case EmptyIfMatches(pattern, samples):
            assert all(matches(pattern, sample) for sample in samples)
            return (result == "") == matches(pattern, value)
        case EmptyIfRepeats(part):
            return (result == "") == (re.fullmatch(f"({re.escape(part)})*", value) is not None)
    return True


@EACH
def test_what_keeps_its_length(transform: Transform) -> None:
    """Text of any length that stays as long as it is."""
    if isinstance(transform.result, TextResult) and transform.result.can_keep_length:
        assert [len(transform.apply("x" * length)) for length in range(9)] == [*range(9)]


@pytest.mark.parametrize(
    ("argument", "words", "taken", "refused"),
    [
        (WholeNumber(0, None), "a whole number, 0 or more", [0, 10**9], [-1, True, "1", Decimal("1.0"), None]),
        (WholeNumber(-1, 2), "a whole number from -1 to 2", [-1, 2], [-2, 3]),
        (
            AnyNumber(),
            "a number from 1E-130 to 9.99E+125",
            [0, 1, Decimal("0.1"), -(10**125), Decimal("1e-130")],
            ["1", False, Decimal("NaN"), Decimal("Infinity"), None, 10**126, Decimal("1e-131"), Decimal("1e200")],
        ),
        (AnyText(True), "text", ["", "x"], [1, None]),
        (AnyText(False), "text that is not empty", ["x"], ["", 1]),
        (OneOf(("s", "ms")), "'s' or 'ms'", ["s"], ["d", 1, ["s"]]),
        (OneOf(("a", "b", "c")), "'a', 'b' or 'c'", ["c"], [None]),
        (AnyMap(), "a map", [{}, {"a": 1}], [[], "a", None]),
        (AnyConstant(), "any value", [None, 1, [], {}], []),
    ],
)  # fmt: skip
def test_arguments(argument: Argument, words: str, taken: list[Any], refused: list[Any]) -> None:
    """What each kind of argument takes, and how it says so."""
    assert argument.words == words
    assert ([argument.takes(each) for each in taken], [argument.takes(each) for each in refused]) == (
        [True] * len(taken),
        [False] * len(refused),
    )
