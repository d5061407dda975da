"""Secrets of many forms and scripts, and the search for them in what the router writes."""

import base64
import json
import random
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

RUN = 4
"""So many letters and digits in a row of a secret reveal a part of it."""
SCRIPTS: Mapping[str, str] = {
    "latin": "abcdefghijklmnopqrstuvwxyz",
    "capitals": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "umlauts": "äöüßéèñçåæøœłžš",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "arabic digits": "٠١٢٣٤٥٦٧٨٩",
    "devanagari digits": "०१२३४५६७८९",
    "devanagari": "कखगघचछजझटठडढतथदधपफबभमयरलवशषसह",
    "fullwidth": "".join(map(chr, [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF2A), *range(0xFF41, 0xFF4A)])),
    "chinese": "李王張劉陳楊黃趙周吳徐孫馬朱胡林郭何高羅",
    "hiragana": "あいうえおかきくけこさしすせそたちつてと",
    "hangul": "김이박최정강조윤장임한오서신권황안송류홍",
    "deseret": "𐐨𐐩𐐪𐐫𐐬𐐭𐐮𐐯𐐰𐐱𐐲𐐳",
    "emoji": "😀😁😂😃😄😅😆😇😈😉😊🙂🚀🚁🚂🚃",
    "mathematical": "".join(map(chr, [*range(0x1D41A, 0x1D423), *range(0x1D7CE, 0x1D7D4)])),
}
WRAPPED: Mapping[str, Callable[[str], str]] = {
    "whole": str,
    "after a time": "2026-01-02T10:30:00Z login {} password".format,
    "after a date": "2026-01-02 {}".format,
    "before a time": "{} 10:30".format,
    "template": lambda text: "{{ name }} ${{{}}} %s".replace("{}", text, 1),
    "json": lambda text: json.dumps({"inner": [text]}, ensure_ascii=False),
    "escaped": lambda text: json.dumps({"inner": text}),
    "url": "https://user:{}@example.org:8080/path?q=1#top".format,
    "mask": "redacted:string:{}".format,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
}


class SecretSource:
    """Makes secrets from a seed, and remembers them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.made: list[str] = []

    def text(self, script: str, length: int = 12) -> str:
        """A text of a script."""
        return self._made("".join(self._random.choices(SCRIPTS[script], k=length)))

    def combined(self) -> str:
        """A text whose letters have combining marks."""
        return self._made("".join(char + "\u0301" for char in self._random.choices(SCRIPTS["latin"], k=10)))

    def number(self, digits: int = 16) -> int:
        """A whole number, as of a card."""
        return int(self._made(str(self._random.randrange(10 ** (digits - 1), 10**digits))))

    def decimal(self) -> Decimal:
        """A number with a fraction."""
        return Decimal(self._made(f"{self._random.randrange(10**7, 10**8)}.{self._random.randrange(1, 10**6):06}"))

    def in_format(self, name: str) -> str:
        """A text in a format, by the name of the format."""
        return self._made(self._FORMATS[name](self))

    def everything(self) -> dict[str, str]:
        """One text of each script and format."""
        texts = {script: self.text(script) for script in SCRIPTS}
        return {**texts, "combined": self.combined(), **{name: self.in_format(name) for name in self._FORMATS}}

    def _made(self, text: str) -> str:
        self.made.append(text)
        return text

    def _chars(self, alphabet: str, length: int) -> str:
        return "".join(self._random.choices(alphabet, k=length))

    def _word(self, length: int = 9) -> str:
        return self._chars("bdfghjklmnqrstvwxyz", length)

    def _hex(self, length: int) -> str:
        return "a1" + self._chars("0123456789abcdef", length - 2)

    def _octets(self) -> str:
        return ".".join(str(self._random.randrange(100, 256)) for _ in range(4))

    def _date(self) -> str:
        parts = self._random.randrange(1931, 2031), self._random.randrange(1, 13), self._random.randrange(1, 29)
        return "{:04}-{:02}-{:02}".format(*parts)

    def _time(self) -> str:
        return "{:02}:{:02}:{:02}".format(self._random.randrange(24), *self._random.choices(range(60), k=2))

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    _FORMATS: Mapping[str, Callable[["SecretSource"], str]] = {
        "uuid": _uuid,
        "capital uuid": lambda self: self._uuid().upper(),
        "hex": lambda self: self._hex(32),
        "capital hex": lambda self: self._hex(40).upper(),
        "short hex": lambda self: self._hex(7),
        "mac": lambda self: ":".join(self._hex(2) for _ in range(6)),
        "colour": lambda self: f"#{self._hex(6)}",
        "ipv4": _octets,
        "ipv6": lambda self: f"2001:{self._hex(4)}:{self._hex(4)}::{self._hex(4)}",
        "mapped ipv6": lambda self: f"::ffff:{self._octets()}",
        "email": lambda self: f"{self._word()}.{self._word(4)}@{self._word()}.example",
        "address literal": lambda self: f"{self._word()}@[{self._octets()}]",
        "hostname": lambda self: f"{self._word()}-{self._word()}.{self._word()}.example",
        "punycode": lambda self: f"xn--{self._chars(SCRIPTS['cyrillic'], 9).encode('punycode').decode()}.example",
        "uri": lambda self: f"https://{self._word()}:8443/{self._word()}/%C3%BC?{self._word()}={self._word()}",
        "address uri": lambda self: f"ldap://[2001:{self._hex(4)}::{self._hex(4)}]/{self._word()}",
        "urn": lambda self: f"urn:isbn:{self._chars('0123456789', 13)}",
        "date": _date,
        "date-time": lambda self: f"{self._date()}T{self._time()}Z",
        "local date-time": lambda self: f"{self._date()}T{self._time()}.{self._chars('123456789', 6)}+05:30",
        "small date-time": lambda self: f"{self._date()}t{self._time()}z",
        "sql date-time": lambda self: f"{self._date()} {self._time()}",
        "time": lambda self: f"{self._time()}+02:00",
        "duration": lambda self: f"P{self._chars('123456789', 5)}DT{self._chars('123456789', 5)}S",
        "base64": lambda self: base64.b64encode(self._word(16).encode()).decode(),
        "json-pointer": lambda self: f"/{self._word()}~1{self._word()}/10",
        "uri-template": lambda self: f"/{self._word()}/{{+{self._word()}}}",
        "iban": lambda self: f"DE{self._chars('123456789', 20)}",
        "card": lambda self: "-".join(self._chars("123456789", 4) for _ in range(4)),
        "phone": lambda self: f"+49 ({self._chars('123456789', 3)}) {self._chars('123456789', 7)}",
        "jwt": lambda self: ".".join(
            self._chars(SCRIPTS["latin"] + SCRIPTS["capitals"] + "0123456789", 20) for _ in "123"
        ),
        "key": lambda self: f"{self._word(5)}!{self._chars(SCRIPTS['capitals'], 5)}_{self._chars('123456789', 5)}",
    }


def normalized(text: str) -> str:
    """Return a text without case, marks, and other forms of the same characters."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def runs_of(text: str) -> set[str]:
    """Return each run of letters and digits of a text that is long enough to reveal a part of a secret."""
    forms = {text.casefold(), normalized(text)}
    found = {form[at : at + RUN] for form in forms for at in range(len(form) - RUN + 1)}
    return {run for run in found if all(char.isalnum() or not char.isascii() for char in run)}


def whole_secrets(text: str, secrets: Iterable[str]) -> list[str]:
    """Return the secrets that a text has in it."""
    folded, plain = text.casefold(), normalized(text)
    return [secret for secret in secrets if secret.casefold() in folded or normalized(secret) in plain]


def parts_of_secrets(messages: Sequence[Any], secrets: Iterable[str]) -> set[str]:
    """Return the runs of secrets that are in the same text of each of the messages.

    A run that is in one text, and in no other one in its place, is there by chance.
    """
    runs = set().union(*map(runs_of, secrets))
    found: set[str] = set()
    for texts in zip(*map(texts_of, messages), strict=True):
        found |= set.intersection(*map(runs_of, texts)) & runs
    return found


def texts_of(value: Any) -> Iterator[str]:
    """Yield the text of each scalar and name in a value."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from texts_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each)
    else:
        yield str(value)


def as_text(value: Any) -> str:
    """Return JSON without escapes of characters that are no signs of ASCII."""
    return re.sub(r"\s+", " ", json.dumps(value, ensure_ascii=False, default=str))
