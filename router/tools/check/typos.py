"""Finds what a misspelt name was to be."""

from collections.abc import Iterable

from router.runtime.config.findings import closest

# The least similarity of names at which one is taken for a typo of the other.
_SIMILARITY = 0.8
# Shorter names often differ in one letter.
_SHORTEST = 4


def typo_of(word: str, known: Iterable[str]) -> str:
    """Return the name that a word is a typo of; "" if there is none.

    Of names of four or five letters, which are never 80 % alike with a wrong letter, one letter may be wrong or two
    neighbours exchanged.
    """
    names = tuple(known)
    alike = closest(word, names, _SIMILARITY)
    if alike is not None:
        return alike
    return next((name for name in names if _is_slip(word, name)), "")


def _is_slip(word: str, name: str) -> bool:
    if len(word) != len(name) or len(word) < _SHORTEST:
        return False
    match [at for at, char in enumerate(word) if char != name[at]]:
        case [_]:
            return True
        case [one, other]:
            return other == one + 1 and word[one] + word[other] == name[other] + name[one]
    return False
