"""What the package lacks, found without running it: a package for another machine cannot be imported here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.ops.contents import Entry
from router.ops.imports import packages_of
from router.ops.requirements import DISTRIBUTION, PROVIDED

LAMBDA_HAS = PROVIDED | {"dateutil", "jmespath", "six", "urllib3"}
"""What Lambda has, by the names of modules: its SDK, and what that requires."""


class Absent(Struct, frozen=True):
    """A module that a plugin file imports, and that neither the package nor Lambda has."""

    file: str
    name: str


def top_names(entries: Iterable[Entry]) -> set[str]:
    """The names of the modules and packages at the top of the package."""
    return {entry.name.partition("/")[0].partition(".")[0] for entry in entries}


def require_packages(modules: Mapping[str, Path], entries: Iterable[Entry]) -> None:
    """Raise UsageError unless the package has all that the router's modules import."""
    missing = packages_of(modules) - top_names(entries) - LAMBDA_HAS
    if missing:
        raise UsageError(
            f"the router imports {', '.join(sorted(missing))}, which its installed metadata does not name: install "
            f"{DISTRIBUTION} again, so that its metadata are those of its code"
        )


def find_absent(plugins: Sequence[Path], entries: Iterable[Entry], folder: Path) -> Iterator[Absent]:
    """What plugin files import, anywhere in them, that will not be there; it may be meant to be missing."""
    there = top_names(entries) | LAMBDA_HAS
    for plugin in plugins:
        for name in sorted(packages_of({plugin.stem: plugin}) - there):
            yield Absent(plugin.relative_to(folder).as_posix(), name)
