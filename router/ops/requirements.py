"""What the package needs: the router's own run-time requirements, and those that the plugins have in a file."""

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from router.errors import UsageError
from router.ops.targets import Target

DISTRIBUTION = "message-router"
"""The router's own distribution, whose files are taken from where it is installed."""
PROVIDED = frozenset(["boto3", "botocore", "s3transfer"])
"""What the runtime has: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html"""
FILE = "requirements.txt"
PLUGINS = "plugins"
_NOT_PACKED = PROVIDED | {DISTRIBUTION}
"""What Lambda has, and the router itself, which is packed from where it is installed."""

_NESTED = re.compile(r"(?:-r|--requirement)[ =]*(.+)")
_CONSTRAINTS = re.compile(r"(?:-c|--constraint)[ =]*(.+)")
_HASH = re.compile(r"\s--hash[= ]\S+")
_EDITABLE = ("-e", "--editable")


def requirements_files(plugins: Iterable[Path], folder: Path) -> Iterator[Path]:
    """`plugins/requirements.txt`, and such a file beside plugins elsewhere, but not one of the config's own folder."""
    folders = {folder / PLUGINS, *(plugin.parent for plugin in plugins)}
    for each in sorted(folders):
        if each.resolve() != folder.resolve() and (each / FILE).is_file():
            yield each / FILE


class Asked(Struct, frozen=True):
    """What a requirements file asks for on a target, in the form that pip is given.

    `lines` are for pip, `roots` the requirements in them, `provided` the names that Lambda has and that are left out.
    `pinned` are the names that cannot come in another version another day. With `hashed`, pip asks for a hash of each.
    """

    lines: tuple[str, ...]
    roots: tuple[Requirement, ...]
    provided: tuple[str, ...] = ()
    pinned: frozenset[str] = frozenset()
    hashed: bool = False


def own_requirements(target: Target) -> list[Requirement]:
    """The router's run-time requirements on a target, with their own, each in the version that is installed here.

    So what was checked and tested here is what runs there, and a build in another year takes the same versions.
    """
    pins: dict[str, Requirement] = {}
    pending = list(_requires(DISTRIBUTION, target))
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if name in pins:
            continue
        try:
            pins[name] = Requirement(f"{requirement.name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            pins[name] = requirement  # of another platform or Python: here it is not needed
            continue
        pending += _requires(name, target)
    return [pins[name] for name in sorted(pins)]


def _requires(name: str, target: Target) -> Iterator[Requirement]:
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        if applies(requirement, target):
            yield requirement


def applies(requirement: Requirement, target: Target, extra: str = "") -> bool:
    """Whether the marker of a requirement holds on a target, for one who asked for an extra."""
    return requirement.marker is None or requirement.marker.evaluate({**target.markers, "extra": extra})


def read_requirements(files: Sequence[Path], target: Target) -> Asked:
    """What requirements files ask for; raises UsageError, with the line, for what cannot be packed.

    Markers are decided here: pip would decide them by the Python and the machine that it runs on.
    """
    lines: list[str] = []
    asked: list[Requirement] = []
    pinned: set[str] = set()
    for file, number, text in (line for each in files for line in _logical_lines(each, ())):
        where = f"{file}:{number}"
        if text.startswith(_EDITABLE):
            raise UsageError(f"{where}: what is editable cannot be packed; build a wheel of it, and name that")
        if match := _CONSTRAINTS.fullmatch(text):
            limits = (file.parent / match[1]).absolute()
            lines.append(f"-c {limits}")
            pinned |= read_requirements([limits], target).pinned
            continue
        if text.startswith("-"):
            lines.append(text)
            continue
        line, requirement = _read(_HASH.sub("", text).strip(), file, where)
        if not applies(requirement, target):
            continue
        asked.append(requirement)
        if _is_exact(requirement):
            pinned.add(canonicalize_name(requirement.name))
        hashes = "".join(_HASH.findall(text))
        # Where there are hashes, pip wants those of all that anything requires.
        if hashes or canonicalize_name(requirement.name) not in _NOT_PACKED:
            lines.append(line + hashes)
    names = [canonicalize_name(requirement.name) for requirement in asked]
    return Asked(
        lines=tuple(lines),
        roots=tuple(each for each, name in zip(asked, names, strict=True) if name not in _NOT_PACKED),
        provided=tuple(dict.fromkeys(name for name in names if name in PROVIDED)),
        pinned=frozenset(pinned),
        hashed=any(_HASH.search(line) for line in lines),
    )


def _is_exact(requirement: Requirement) -> bool:
    """Whether it is one version: `==` without a star, a URL, or the path of a wheel."""
    exact = any(each.operator in ("==", "===") and not each.version.endswith("*") for each in requirement.specifier)
    return exact or requirement.url is not None


def _read(text: str, file: Path, where: str) -> tuple[str, Requirement]:
    """A requirement without its marker as pip is given it, and as it was written; or a wheel of a path."""
    try:
        if text.endswith(".whl") and "@" not in text:
            path = (file.parent / text).absolute()
            name, version, _, _ = parse_wheel_filename(path.name)
            return str(path), Requirement(f"{name}=={version}")
        requirement = Requirement(text)
    except (InvalidRequirement, InvalidWheelFilename):
        advice = "write NAME==VERSION, or the path of a wheel"
        raise UsageError(f"{where}: {text!r} is no requirement that can be packed; {advice}") from None
    bare = Requirement(text)
    bare.marker = None
    return str(bare), requirement


def _logical_lines(file: Path, through: tuple[Path, ...]) -> Iterator[tuple[Path, int, str]]:
    """The lines of a file and of those that it names, continued ones joined, without comments: file, number, text."""
    try:
        content = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        named = f", which {through[-1]} names" if through else ""
        raise UsageError(f"cannot read {file}{named}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None
    begun, number = "", 0
    for count, line in enumerate([*content.splitlines(), ""], 1):
        number = number if begun else count
        text = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        begun += text.removesuffix("\\")
        if text.endswith("\\"):
            continue
        whole, begun = begun.strip(), ""
        if match := _NESTED.fullmatch(whole):
            nested = file.parent / match[1]
            if nested.resolve() not in {other.resolve() for other in (*through, file)}:
                yield from _logical_lines(nested, (*through, file))
        elif whole:
            yield file, number, whole
