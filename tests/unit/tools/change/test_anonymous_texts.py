"""Which parts of a text of a known form stay when it is anonymized, and what replaces the others."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime, time
from ipaddress import ip_address
from random import Random
from string import ascii_lowercase, ascii_uppercase

import pytest

from router.tools.change.anonymous_texts import alphabet_of, draws, other_text

MASKS = 150


def masks(text: str, count: int = MASKS) -> list[str]:
    """Replacements of a text; of so many, each place has several."""
    draw = Random(1).randrange
    return [other_text(text, draw) for _ in range(count)]


def staying(text: str) -> str:
    """The text, with `_` at each place where another character may be."""
    places = zip(*masks(text), strict=True)
    return "".join(char if {*found} == {char} else "_" for char, found in zip(text, places, strict=True))


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("a-B.9 %!", "_-_._ %!"),
        ("%7Ex%2f%2", "%___%__%_"),
        ("~0a~1b~2", "~0_~1_~_"),
        (r"\d\Wx\q", r"\_\__\_"),
        ("joe@[192.168.0.1]", "___@[___.___._._]"),
        ("joe@[IPv6:2001:db8::1]", "___@[IPv6:____:___::_]"),
        ("joe@[cafe.be]", "___@[____.__]"),
        ("10.0.255.99", "__._.___.__"),
        ("2001:DB8::8:80:200C:417A", "____:___::_:__:____:____"),
        ("::ffff:10.0.0.1", "::____:__._._._"),
        ("fe80::1%eth0", "____::_%____"),
        ("0xDEADbeef", "0x________"),
        ("#a0b1c2", "#______"),
        ("00:1b:44:11:3a:b7", "__:__:__:__:__:__"),
        ("00-1B-44-11-3a-b7", "__-__-__-__-__-__"),
        ("7d444840-9dc0-11d1-b245-5ffdce74fad2", "________-____-1___-____-____________"),
        ("7D444840-9DC0-41D1-8245-5FFDCE74FAD2", "________-____-4___-____-____________"),
        ("P1Y2M3DT4H5M6.5S", "P_Y_M_DT_H_M_._S"),
        ("P10W", "P__W"),
        ("2026-06-15", "20__-__-__"),
        ("2026-06-15T12:30:30.123+05:30", "20__-__-__T__:__:__.___+__:__"),
        ("2026-06-15 12:30:30,5Z", "20__-__-__ __:__:__,_Z"),
        ("2026-06-15t12:30-0800", "20__-__-__t__:__-____"),
        ("12:30:30z", "__:__:__z"),
        (f"redacted:number:{'0' * 32}", f"redacted:number:{'_' * 32}"),
        ("redacted:string:00ff", "________:______:____"),
    ],
)
def test_what_stays_of_a_form(text: str, stays: str) -> None:
    """Its signs and what says which form it is; anything else is replaced."""
    assert staying(text) == stays


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("%7E", "%[0-9][A-F]"),
        (r"\d\D", r"\\[dwsnrt]\\[DWS]"),
        ("a1b2c3", "[a-f][0-9][a-f][0-9][a-f][0-9]"),
        ("A1-B2-C3", "[A-F][0-9]-[A-F][0-9]-[A-F][0-9]"),
        ("0xdE4D", "0x[a-f][A-F][0-9][A-F]"),
        ("#fff", "#[a-f]{3}"),
        ("00:1b:44:11:3a:b7", "[0-9]{2}:[0-9][a-f]:[0-9]{2}:[0-9]{2}:[0-9][a-f]:[a-f][0-9]"),
        ("7d444840-9dc0-11d1-b245-5ffdce74fad2", "[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("7d444840-9dc0-11d1-9245-5ffdce74fad2", "[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89][0-9a-f]{3}-[0-9a-f]{12}"),
        ("7d444840-9dc0-11d1-c245-5ffdce74fad2", "[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[a-f][0-9a-f]{3}-[0-9a-f]{12}"),
        ("a12345", "[a-f][0-9]{5}"),
        ("123456", "[1-9][0-9]{5}"),
        ("007", "[1-9][0-9][0-9]"),
        ("P10D", "P[1-9][0-9]D"),
    ],
)
def test_what_replaces_the_characters_of_a_form(text: str, pattern: str) -> None:
    """Each is of the same kind."""
    assert [mask for mask in masks(text) if not re.fullmatch(pattern, mask)] == []


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("5", "12346789"),
        ("0", "123456789"),
        ("a", ascii_lowercase[1:]),
        ("Z", ascii_uppercase[:-1]),
        (r"\D", "DWS"),
        (r"\d", "wsnrt"),
    ],
)
def test_a_character_is_replaced_by_all_others(text: str, others: str) -> None:
    """Digits at the beginning by no zero; of three, each by any, as two others would tell more than three do."""
    assert {mask[-1] for mask in masks(text, 1000)} == {*others}


def test_a_digit_behind_another_one_may_be_a_zero() -> None:
    """And no other one is the digit itself."""
    assert {mask[1] for mask in masks("55", 1000)} == {*"012346789"}


@pytest.mark.parametrize("text", ["abcd1", "abcdef", "ab-cd", "0xyz12", "#ab", "a1B2c3", "-a1b2c3"])
def test_a_text_that_is_not_hexadecimal(text: str) -> None:
    """It may be a word, with letters behind the f."""
    assert any(re.search("(?i)[g-z]", mask.removeprefix("0x")) for mask in masks(text))


def is_time(text: str) -> bool:
    """Whether Python reads a text as a time."""
    parse = datetime.fromisoformat if re.match("[0-9]{4}-", text) else time.fromisoformat
    try:
        return bool(parse(text.upper().replace(",", ".")))
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("23:59", True),
        ("24:00", False),
        ("23:60", False),
        ("23:59:59", True),
        ("23:59:60", True),
        ("23:59:61", False),
        ("10:30+23:59", True),
        ("10:30+24:00", False),
        ("10:30+10:60", False),
        ("2026-12-31T10:30-2400", False),
        ("2024-02-29", True),
        ("2026-02-29", False),
        ("2026-13-01", False),
        ("0000-01-01", False),
        ("0001-01-01T00:00:00Z", True),
        ("2026-01-01T24:00", False),
        ("2026-01-01T", False),
    ],
)
def test_what_is_a_time(text: str, expected: bool) -> None:
    """It stays one, whatever it is replaced by; what only looks like one is replaced as any text."""
    assert all(map(is_time, masks(text))) is expected


def ranges(found: Iterable[str]) -> list[tuple[int, int, int]]:
    """The least and the greatest of the numbers in texts, place by place, and how many there are."""
    columns = zip(*([int(each) for each in re.findall("[0-9]+", text)] for text in found), strict=True)
    return [(min(column), max(column), len({*column})) for column in columns]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1950-06-15T12:30:30+06:00", [(1901, 1999), (1, 12), (1, 28), (0, 23), (0, 59), (0, 59), (0, 13), (0, 45)]),
        ("5.50.150.200", [(0, 9), (10, 99), (100, 255), (100, 255)]),
    ],
)
def test_the_numbers_of_a_form(text: str, expected: list[tuple[int, int]]) -> None:
    """All that the form has at that place, but the one that is replaced; of minutes of an offset, the quarters."""
    found = ranges(masks(text, 3000))

    assert [(least, most) for least, most, _ in found] == expected
    sizes = [most - least for least, most in expected]
    assert [count for _, _, count in found] == [4 if size == 45 else size for size in sizes]


@pytest.mark.parametrize(
    "text", ["2001-01-01T00:00:00+00", "1999-12-28T23:59:59+13", "2050-06-15T10:30:30+12", "0.10.100.255"]
)
def test_no_number_replaces_itself(text: str) -> None:
    """Neither the least nor the greatest of its place."""
    given = text if text.count(".") else f"{text}:00"
    numbers = re.findall("[0-9]+", text)

    found = [re.findall("[0-9]+", mask)[: len(numbers)] for mask in masks(given, 1500)]
    assert [each for each in found if any(map(str.__eq__, each, numbers))] == []


@pytest.mark.parametrize("text", ["127.0.0.1", "255.255.255.255", "::1", "::ffff:10.0.0.1", "2001:db8::a00:1"])
def test_an_address_stays_one(text: str) -> None:
    """Of the same kind."""
    assert {ip_address(mask).version for mask in masks(text)} == {ip_address(text).version}


@pytest.mark.parametrize("text", ["256.0.0.1", "1.2.3.999"])
def test_what_only_looks_like_an_address(text: str) -> None:
    """It is replaced as any text: a number may be too large."""
    assert any(int(part) > 255 for mask in masks(text) for part in mask.split("."))


def test_a_label_in_punycode_is_replaced_in_its_script() -> None:
    """As the text that it stands for."""
    for text in ("xn--bcher-kva.example", "XN--BCHER-KVA.example"):
        for mask in masks(text):
            label, _, rest = mask.partition(".")
            found = label[4:].encode().decode("punycode")
            assert (label[:4], len(found), len(rest)) == (text[:4], 6, 7)
            assert [one for one, two in zip("bücher", found, strict=True) if one == two] == []
            assert [char for char in found if not char.islower()] == []
            assert not found[1].isascii()


def test_a_label_that_is_not_punycode() -> None:
    """All of it is replaced."""
    assert staying("xn--99999999") == "__--________"


@pytest.mark.parametrize(
    ("char", "others"),
    [
        ("a", "bz"),
        ("Z", "AY"),
        ("7", "09"),
        ("é", "ßÿ"),
        ("É", "ÀÞ"),
        ("ω", "αψ"),
        ("Я", "АЮ"),
        ("\u0627", "بي"),
        ("あ", "ぃん"),
        ("王", "一龥"),
        ("김", "가힣"),
        ("😀", "🌀🙏"),
        ("đ", "āſ"),
        ("一", "王龥"),
        ("힣", "가김"),
        ("ª", "º"),
        ("१", "०९"),
    ],
)
def test_the_characters_that_may_replace_one(char: str, others: str) -> None:
    """Those of its kind, in a range that patterns name."""
    alphabet = alphabet_of(char)

    assert {*others, char} <= {*alphabet}
    assert {unicodedata.category(each) for each in alphabet} == {unicodedata.category(char)}
    assert {len(each.encode()) for each in alphabet} == {len(char.encode())}


@pytest.mark.parametrize(
    ("char", "first", "last"),
    [("\u00d7", "ß", "ÿ"), ("\u0e3f", "一", "龥"), ("\U000118ff", "\U00020000", "\U0002a6d6")],
)
def test_the_only_character_of_its_kind_in_its_block(char: str, first: str, last: str) -> None:
    """It is replaced by letters of the same size in UTF-8."""
    alphabet = alphabet_of(char)

    assert (min(alphabet), max(alphabet), char in alphabet) == (first, last, False)


@pytest.mark.parametrize("char", [*" .-_@\u00a0\u2013\u3000\u0085", "\ud800"])
def test_what_stays_in_any_text(char: str) -> None:
    """White space and punctuation, of all scripts; controls, and half of a surrogate pair."""
    assert alphabet_of(char) == ""


def test_draws_are_the_words_of_random_bytes() -> None:
    """Four bytes each, the blocks in their order; a large bound takes more than its bits, so that it is as likely."""
    draw = draws(lambda block: bytes([0, 0, 0, 2 * block, 0, 0, 0, 2 * block + 1]))

    assert [draw(100) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert draw(2**31 - 1) == 5
    assert draw(2**31) == (6 << 32 | 7) % 2**31
    assert draw(2**40 + 1) == (8 << 32 | 9) % (2**40 + 1)
    assert draw(2**63) == ((10 << 64) | (11 << 32) | 12) % 2**63
