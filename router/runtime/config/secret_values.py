"""Masks the values of variables that hold secrets, in all that is written for people.

A variable holds a secret if its name says so, or if its value looks like one. A text
has the reference instead of the value, as the config has it: `${DB_PASSWORD}`.
`Findings` masks each finding when it is added. What a process writes otherwise —
tables, logs, errors of AWS calls — is masked by `WRITTEN`, which knows the secrets of
all configs that the process has loaded.

What looks like a secret: tokens have the documented prefixes of their issuers,
https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html, for
example.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache

from msgspec import Struct

from router.model import Path
from router.runtime.config.secret_patterns import LONG, pattern_of, seed_of

# Patterns of names. They are compiled when they are needed: a cold start without
# variables needs none.
_HOLDER = "(?i:pass|pwd|secret|token|credential|private|auth|key|dsn)"
_NO_HOLDER = r"(?i:(?:^|_)(?:ARN|ALIAS|NAME)$|(?:^|_)(?:KMS|PARTITION|SORT)_KEY(?:_ID|_PREVIOUS)?$)"
"""Names of what identifies a secret or a key, and of attributes: their values are no
secrets.
"""
_NAMED = rb"(?:password|passwd|secret|api_?key|access_?token|auth_?token|token)"
_LOOKS = (
    rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b(?<!EXAMPLE)",
    (
        rb"(?i:secret_?access_?key)[\"']?\s*[:=]\s*[\"']?"
        rb"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])(?<!EXAMPLEKEY)"
    ),
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    rb"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{40}|\bglpat-[A-Za-z0-9_-]{20}",
    rb"\bxox[abeprs]-[A-Za-z0-9-]{20}|\b[rs]k_live_[A-Za-z0-9]{16}|\bAIza[A-Za-z0-9_-]{35}",
    rb"\bnpm_[A-Za-z0-9]{36}|\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50}",
    rb"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'{}$<>]+:[^\s/:@\"'{}$<>]{6,}@",
    # A line of an environment file, whose values need no quotes.
    (
        rb"(?m:^(?:export )?[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|API_?KEY|TOKEN)="
        rb"(?=\S*[0-9])[^\s\"'{}$<>]{8,}$)"
    ),
    # A value in quotes with letters and digits: a name or a type has no digits, a
    # sentence has spaces.
    rb"(?i:"
    + _NAMED
    + rb")[\"']?\s*[:=]\s*([\"'])(?=[^\"']*[0-9])(?=[^\"']*[A-Za-z])[^\s\"'{}$<>]{12,}\1",
)
_MARKS = (
    "AKIA",
    "ASIA",
    "PRIVATE KEY",
    "gh",
    "glpat-",
    "xox",
    "k_live_",
    "AIza",
    "npm_",
    "pypi-",
    "://",
)
"""A value that looks like a secret by itself has one of these."""
DYNAMIC_REFERENCE = "{{resolve:"
"""Begins a text that CloudFormation replaces by a secret or a parameter."""
_CUT = 4
"""Characters of a cut value that are masked beside the `…`."""
_ELLIPSIS = "…"
_MOST_SEARCHES = 64
"""The most combinations of values whose compiled patterns are kept."""
_BESIDE = 40
"""Characters beside a number that tell whether it is one of JSON."""


@cache
def _looks() -> re.Pattern[bytes]:
    return re.compile(b"|".join(_LOOKS))


def find_secret(content: bytes) -> int | None:
    """Return the number of the first line that looks like a secret, or None."""
    found = _looks().search(content)
    return None if found is None else content.count(b"\n", 0, found.start()) + 1


def names_secret(name: str) -> bool:
    """Return whether the name of a variable says that its value is a secret."""
    return re.search(_HOLDER, name) is not None and re.search(_NO_HOLDER, name) is None


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable holds a secret, by its name or its value."""
    if names_secret(name):
        return True
    if not any(mark in value for mark in _MARKS):
        return False
    return find_secret(value.encode(errors="replace")) is not None


class SecretUse(Struct, frozen=True):
    """A variable that is named like a secret.

    `path` is that of a text of the config that refers to it.
    """

    name: str
    path: Path


class SecretValues:
    """The values of variables that hold secrets.

    Each has the text that is shown in its place.
    """

    def __init__(self) -> None:
        self.uses: dict[SecretUse, None] = {}
        self._shown: dict[str, str] = {}
        self._mask: _Mask | None = None

    def __bool__(self) -> bool:
        return bool(self._shown)

    def add(self, value: str, shown: str) -> None:
        """Add a value, or a text of the config with a value in it.

        `shown` is what is shown instead.
        """
        if value and value not in self._shown:
            self._shown[value] = shown
            self._mask = None

    def take(self, other: "SecretValues") -> None:
        """Add those of another."""
        self.uses |= other.uses
        for value, shown in other._shown.items():
            self.add(value, shown)

    def clear(self) -> None:
        """Forget all."""
        self.uses.clear()
        self._shown.clear()
        self._mask = None

    def mask(self, text: str) -> str:
        """Return a text without the values.

        It has none of them whole, quoted, escaped, cut or in parts.
        """
        if not self._shown:
            return text
        if self._mask is None:
            self._mask = _Mask(self._shown)
        return self._mask(text)

    def refer(self, text: str, escape: Callable[[str], str]) -> str:
        """Return the text of a config for a text: a reference for each value in it.

        The rest is escaped.
        """
        for value in sorted(self._shown, key=len, reverse=True):
            if value == text or (len(value) >= LONG and value in text):
                before, _, after = text.partition(value)
                return self.refer(before, escape) + self._shown[value] + self.refer(after, escape)
        return escape(text)


WRITTEN = SecretValues()
"""The secrets of the configs that this process has loaded.

What it writes is masked by them.
"""


class _Secret(Struct, frozen=True):
    """The pattern of a value or of a part of it.

    `instead` is what is shown. Each text that has the value has `seed`, too.
    """

    pattern: str
    instead: str
    seed: str


class _Search(Struct, frozen=True):
    """A pattern with a group for each value, and what is shown instead of each group."""

    pattern: re.Pattern[str]
    instead: Sequence[str]

    def replace(self, text: str) -> str:
        """Return a text without what is found."""
        return self.pattern.sub(self._shown, text)

    def _shown(self, found: re.Match[str]) -> str:
        assert found.lastindex is not None  # each alternative is a group
        shown = self.instead[found.lastindex - 1]
        if found.string.startswith('":', found.end()) and re.fullmatch("[A-Za-z_$]+", found[0]):
            # A key of JSON that is a word names a field of a report, and is no value.
            return found[0]
        if found[0].isdigit() and re.search(
            r"[:,\[]\s*\Z", found.string[: found.start()][-_BESIDE:]
        ):
            # A number of JSON becomes a text.
            is_json = re.match(r"\s*[,\]}]", found.string[found.end() :][:_BESIDE]) is not None
            return f'"{shown}"' if is_json else shown
        return shown


class _Mask:
    """Replaces values in texts."""

    def __init__(self, shown: dict[str, str]) -> None:
        self._shown: dict[str, str] = {}
        secrets: dict[str, _Secret] = {}
        for value, instead in shown.items():
            for each in (value, *_parts(value)):
                pattern = pattern_of(each)
                secrets.setdefault(pattern, _Secret(pattern, instead, seed_of(each)))
            for form in _forms(value):
                self._shown.setdefault(form.casefold(), instead)
        self._long = [form for form in self._shown if len(form) >= LONG]
        # The longest first: one value may be part of another.
        self._secrets = sorted(secrets.values(), key=lambda each: len(each.pattern), reverse=True)
        # What stands for a value may have another value in its name, and stays as it is.
        self._references = sorted(set(shown.values()), key=len, reverse=True)
        self._search = lru_cache(_MOST_SEARCHES)(self._compile)

    def __call__(self, text: str) -> str:
        folded = text.casefold()
        # A search for all values takes long, and most texts have none.
        found = tuple(index for index, each in enumerate(self._secrets) if each.seed in folded)
        masked = self._search(found).replace(text) if found else text
        return self._without_cut(masked) if _ELLIPSIS in masked else masked

    def _compile(self, indexes: Sequence[int]) -> _Search:
        secrets = [self._secrets[index] for index in indexes]
        patterns = [
            *map(re.escape, self._references),
            *(f"(?i:{each.pattern})" for each in secrets),
        ]
        pattern = re.compile("|".join(f"({each})" for each in patterns))
        return _Search(pattern, [*self._references, *(each.instead for each in secrets)])

    def _without_cut(self, text: str) -> str:
        """Return a text without what is left of values that were cut."""
        first, *others = text.split(_ELLIPSIS)
        pieces = [first]
        for piece in others:
            pieces[-1] = self._without_start(pieces[-1])
            pieces.append(self._without_end(piece))
        return _ELLIPSIS.join(pieces)

    def _without_start(self, piece: str) -> str:
        for form in self._long:
            for length in range(min(len(form), len(piece)), _CUT - 1, -1):
                if piece.endswith(form[:length]):
                    return piece[:-length] + self._shown[form.casefold()]
        return piece

    def _without_end(self, piece: str) -> str:
        for form in self._long:
            for length in range(min(len(form), len(piece)), _CUT - 1, -1):
                if piece.startswith(form[-length:]):
                    return self._shown[form.casefold()] + piece[length:]
        return piece


def _forms(value: str) -> Iterator[str]:
    """Yield the forms of a value in a sentence that cuts it.

    They are the value as it is, quoted and escaped, and its parts.
    """
    from html import escape
    from json import dumps

    quoted = repr(value)[1:-1]
    in_json = dumps(dumps(value, ensure_ascii=False))[3:-3]
    for text in (
        value,
        quoted,
        dumps(value)[1:-1],
        dumps(value, ensure_ascii=False)[1:-1],
        dumps(quoted)[1:-1],
        in_json,
    ):
        # In HTML, and in the texts of XML.
        yield from (text, escape(text), escape(text, quote=False))
    yield from _parts(value)


def _parts(value: str) -> Iterator[str]:
    """Yield the parts of a value that tell something.

    What reads an ARN, a URL or an expression takes it apart.
    """
    for part in re.findall(r"[^\W_]+", value):
        if len(part) >= LONG and not part.isalpha():
            yield part
