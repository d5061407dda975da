"""Where the parts of a config that stands in many files are at home."""

import posixpath

from msgspec import structs

from router.config import spec
from router.config.findings import Locate
from router.model import Path, Place, names_file


class Homes:
    """Knows for each entry of a config in which file it stands, and where there."""

    def __init__(self, root: Locate) -> None:
        self._root = root
        self._settled: dict[Path, tuple[Locate, Path]] = {}

    def settle(self, path: Path, locate: Locate, own: Path) -> None:
        """Note that the entry at a path of the config, of two steps, is at the path `own` of another file."""
        self._settled[path] = (locate, own)

    def locate(self, path: Path, key: bool = False) -> Place:
        """Where the value (or the key) at a path of the config stands."""
        locate, own = self._settled.get(path[:2], (self._root, path[:2]))
        return locate((*own, *path[2:]), key)


def relocate_plugin(entry: str, folder: str) -> str:
    """An entry of `plugins` in a file of a folder, as the config would write it; a module's name stays."""
    return relocate(entry, folder) if names_file(entry) else entry


def relocate_route(route: spec.Route, folder: str) -> spec.Route:
    """A route in a file of a folder, with its names of files as the config would write them."""
    if not folder:
        return route
    schema = relocate(route.schema, folder) if isinstance(route.schema, str) else route.schema
    tests = tuple(
        structs.replace(test, file=relocate(test.file, folder)) if isinstance(test.file, str) else test
        for test in route.tests
    )
    return structs.replace(route, schema=schema, tests=tests)


def relocate(name: str, folder: str) -> str:
    """The name of a file in a file of a folder, as the config would write it."""
    return posixpath.normpath(posixpath.join(folder, name)) if folder else name
