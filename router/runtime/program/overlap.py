"""Finds out whether a text may reveal a part of a redacted value.

A plugin, or the sender of a message, may write a part of a value in other characters:
in another case, without accents, escaped or encoded.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any
from unicodedata import normalize

from router.runtime.sources.hash import canonical_json

_SHARED = 4
"""The length of a common substring by which a text is taken to reveal a value."""
_MAX_TEXT = 1000
"""A longer text is not searched: it is taken to reveal each value."""
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")


def reveals(text: str, values: Iterable[Any]) -> bool:
    """Whether a text may have a part of one of some values, in any form of its characters."""
    scalars = chain.from_iterable(map(_scalars, values))
    given = [value for value in scalars if value]
    if len(text) > _MAX_TEXT:
        return bool(given)
    forms = (text, _unescaped(text), _unescaped(text.replace("\\x", "%")))
    return any(_overlap(value, form) for value in given for form in forms)


def _scalars(value: Any) -> Iterator[str]:
    """Yield the text of each scalar in a value, and the names in its objects."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _scalars(each)
    elif isinstance(value, list):
        for each in value:
            yield from _scalars(each)
    elif isinstance(value, bytes):
        yield value.decode(errors="replace")
    elif isinstance(value, str):
        yield value
    elif value is not None:
        yield canonical_json(value)


def _overlap(value: str, text: str) -> bool:
    """Whether a text has enough of a value in it to reveal a part of the value."""
    if any(encoded in text for encoded in _encoded(value)):
        return True
    if _has_run(value.casefold(), text.casefold()):
        return True
    return _has_run(_plain(value), _plain(text), least=_SHARED)


def _has_run(value: str, text: str, least: int = 1) -> bool:
    """Whether a text has a run of a value.

    Of a value shorter than a run it must have all, and at least so many characters.
    """
    if len(value) < _SHARED:
        return len(value) >= least and value in text
    starts = range(len(text) - _SHARED + 1)
    return any(text[start : start + _SHARED] in value for start in starts)


def _plain(text: str) -> str:
    """Return the letters and digits of a text in one form, without case and marks."""
    folded = normalize("NFKD", text).casefold()
    return "".join(filter(str.isalnum, folded))


def _encoded(value: str) -> Iterator[str]:
    """Yield how a value begins in Base64 and in hexadecimal digits."""
    data = value.encode(errors="surrogatepass")
    # What follows a value changes its last characters in Base64.
    whole = data[: len(data) // 3 * 3]
    if whole:
        yield b64encode(whole).decode()
        yield data.hex()


def _unescaped(text: str) -> str:
    """Return a text with the characters that escapes of JSON, Python and URLs stand for.

    `\\xHH` is a character, as in text of Python; in its bytes, it is what `%HH` is in
    URLs.
    """
    text = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
    # Pairs of surrogates become the characters that they stand for.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    data = _PERCENT.sub(
        lambda found: bytes.fromhex(found[1].decode()), text.encode()
    )
    return data.decode(errors="replace")
