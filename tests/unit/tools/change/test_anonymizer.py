"""Masked values keep their shape and what equals what; the real ones are gone."""

import re
import unicodedata
from datetime import datetime, time
from decimal import Decimal
from string import ascii_lowercase, digits
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.tools.change.anonymizer import Anonymizer, Kept
from tests.support.secrets import SCRIPTS

KEY = b"k" * 32
NAMES = ("id", "mail", "lines", "sku")


def masker(**kept: Any) -> Anonymizer:
    return Anonymizer(KEY, Kept(**{"names": NAMES, **kept}))


def shape(text: str) -> str:
    """The kind of each character, and its size."""
    kinds = ((r"[a-z]", "a"), (r"[A-Z]", "A"), (r"[0-9]", "0"))
    for pattern, kind in kinds:
        text = re.sub(pattern, kind, text)
    return text


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=40))
def test_a_text_keeps_its_shape(text: str) -> None:
    """Its length, and the kind of each letter and digit; anything else stays."""
    masked = masker().anonymized(text)

    assert shape(masked) == shape(text)


@given(st.text(max_size=20))
def test_a_text_keeps_its_length(text: str) -> None:
    """In characters."""
    assert len(masker().anonymized(text)) == len(text)


def test_half_of_a_surrogate_pair_stays() -> None:
    """It is no letter, and no character that UTF-8 has."""
    assert shape(masker().anonymized("ann\ud800")) == "aaa\ud800"


@given(st.lists(st.text(alphabet="abcXYZ019@.", min_size=4, max_size=9), unique=True, max_size=30))
def test_equal_values_are_anonymized_alike_and_others_not(texts: list[str]) -> None:
    """Wherever they are in the messages of a recording."""
    one = masker()

    first, second = ([one.anonymized({"id": text, "lines": [text]}) for text in texts] for _ in range(2))

    assert first == second
    assert all(message["id"] == message["lines"][0] for message in first)
    assert (len({message["id"] for message in first}), one.collisions) == (len(texts), 0)


@given(st.integers(-(10**30), 10**30) | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9999))
@example(Decimal("-0.187"))
def test_a_number_keeps_sign_and_digits(number: Any) -> None:
    """And its type; zero stays zero."""
    masked = masker().anonymized(number)

    assert type(masked) is type(number)
    assert shape(str(masked)) == shape(str(number))
    assert (masked > 0, masked < 0) == (number > 0, number < 0)


TIMES = (
    *("2026-01-02", "2024-02-29", "9999-12-31", "0001-01-01", "2026-02-28T23:59:59.123Z", "2026-01-02t10:30:00z"),
    *("2024-02-29 00:00:00", "2026-01-02 10:30", "2026-01-02T10:30:00.5+05:30", "2026-01-02T10:30:00-0800"),
    *("23:59:59Z", "10:30", "1998-12-31T23:59:60Z"),
)


@pytest.mark.parametrize("text", TIMES)
def test_a_time_stays_a_time(text: str) -> None:
    """In its notation, with another number at each place but the century."""
    masked = masker().anonymized(text)

    assert shape(masked) == shape(text)
    parse = datetime.fromisoformat if text[4] == "-" else time.fromisoformat
    assert parse(masked.upper()) is not None
    assert (masked[:2] == text[:2]) is (text[4] == "-")
    was, is_ = (re.findall("[0-9]+", each.partition("+")[0]) for each in (text, masked))
    assert [one for one, two in zip(was, is_, strict=True) if one == two] == []


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T10:30:00Z login alice@example.com password=hunter2 card 4111111111111111",
        "order 2026-12-31 paid",
        "2026-13-01",
        "2026-01-02T",
        "2026-01-02T25:00:00Z",
        "2026-01-02\n2026-01-03",
    ],
)
def test_a_time_in_another_text_is_anonymized_as_the_text(text: str) -> None:
    """Each letter and digit of it is another one."""
    masked = masker().anonymized(text)

    assert shape(masked) == shape(text)
    assert [char for char, mask in zip(text, masked, strict=True) if char == mask and char.isalnum()] == []


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_letters_and_digits_of_all_scripts_are_anonymized(script: str) -> None:
    """By others of their kind, and of the same size in UTF-8."""
    text = SCRIPTS[script]

    masked = masker().anonymized(text)

    assert [char for char, mask in zip(text, masked, strict=True) if char == mask] == []
    assert list(map(unicodedata.category, masked)) == list(map(unicodedata.category, text))
    assert len(masked.encode()) == len(text.encode())


def test_marks_are_anonymized_too() -> None:
    """A letter with a mark is another letter with another mark."""
    masked = masker().anonymized("e\u0301a\u0308")

    assert [masked[1] == "\u0301", masked[3] == "\u0308"] == [False, False]
    assert list(map(unicodedata.category, masked)) == ["Ll", "Mn"] * 2


SAMPLES = {
    "uuid": ("00000000-0000-0000-0000-000000000000", "7D444840-9DC0-41D1-B245-5FFDCE74FAD2"),
    "ipv4": ("0.0.0.0", "127.0.0.1", "255.255.255.255", "1.22.203.4"),
    "ipv6": ("::1", "fe80::1", "2001:DB8::8:800:200C:417A", "::ffff:10.0.0.1"),
    "email": ("a@b", "a+b_c@d-e.f", "joe@[192.168.0.1]", "joe@[IPv6:2001:db8::1]", "a@xn--bcher-kva.example"),
    "idn-email": ("ann@bücher.example", "用户@例子.广告"),
    "hostname": ("localhost", "a-b.c", "1.2.3", "xn--nxasmq6b"),
    "idn-hostname": ("bücher.example", "例子.广告", "пример.рф", "παράδειγμα.gr"),
    "uri": ("mailto:a@b.example", "http://[::1]:80/", "data:text/plain;base64,SGVsbG8=", "http://u:p@h.example/%7Ex"),
    "iri": ("http://bücher.example/ü?x=ü",),
    "uri-reference": ("/a/b?c=d#e", "../x", "//h.example:80/x"),
    "uri-template": ("/u/{id:3}{?q,x*}", "{+path}/here"),
    "json-pointer": ("", "/a~0b/0", "/a~1b"),
    "relative-json-pointer": ("0/a", "1#", "12/foo/0", "0"),
    "regex": (r"^\d+$", r"\w+\s\S", "a|b"),
    "date": ("2024-02-29", "9999-12-31"),
    "time": ("23:59:60Z", "10:30:00.123-08:00"),
    "date-time": ("9999-12-31T23:59:59Z", "1990-12-31T15:59:60-08:00"),
    "duration": ("P1W", "PT0S", "P1Y2M3DT4H5M6S"),
}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_text_keeps_its_format(name: str) -> None:
    """Each that the validator asserts, with any key."""
    validator = jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True)

    keys = [number.to_bytes(32, "big") for number in range(20)]
    masks = [Anonymizer(key, Kept()).anonymized(text) for text in SAMPLES[name] for key in keys]

    assert [mask for mask in masks if not validator.is_valid(mask)] == []
    assert set(masks) & {text for text in SAMPLES[name] if re.search("[A-Za-z0-9]", text)} == set()


@pytest.mark.parametrize("text", ["00ff", "4bf92f3577b34da6a3ce929d0e0e4736", "A1B2C3D4", "0xdeadbeef", "#a0b1c2"])
def test_hexadecimal_digits_stay_such(text: str) -> None:
    """Of the same case; words of a few such letters are anonymized as words."""
    masked = [Anonymizer(bytes([number]) * 32, Kept()).anonymized(text) for number in range(20)]

    pattern = re.sub("[a-f]", "[a-f]", re.sub("[A-F]", "[A-F]", re.sub("[0-9]", "[0-9]", text.removeprefix("0x"))))
    found = [bool(re.fullmatch(pattern, mask.removeprefix("0x"))) for mask in masked]
    assert all(found) if text != "00ff" else not all(found)


def test_a_uuid_stays_one() -> None:
    """Hexadecimal digits are replaced by others."""
    masked = masker().anonymized("7d444840-9dc0-11d1-b245-5ffdce74fad2")

    assert re.fullmatch(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", masked)
    assert masked != "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def test_what_is_kept() -> None:
    """Constants of the config, paths that the user names, booleans, null, and declared names."""
    message = {"id": "device", "mail": "ann@example.com", "lines": [{"sku": "shirt"}, True, None], "Ann": 1}

    masked = masker(constants={"device"}, paths={("lines", None, "sku")}).anonymized(message)

    assert (masked["id"], masked["lines"]) == ("device", [{"sku": "shirt"}, True, None])
    assert shape(masked["mail"]) == "aaa@aaaaaaa.aaa"
    assert "ann" not in str(masked).lower()
    assert list(map(shape, masked)) == ["aa", "aaaa", "aaaaa", "Aaa"]


def test_names_that_the_config_does_not_name_are_anonymized() -> None:
    """Keys of an object may be values, such as names of persons; a name has one replacement, as the same text has."""
    message = {"user_id": "alice.smith", "alice.smith": {"alice.smith": 1}, "DE44500105175407324931": 2}

    masked = masker(names={"user_id"}).anonymized(message)

    name, *others = [key for key in masked if key != "user_id"]
    assert shape(name) == "aaaaa.aaaaa"
    assert (masked["user_id"], list(masked[name])) == (name, [name])
    assert list(map(shape, others)) == ["AA" + "0" * 20]


def test_the_name_of_a_property_replaces_no_other_one() -> None:
    """Else an anonymized key would be validated by the schema of another one."""
    names = {f"{char}" for char in "abcdefghijklmnopqrstuvwx"}

    assert list(masker(names=names).anonymized({"y": 1})) == ["z"]


def test_a_redacted_value_stays_one_of_its_type() -> None:
    """The type decides about the message, and the hash is another one."""
    masked = masker().anonymized("redacted:number:0123456789abcdef0123456789abcdef")

    assert re.fullmatch("redacted:number:[0-9a-f]{32}", masked)
    assert "0123" not in masked


NAMED = (0, 100, 65535, Decimal("99.5"))
FACTORS = (Decimal("0.25"), 5)


@pytest.mark.parametrize("number", [7, 42, 98, 101, 65534, 70000, -3, Decimal("99.25"), Decimal("0.75"), 85])
def test_a_number_keeps_its_place_among_those_of_the_config(number: Any) -> None:
    """Between the same bounds, and a multiple of the same factors."""
    kept = Kept(numbers=NAMED, factors=FACTORS)
    masks = [Anonymizer(bytes([key]) * 32, kept).anonymized(number) for key in range(20)]

    places = {sum(bound < mask for bound in NAMED) for mask in masks}
    assert places == {sum(bound < number for bound in NAMED)}
    assert [mask for mask in masks for factor in FACTORS if number % factor == 0 and mask % factor] == []
    assert len(set(masks)) > 1


def test_a_number_that_the_config_names_is_a_constant() -> None:
    """Such as that of an `enum`, or a bound; and no other one is replaced by it."""
    masked = masker(numbers={1, 2, 3, 4, 5, Decimal(9)}).anonymized([5, Decimal("5.0"), 6, 7, 8])

    assert masked[:2] == [5, Decimal("5.0")]
    assert sorted(masked[2:]) == [6, 7, 8]


def test_equal_numbers_are_anonymized_alike() -> None:
    """In any notation."""
    one, two, three = masker().anonymized([7, Decimal("7.0"), Decimal("7.00")])

    assert one == two == three
    assert (type(one), str(two), str(three)) == (int, f"{one}.0", f"{one}.00")


@pytest.mark.parametrize(
    "text", ["9" * 16, "1" + "0" * 30, "0." + "123456789" * 2, "1E+300", "-1E-200", "7" * 4000, "0." + "7" * 4000]
)
def test_a_long_number_is_anonymized_in_all_its_digits(text: str) -> None:
    """Not in the last ones only."""
    number = int(text) if text.isdigit() else Decimal(text)
    masks = [str(Anonymizer(bytes([key]) * 32, Kept()).anonymized(number)) for key in range(40)]

    at = re.search("[1-9]", text)
    assert at is not None
    assert len({mask[at.start()] for mask in masks}) > 3


@pytest.mark.parametrize(("bound", "others"), [(3, {1, 2}), (4, {1, 2, 3}), (5, {2, 3, 4})])
def test_one_of_few_replacements_tells_nothing(bound: int, others: set[int]) -> None:
    """Of two, the other one would tell which one it replaces; of four or more, a number is always another one."""
    masks = {Anonymizer(bytes([key]) * 32, Kept(numbers=(0, bound))).anonymized(1) for key in range(60)}

    assert masks == others


def test_values_stay_apart_if_their_shape_has_no_more_replacements() -> None:
    """A longer replacement counts for more than an equal one."""
    one = masker(constants=set("abcdefghijklmnopqrstuvwx"))

    masked = [one.anonymized(text) for text in ("y", "z")]

    assert (len(set(masked)), one.collisions) == (2, 0)


def test_forgotten_replacements_are_others_the_next_time() -> None:
    """Those of the values before stay."""
    one = masker()
    first = one.anonymized("before")
    known = one.known()
    second = one.anonymized("behind")

    one.forget(known)

    assert one.anonymized("before") == first
    assert one.anonymized("behind") != second


def test_a_replacement_is_no_constant_of_the_config() -> None:
    """Else a condition could hold that did not."""
    constants = {f"{char}" for char in "abcdefghijklmnopqrstuvwxy"}

    assert masker(constants=constants).anonymized("z") == "z"


@pytest.mark.parametrize(("longest", "shape_of_it"), [(1, "0a"), (2, "0aa")])
def test_one_value_more_than_there_are_replacements_gets_a_longer_one(longest: int, shape_of_it: str) -> None:
    """No replacement begins with a zero: for ten digits there are nine. What the config names is none either."""
    named = {f"{digit}{letter}" for digit in digits for letter in ascii_lowercase if longest > 1}
    for key in range(60):
        one = Anonymizer(bytes([key]) * 32, Kept(constants=named))

        masked = [one.anonymized(str(number)) for number in range(10)]

        assert (len(set(masked)), one.collisions) == (10, 0)
        assert sorted(map(shape, masked)) == ["0"] * 9 + [shape_of_it]


HALVES = [Decimal(number) / 2 for number in range(1, 20, 2)]


def test_a_number_more_than_there_are_replacements_gets_a_longer_one() -> None:
    """Multiples of 0.5 may take the places of whole numbers."""
    for key in range(5):
        one = Anonymizer(bytes([key]) * 32, Kept(factors=(Decimal("0.5"),)))

        masked = one.anonymized([*HALVES, *range(1, 10)])

        assert (len(set(masked)), one.collisions) == (19, 0)


def test_collisions_of_numbers_have_a_number() -> None:
    """Between two numbers of the config there is no longer one. What is forgotten does not count."""
    for key in range(5):
        one = Anonymizer(bytes([key]) * 32, Kept(numbers=(0, 10), factors=(Decimal("0.5"),)))
        one.anonymized("before")
        known = one.known()

        masked = one.anonymized([*HALVES, *range(1, 10)])

        assert one.collisions == 19 - len(set(masked))
        one.forget(known)
        assert (one.collisions, one.known()) == (0, 1)


def test_what_is_replaced() -> None:
    """One of few values by itself, perhaps; not what the config names, nor what has no other replacement."""
    for key in range(20):
        one = Anonymizer(bytes([key]) * 32, Kept(constants={*ascii_lowercase} - {"z"}, numbers=(0, 3)))
        values = ["z", "b", "--", "mail", 1, 3, 7, 0, True, None]

        one.anonymized(values)

        assert [value for value in values if one.is_replaced(value)] == ["mail", 1, 7]


@pytest.mark.parametrize("number", [Decimal("1.50"), Decimal("0.05"), Decimal("1E+5"), 0, Decimal("0.00"), -7])
def test_a_number_in_another_notation(number: Any) -> None:
    """Its exponent stays."""
    assert shape(str(masker().anonymized(number))) == shape(str(number))


def test_equal_numbers_in_two_notations() -> None:
    """They stay equal, also where the second has no digit for the replacement of the first: it is no real number."""
    first, second = masker().anonymized([12345, Decimal("1.2345E+4")])
    whole, short = masker().anonymized([70_000, Decimal("7E+4")])

    assert first == second != 12345
    assert whole == short
    assert whole % 10_000 != 0


def test_no_replacement_is_the_value_itself() -> None:
    """Where there are others: of 6,760 replacements of this text, one is the text."""
    masks = [Anonymizer(key.to_bytes(32, "big"), Kept(names=NAMES)).anonymized("id-0") for key in range(20_000)]

    assert "id-0" not in masks
    assert Anonymizer(KEY, Kept(names=NAMES)).anonymized("--") == "--"


REAL = [f"{number}" for number in range(10, 50)]


@pytest.mark.parametrize(
    ("message", "values"),
    [
        (REAL, REAL),
        ([*range(10, 50)], range(10, 50)),
        ({"lines": [{"sku": text} for text in REAL]}, REAL),
        (dict.fromkeys(REAL, 0), REAL),
    ],
)
def test_no_replacement_is_another_real_value(message: Any, values: Any) -> None:
    """Where there are others: of 90 values with this shape, 40 are in the message."""
    one = masker()

    masked = one.anonymized(message)

    found = [one.anonymized(value) for value in values]
    assert set(found) & set(values) == set()
    assert len(set(found)) == len(values)
    assert [text for text in map(str, values) if text in str(masked)] == []


def test_a_hostile_number_ends_nothing() -> None:
    """Its exponent is too great to compute with."""
    numbers = [
        Decimal("1E+999999"),
        Decimal("-7E-999999"),
        Decimal("0E+999999"),
        Decimal("-0.0"),
        Decimal("5E+99999999999"),
    ]

    masked = masker(numbers={5}).anonymized(numbers)

    assert [number.as_tuple().exponent for number in masked] == [999999, -999999, 999999, -1, 99999999999]
