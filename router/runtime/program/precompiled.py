"""Reads compiled configs, which `router.tools.deploy.precompile` writes.

Five lines of JSON: the head; the files of the config as data, with their `${…}`; the
schema files; the trees of expressions; and the positions in the files, which are
decoded only if there is a finding. Numbers are exact, and the same config always makes
the same bytes.
"""

from binascii import crc32
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path as FilePath
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from router.errors import UsageError
from router.model import Path, Place, __version__
from router.runtime.config import spec
from router.runtime.config.environment import (
    RT005,
    Constraint,
    TypedText,
    convert_texts,
    meets,
    parts,
    replace_references,
)
from router.runtime.config.findings import Findings, Locate
from router.runtime.config.merge import IncludedFile, Reading, SourceFile, merge
from router.runtime.config_types import Spec, structures
from router.runtime.filesystem import read_regular

_Kind = TypeVar("_Kind", spec.Config, spec.Included)
_Decoded = TypeVar("_Decoded")

COMPILED_NAME = "routes.compiled.json"
"""The name of the file in a Lambda package, in the folder of the code."""
FORMAT = 1
"""The version of the format; a file of another version is refused."""
ONE_TEXT_OF_A_NUMBER = 1
"""From this revision on, equal numbers have equal text."""
REVISION = ONE_TEXT_OF_A_NUMBER
"""It is raised when a version of the router writes other items than the one before of the same config and message."""
_MARK = b'{"compiled_router_config":'
_AGAIN = "compile the config again, with router compile"


Shape = tuple[str, dict[str, Any]]
"""What a value of a file becomes, and which of its parts have a shape.

It becomes the structure of a name, a map for `MAP`, or a tuple for `TUPLE`.
"""
MAP, TUPLE = "", "[]"


class File(Struct, frozen=True):
    """A file of a config: the config itself first, then what it includes, in order.

    `name` is relative to the config's folder. `folder` is the file's own folder from
    there, or empty. `references` are the paths of the texts in `data` that have a `${`
    in them. Of these, `typed` are those that stand for numbers, or true or false.
    `constraints` are what the config takes there, if not any text. No variable changes
    `shape`.
    """

    name: str
    folder: str
    references: tuple[Path, ...]
    data: dict[str, Any]
    typed: tuple[TypedText, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    shape: Shape | None = None


class Files(Struct, frozen=True):
    """The files of a config.

    `include` are its patterns in the environment in which it was compiled.
    """

    include: tuple[str, ...]
    files: tuple[File, ...]


class Bundle(Struct, frozen=True):
    """Schema files by their names relative to the config.

    `links` are symbolic links to them.
    """

    files: Mapping[str, Any] = {}
    links: Mapping[str, str] = {}


NO_BUNDLE = Bundle()
"""The bundle of a config in YAML, whose schema files are read."""


class Head(Struct, frozen=True):
    """`revision` is that of what the router writes; an earlier version of it gave none."""

    compiled_router_config: int
    router: str
    checksum: int
    revision: int = 0


class Opened(Struct, frozen=True):
    """A compiled config; `trees` are the trees of expressions by their text.

    Its positions are decoded on demand: a start without findings needs none.
    """

    files: Files
    schemas: Bundle
    trees: Mapping[str, dict[str, Any]]
    positions: bytes

    def places(self) -> list[list[int]]:
        """Decode the positions: one list a file, of line and column of each place in it."""
        return msgspec.json.decode(self.positions, type=list[list[int]])


def is_precompiled(path: FilePath) -> bool:
    """Return whether a file exists and is a compiled config."""
    try:
        return read_regular(path, len(_MARK)) == _MARK
    except OSError:
        return False


def unpack(content: bytes, label: str, any_version: bool = False) -> Opened:
    """Decode a compiled config, named `label` in errors.

    Raises UsageError if another version made it, or if it is damaged. With
    `any_version`, another version of the router may have made it, in the same format:
    good enough to look at, without its trees, which are made from the texts.
    """
    head, _, body = content.partition(b"\n")
    try:
        decoded = msgspec.json.decode(head, type=Head)
    except msgspec.DecodeError:
        decoded = Head(0, __version__, 0)
    is_own = decoded.router == __version__
    if decoded.compiled_router_config != FORMAT or not (any_version or is_own):
        # The same version with another format was made by another build.
        by = "another version of the router" if is_own else f"router {decoded.router}"
        raise UsageError(
            f"{label} was compiled by {by}, and this is router {__version__}: {_AGAIN}"
        )
    if crc32(body) != decoded.checksum:
        raise UsageError(f"{label} is damaged: {_AGAIN}")
    files, schemas, trees, places, _ = body.split(b"\n")
    kept = _decode(trees, dict[str, Any]) if is_own else {}
    return Opened(_decode(files, Files), _decode(schemas, Bundle), kept, places)


def _decode(line: bytes, kind: type[_Decoded]) -> _Decoded:
    return msgspec.json.Decoder(kind, float_hook=Decimal).decode(line)


def read_config(
    path: FilePath, env: Mapping[str, str], any_version: bool
) -> tuple[Reading, Opened]:
    """Read a compiled config with an environment.

    The findings are those that the YAML files would have in it.

    Raises UsageError if another version compiled it (but with `any_version`), if it is
    damaged, or for files that it includes only in this environment.
    """
    opened = unpack(read_regular(path), str(path), any_version)
    places = cache(opened.places)
    files = opened.files.files
    sources = [_put_in(file, path.parent, env, index, places) for index, file in enumerate(files)]
    root, *others = sources
    config, left_out = _parse(spec.Config, files[0], root)
    given = config.include if config else ()
    compiled = opened.files.include
    # With a variable missing, no file is included.
    if given and given != compiled and not root.findings.failed:
        raise UsageError(
            f"{path} was compiled to include {_listed(compiled)}, and is to include "
            f"{_listed(given)} in this environment: compile it in this one, or name "
            "the same files in all of them"
        )
    included = []
    if given and given == compiled:
        for file, source in zip(files[1:], others, strict=True):
            content, without = _parse(spec.Included, file, source)
            assert content is not None  # it can do without any of its keys
            included.append(IncludedFile(source, file.folder, content, without))
    return merge(root, config, left_out, included), opened


def _put_in(
    file: File,
    folder: FilePath,
    env: Mapping[str, str],
    index: int,
    places: Callable[[], list[list[int]]],
) -> SourceFile:
    """Return a file with its variables replaced."""
    label = str(folder / file.name)

    locate_all = cache(lambda: locate_by(label, file.data, places()[index]))

    def locate(path: Path, key: bool) -> Place:
        return locate_all()(path, key)

    findings = Findings(locate)
    unset = replace_references(file.data, file.references, env, findings.secrets)
    # The first fault is located, and with it all that is in the file, before its text is removed.
    for fault in chain(unset, convert_texts(file.data, file.typed)):
        findings.add(RT005, fault.sentence, fault.path, suggestion=fault.suggestion)
    return SourceFile(label, folder, file.data, findings)


def _parse(cls: type[_Kind], file: File, source: SourceFile) -> tuple[_Kind | None, set[Path]]:
    """Convert a file to its typed part of the config.

    The values in the file had no faults when it was compiled, so that only what
    variables have changed is examined. If that may have a fault, the parser that
    reports faults is imported.
    """
    fits = not source.findings.failed and all(meets(file.data, each) for each in file.constraints)
    if file.shape and fits:
        part: _Kind = _build(file.data, file.shape)
        return part, set()
    # A start without a fault does without the module.
    from router.runtime.config.parse import parse_part

    return parse_part(cls, source.data, source.findings)


def _build(value: Any, shape: Shape) -> Any:
    """Return a value without faults in its shape."""
    name, inside = shape
    if name == TUPLE:
        elements = list(value)
        for at, each in inside.items():
            elements[int(at)] = _build(elements[int(at)], each)
        return tuple(elements)
    children = dict(value)
    for key, each in inside.items():
        children[key] = _build(value[key], each)
    if name == MAP:
        return children
    structure, fields = _structures()[name]
    return structure(**{fields[key]: each for key, each in children.items()})


@cache
def _structures() -> dict[str, tuple[type[Spec], dict[str, str]]]:
    """Return the structures by their published names.

    Each has the names of its fields by those of its keys.
    """
    found = {}
    for name, each in structures().items():
        keys = each.__struct_encode_fields__
        fields = each.__struct_fields__
        found[name] = each, dict(zip(keys, fields, strict=True))
    return found


def _listed(patterns: tuple[str, ...]) -> str:
    return ", ".join(f"'{pattern}'" for pattern in patterns)


def places_in(data: dict[str, Any]) -> Iterator[tuple[Path, bool]]:
    """Yield the places of the root, then of what is in it, depth first: a path, and whether of its key.

    An element of a list has one place; an entry of a map has those of its key and of
    its value.
    """
    yield (), False
    yield from _places_inside(data, ())


def _places_inside(value: Any, path: Path) -> Iterator[tuple[Path, bool]]:
    for step, child in parts(value):
        where = (*path, step)
        if isinstance(step, str):
            yield where, True
        yield where, False
        yield from _places_inside(child, where)


def locate_by(file: str, data: dict[str, Any], listed: Sequence[int]) -> Locate:
    """Return the function that finds places by the lines and columns of `places_in`.

    For a path that does not exist, the function finds the nearest parent that does, as
    for the file itself.
    """
    numbers = iter(listed)
    # More are listed where `convert_texts` has removed a text that only looks like one that is not set.
    places = {
        where: Place(file, line, column)
        for where, line, column in zip(places_in(data), numbers, numbers, strict=False)
    }

    def locate(path: Path, key: bool = False) -> Place:
        while (path, False) not in places:
            path = path[:-1]
        # The root and the elements of lists have no key.
        return places.get((path, key), places[path, False])

    return locate
