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
from collections.abc import Callable, Iterator
from functools import cache

from msgspec import Struct

from router.model import Path

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
    rb"(?i:secret_?access_?key)[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])(?<!EXAMPLEKEY)",
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    rb"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{40}|\bglpat-[A-Za-z0-9_-]{20}",
    rb"\bxox[abeprs]-[A-Za-z0-9-]{20}|\b[rs]k_live_[A-Za-z0-9]{16}|\bAIza[A-Za-z0-9_-]{35}",
    rb"\bnpm_[A-Za-z0-9]{36}|\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50}",
    rb"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'{}$<>]+:[^\s/:@\"'{}$<>]{6,}@",
    # A line of an environment file, whose values need no quotes.
    (
        rb"(?m:^(?:export )?[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|API_?KEY|TOKEN)"
        rb"=(?=\S*[0-9])[^\s\"'{}$<>]{8,}$)"
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
LONG = 6
"""Characters from which a value is masked anywhere.

A shorter one only as a word of its own.
"""
SHORT = 3
"""Characters of the shortest word that is masked.

A shorter value, which anybody can guess, is masked in quotes only: a secret `a` would
mask each article of a sentence.
"""
DYNAMIC_REFERENCE = "{{resolve:"
"""Begins a text that CloudFormation replaces by a secret or a parameter."""
_CUT = 4
"""Characters of a cut value that are masked beside the `…`."""
_ELLIPSIS = "…"
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
    if re.search(_NO_HOLDER, name) is not None:
        return False
    return re.search(_HOLDER, name) is not None


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable holds a secret, by its name or its value."""
    if names_secret(name):
        return True
    if not any(mark in value for mark in _MARKS):
        return False
    return find_secret(value.encode(errors="replace")) is not None


class SecretUse(Struct, frozen=True):
    """A variable that is named like a secret, and the path of a text that refers to it."""

    name: str
    path: Path


class SecretValues:
    """The values of variables that hold secrets.

    Each has a text that is shown in its place.
    """

    def __init__(self) -> None:
        self.uses: dict[SecretUse, None] = {}
        self._shown: dict[str, str] = {}
        self._mask: _Mask | None = None

    def __bool__(self) -> bool:
        return bool(self._shown)

    def add(self, value: str, shown: str) -> None:
        """Add a value, or a text that it is part of, and what is shown instead."""
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

        They are neither whole in it, nor quoted, escaped, cut or in parts.
        """
        if not self._shown:
            return text
        if self._mask is None:
            self._mask = _Mask(self._shown)
        return self._mask(text)

    def refer(self, text: str, escape: Callable[[str], str]) -> str:
        """Return the text of a config for a value.

        It has references for the values in it; the rest is escaped.
        """
        for value in sorted(self._shown, key=len, reverse=True):
            if value == text or (len(value) >= LONG and value in text):
                before, _, after = text.partition(value)
                start, end = (
                    self.refer(before, escape),
                    self.refer(after, escape),
                )
                return f"{start}{self._shown[value]}{end}"
        return escape(text)


WRITTEN = SecretValues()
"""The secrets of the configs that this process has loaded.

They are masked in what it writes.
"""


class _Mask:
    """Replaces values in texts."""

    def __init__(self, shown: dict[str, str]) -> None:
        self._shown: dict[str, str] = {}
        patterns: dict[str, str] = {}
        for value, instead in shown.items():
            for form in _forms(value):
                self._shown.setdefault(form.casefold(), instead)
                patterns.setdefault(form, _pattern(form))
        self._long = [form for form in patterns if len(form) >= LONG]
        # The longest first: one value may be part of another.
        ordered = sorted(patterns, key=len, reverse=True)
        # What stands for a value may have another value in its name, and stays as it
        # is.
        references = sorted(
            map(re.escape, set(shown.values())), key=len, reverse=True
        )
        forms = [patterns[form] for form in ordered]
        self._pattern = re.compile("|".join(references + forms))

    def __call__(self, text: str) -> str:
        masked = self._pattern.sub(self._replace, text)
        return self._without_cut(masked) if _ELLIPSIS in masked else masked

    def _replace(self, found: re.Match[str]) -> str:
        shown = self._shown.get(found[0].casefold())
        if shown is None:
            # It is a reference.
            return found[0]
        text, start, end = found.string, found.start(), found.end()
        is_key = text.startswith('":', end)
        if is_key and re.fullmatch("[A-Za-z_$]+", found[0]):
            # A key of JSON that is a word names a field of a report, and is no value.
            return found[0]
        before, after = (
            text[max(0, start - _BESIDE) : start],
            text[end : end + _BESIDE],
        )
        is_value = re.search(r"[:,\[]\s*\Z", before) and re.match(
            r"\s*[,\]}]", after
        )
        if found[0].isdigit() and is_value:
            # A number of JSON becomes a text.
            return f'"{shown}"'
        return shown

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
    """Yield a value as it may be in a text: as it is, quoted or escaped, and its parts
    that tell something.
    """
    # For a cold start, which masks nothing.
    from html import escape
    from json import dumps
    from urllib.parse import quote, quote_plus

    quoted = repr(value)[1:-1]
    for text in (
        value,
        quoted,
        dumps(value)[1:-1],
        dumps(value, ensure_ascii=False)[1:-1],
        dumps(quoted)[1:-1],
    ):
        yield text
        # In HTML, and in the texts and attributes of XML.
        yield from (
            escape(text),
            escape(text, quote=False),
            escape(text, quote=False).replace('"', "&quot;"),
        )
    encoded = value.encode(errors="surrogateescape")
    yield from (quote(encoded), quote(encoded, safe=""), quote_plus(encoded))
    # An ARN, a URL or an expression is taken apart by what reads it.
    for part in re.findall(r"[^\W_]+", value):
        if len(part) >= LONG and not part.isalpha():
            yield part


def _pattern(form: str) -> str:
    literal = re.escape(form)
    if len(form) >= LONG:
        return f"(?i:{literal})"
    if len(form) >= SHORT:
        return rf"(?<![^\W_]){literal}(?![^\W_])"
    return f"(?<=['\"]){literal}(?=['\"])"
