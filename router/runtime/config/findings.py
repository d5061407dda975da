"""Collects the findings of a config with their places, and words what they name."""

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any

from msgspec import Struct, structs

from router.model import Code, Finding, Path, Place
from router.runtime.config.secret_values import SecretValues

Locate = Callable[[Path, bool], Place]
"""Returns the place of the value (or, with True, of the key) at a path of the config.
"""

OF_THE_TEXT = frozenset(f"RT00{number}" for number in range(1, 8))
"""Codes of faults in the text itself: in its YAML, or in its references to the
environment.
"""

_LONGEST = 60


class ConfigFault(Struct, frozen=True):
    """A finding without a place in the config.

    `place` is one in another file, such as a schema.
    """

    code: Code
    sentence: str
    suggestion: str = ""
    place: Place | None = None


class Findings:
    """The findings of one config, each at the place to edit.

    None has the value of a variable that holds a secret.
    """

    def __init__(self, locate: Locate) -> None:
        self.secrets = SecretValues()
        self._locate = locate
        self._found: dict[Finding, set[Path]] = {}
        self._unreadable: set[Place] = set()
        self._excluded = frozenset[Code]()

    def add(
        self,
        code: Code,
        sentence: str,
        path: Path = (),
        *,
        key: bool = False,
        suggestion: str = "",
        place: Place | None = None,
        beside: Path | None = None,
    ) -> None:
        """Add a finding at the value (or the key) at `path`, or at a `place` in another
        file. It can be about what is `beside` it, too.
        """
        where = place or self._locate(path, key)
        # A value whose text has a fault is a placeholder: further faults of it would
        # mislead.
        if code.id in OF_THE_TEXT or where not in self._unreadable:
            paths = (path,) if beside is None else (path, beside)
            self.add_finding(Finding(code, sentence, where, suggestion), paths)

    def add_faults(self, path: Path, faults: Iterable[ConfigFault]) -> None:
        """Add a finding for each fault of what is at `path`."""
        for fault in faults:
            self.add(
                fault.code,
                fault.sentence,
                path,
                suggestion=fault.suggestion,
                place=fault.place,
            )

    def __iter__(self) -> Iterator[Finding]:
        """Iterate over the findings in the order of the file."""
        return iter(
            sorted(
                self._found,
                key=lambda finding: (finding.place, finding.code.id),
            )
        )

    def add_finding(self, finding: Finding, paths: Iterable[Path] = ()) -> None:
        """Add a finding once, even if it is found again at each alias of an anchor."""
        if finding.code in self._excluded:
            return
        self._found.setdefault(self._masked(finding), set()).update(paths)
        if finding.code.id in OF_THE_TEXT:
            self._unreadable.add(finding.place)

    def _masked(self, finding: Finding) -> Finding:
        """Return a finding without values of secrets."""
        if not self.secrets:
            return finding
        mask = self.secrets.mask
        code = finding.code
        title = mask(code.title)
        if title != code.title:
            # The remark of a plugin's check has its sentence as its title.
            code = structs.replace(code, title=title)
        place = structs.replace(finding.place, file=mask(finding.place.file))
        return Finding(code, mask(finding.sentence), place, mask(finding.suggestion))

    def take(self, others: "Findings") -> None:
        """Add the findings of another file of the config, and its secrets."""
        self.secrets.take(others.secrets)
        for finding in others:
            self.add_finding(finding, others.paths(finding))

    def without(self, codes: Iterable[Code]) -> "Findings":
        """Return a view of the same findings that ignores additions with these codes.

        It is for checks whose result would only be a consequence of another fault.
        """
        view = copy(self)
        view._excluded = frozenset(codes)
        return view

    def locate(self, path: Path, key: bool = False) -> Place:
        """Return the place of the value (or the key) at `path`."""
        return self._locate(path, key)

    def paths(self, finding: Finding) -> frozenset[Path]:
        """Return the paths that a finding is about: several if the value is used
        through aliases.
        """
        return frozenset(self._found[finding])

    @property
    def failed(self) -> bool:
        """Whether one of the findings is an error."""
        return any(finding.code.severity == "error" for finding in self._found)


def stopped(found: Iterable[Finding]) -> Findings:
    """Return the findings of a config that could not be read any further.

    It has no places for more.
    """
    findings = Findings(lambda path, key: next(iter(found)).place)
    for finding in found:
        findings.add_finding(finding)
    return findings


def describe(path: Path) -> str:
    """Return the name of a path in findings.

    As `'type' of attribute 'tags' of route 'user-metadata'`.
    """
    match path:
        case ():
            return "the config"
        case ("queues" | "tables" | "routes" as section, name):
            return f"{section.removesuffix('s')} {quote(name)}"
        case ("routes", _, "item", name):
            return f"attribute {quote(name)} of {describe(path[:2])}"
        case ("routes", _, "tests", int(index)):
            return f"test {index + 1} of {describe(path[:2])}"
    *parent, last = path
    name = f"entry {last + 1}" if isinstance(last, int) else quote(last)
    return f"{name} of {describe(tuple(parent))}" if parent else name


def quote(value: Any) -> str:
    """Return text in quotes, shortened if it is long, and any other value as it is."""
    shown = repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 2]}…'"


def any_of(words: Iterable[Any]) -> str:
    """Return alternatives as a list in prose: `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else str(last)


def closest(word: str, candidates: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the candidate that is most like a word, whatever its case.

    None if none is like it. `likeness` is the least ratio of difflib.SequenceMatcher at
    which two words are alike.
    """
    word = word.casefold()[:_LONGEST]
    letters = set(word)
    folded = {candidate.casefold(): candidate for candidate in candidates}
    likely = [each for each in folded if not letters.isdisjoint(each)]
    if not likely:
        return None
    # Only a config with a fault needs it: a cold start does not import it.
    from difflib import get_close_matches

    near = get_close_matches(word, likely, 1, likeness)
    return folded[near[0]] if near else None


def did_you_mean(word: str, candidates: Iterable[str], otherwise: str = "") -> str:
    """Return a suggestion of the candidate that is most like a word, or `otherwise`."""
    near = closest(word, candidates)
    return f"did you mean {near!r}?" if near else otherwise
