"""Collects what is found in a config, and knows where each of it stands in the file."""

from collections.abc import Callable, Iterator

from router.model import Code, Finding, Path, Place

Locate = Callable[[Path, bool], Place]
"""Where the value (or, with True, the key) at a path of the config stands."""


class Findings:
    """The findings of one config, each at the place that a person must edit."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._found: list[Finding] = []

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
        self._found.append(Finding(code, sentence, place or self._locate(path, key), suggestion))

    def __iter__(self) -> Iterator[Finding]:
        """The findings in the order of the file."""
        return iter(sorted(self._found, key=lambda finding: (finding.place, finding.code.id)))

    @property
    def failed(self) -> bool:
        """Whether one of them is an error."""
        return any(finding.code.severity == "error" for finding in self._found)
