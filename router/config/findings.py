"""Collects the findings of a config with their places, and words what they name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from router.model import Code, Finding, Path, Place

Locate = Callable[[Path, bool], Place]
"""Where the value (or, with True, the key) at a path of the config stands."""

OF_THE_TEXT = frozenset(f"RT00{number}" for number in range(1, 8))
"""The codes of the text: what YAML and the environment make of it."""

_NAMED = {"queues": "queue", "tables": "table", "routes": "route"}
_LONGEST = 60


class Findings:
    """The findings of one config, each at the place that a person must edit."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._found: dict[Finding, set[Path]] = {}
        self._unreadable: set[Place] = set()
        self._muted: set[Code] = set()

    def add(
        self,
        code: Code,
        sentence: str,
        path: Path = (),
        *,
        key: bool = False,
        suggestion: str = "",
        place: Place | None = None,
    ) -> None:
        """Note a finding at the value (or the key) at `path`, or at a `place` in another file."""
        where = place or self._locate(path, key)
        # Where the text itself is at fault, what stands in for it has no faults of its own.
        if code.id in OF_THE_TEXT or where not in self._unreadable:
            self.add_finding(Finding(code, sentence, where, suggestion), (path,))

    def __iter__(self) -> Iterator[Finding]:
        """The findings in the order of the file."""
        return iter(sorted(self._found, key=lambda finding: (finding.place, finding.code.id)))

    def add_finding(self, finding: Finding, paths: Iterable[Path] = ()) -> None:
        """Note a finding that has its place already, once: what an anchor names is read wherever an alias is."""
        if finding.code in self._muted:
            return
        self._found.setdefault(finding, set()).update(paths)
        if finding.code.id in OF_THE_TEXT:
            self._unreadable.add(finding.place)

    def take(self, others: "Findings") -> None:
        """Note the findings of a part of the config, which has places of its own."""
        for finding in others:
            self.add_finding(finding, others.paths(finding))

    def mute(self, *codes: Code) -> None:
        """Note nothing of these codes from now on: what they would say is only so because of another fault."""
        self._muted.update(codes)

    def locate(self, path: Path, key: bool = False) -> Place:
        """Where the value (or the key) at `path` stands."""
        return self._locate(path, key)

    def paths(self, finding: Finding) -> frozenset[Path]:
        """What in the config a finding is about: several paths where an alias stands for one thing."""
        return frozenset(self._found[finding])

    @property
    def failed(self) -> bool:
        """Whether one of them is an error."""
        return any(finding.code.severity == "error" for finding in self._found)


def stopped(found: Iterable[Finding]) -> Findings:
    """The findings of a config that could not be read any further, and so has no places for more."""
    findings = Findings(lambda path, key: next(iter(found)).place)
    for finding in found:
        findings.add_finding(finding)
    return findings


def describe(path: Path) -> str:
    """What a person calls the thing at a path: `'type' of attribute 'tags' of route 'user-metadata'`."""
    if not path:
        return "the config"
    *before, last = path
    parent = tuple(before)
    if len(path) == 2 and parent[0] in _NAMED:
        return f"{_NAMED[str(parent[0])]} {quote(last)}"
    if len(path) == 4 and path[0] == "routes" and path[2] == "item":
        return f"attribute {quote(last)} of {describe(path[:2])}"
    if len(path) == 4 and path[0] == "routes" and path[2] == "tests" and isinstance(last, int):
        return f"test {last + 1} of {describe(path[:2])}"
    name = f"entry {last + 1}" if isinstance(last, int) else quote(last)
    return f"{name} of {describe(parent)}" if parent else name


def quote(value: Any) -> str:
    """A value of the config in quotes, shortened if it is long; a number as it is."""
    shown = repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 2]}…'"


def any_of(words: Iterable[Any]) -> str:
    """The alternatives in a row: `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else str(last)


def closest(word: str, candidates: Sequence[str]) -> str | None:
    """The candidate that was probably meant, whatever its case, if one is near."""
    from difflib import get_close_matches  # only where there is a fault: start-up does without it

    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(word.casefold()[:_LONGEST], folded, 1)
    return folded[near[0]] if near else None
