"""Downloads the wheels that a target needs.

pip resolves versions, but evaluates environment markers for the machine that it runs on, not for the target. So its
result is checked: packages that the target does not need are dropped, and those missing are requested again.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name, parse_wheel_filename

from router.errors import UsageError, refusing_file
from router.runtime.filesystem import open_regular
from router.tools.deploy.requirements import (
    DISTRIBUTION,
    PROVIDED,
    Requirements,
    applies,
    without_marker,
)
from router.tools.deploy.targets import Target

# -P: a folder `pip` in the working directory is not imported instead of pip.
_PIP = [
    "-P", "-m", "pip", "download", "--progress-bar=off", "--no-input", "--disable-pip-version-check",
    "--retries=2", "--only-binary=:all:",
]  # fmt: skip
_QUOTED_LINES = 6
"""The number of pip's last lines that an error quotes."""
_NO_MATCH = re.compile(r"No matching distribution found for ([^\s;(]+)")
_CONFLICT = re.compile(r"The conflict is caused by:\n((?: +\S.*\n)+)")
_NO_NETWORK = re.compile(
    r"connection (broken|error)|newconnectionerror|timed? ?out|name resolution|proxyerror|sslerror",
    re.I,
)


class Wheel(Struct, frozen=True):
    """A downloaded wheel: the normalized name of its distribution, its version, its file and SHA-256."""

    name: NormalizedName
    version: str
    file: Path
    sha256: str

    @property
    def metadata(self) -> metadata.Distribution:
        """Its metadata, as of an installed distribution."""
        return next(iter(metadata.distributions(path=[str(self.file)])))


class ResolvedPackages(Struct, frozen=True):
    """The wheels that a target needs, and the required packages that Lambda provides.

    `floating` are the wheels whose version no requirement pins: a later build may get another version.
    """

    wheels: tuple[Wheel, ...]
    provided: tuple[str, ...]
    floating: tuple[Wheel, ...] = ()


def resolve(
    required: Requirements, own: Sequence[Wheel], target: Target, folder: Path
) -> ResolvedPackages:
    """Download the requirements of plugins with their dependencies on the target, except for `own` wheels.

    `own` are the wheels of the router. Raises UsageError for a requirement that needs another version of one of them.
    """
    limits = []
    # With hashes, pip would require hashes of constraints too.
    if not required.hashed:
        versions = [f"{wheel.name}=={wheel.version}" for wheel in own]
        limits.append(f"-c {_write(folder / 'limits.txt', versions)}")
    more: list[str] = []
    while True:
        lines = [*required.lines, *more, *limits]
        wheels = download(lines, target, folder / f"plugins-{len(more)}", dependencies=True)
        known = {wheel.name: wheel.metadata for wheel in (*wheels, *own)}
        names, missing, provided = _reach(required.roots, known, target)
        if not missing:
            break
        more += missing
    by_name = {wheel.name: wheel for wheel in own}
    needed = []
    for wheel in wheels:
        if wheel.name not in names:
            continue
        if wheel.name in by_name:
            _require_same(by_name[wheel.name], wheel)
        else:
            needed.append(wheel)
    return ResolvedPackages(
        tuple(needed),
        tuple(dict.fromkeys([*required.provided, *provided])),
        tuple(wheel for wheel in needed if wheel.name not in required.pinned),
    )


def _require_same(own: Wheel, other: Wheel) -> None:
    name = own.name
    if own.version != other.version:
        raise UsageError(
            f"the plugins' requirements need {name} {other.version}, and the router here runs with {own.version}; a "
            f"package can have only one: install {name}=={other.version} here, run the tests, and build again"
        )
    if own.sha256 != other.sha256:
        raise UsageError(
            f"two indexes have different contents of {own.file.name}; check the indexes that pip uses"
        )


def own_requirements(target: Target) -> list[str]:
    """Return the router's run-time dependencies on a target, direct and indirect, in the installed versions.

    So the package runs with the versions that were tested here, and a later build gets the same ones.
    """
    installed = {canonicalize_name(each.name): each for each in metadata.distributions()}
    roots = requirements_of(installed[canonicalize_name(DISTRIBUTION)])
    # What is not installed, only another platform or Python needs.
    names, missing, _ = _reach([root for root in roots if applies(root, target)], installed, target)
    return sorted([*missing, *(f"{name}=={installed[name].version}" for name in names)])


def _reach(
    roots: Sequence[Requirement],
    known: Mapping[NormalizedName, metadata.Distribution],
    target: Target,
) -> tuple[frozenset[NormalizedName], list[str], list[str]]:
    """Follow requirements through known distributions with the markers of the target, except for what Lambda provides.

    Returns the names of the packages reached, the requirements of others, and the packages that Lambda provides.
    """
    missing: set[str] = set()
    provided: set[str] = set()
    seen: set[tuple[NormalizedName, str]] = set()
    pending = list(roots)
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if name == DISTRIBUTION:
            continue
        if name in PROVIDED:
            provided.add(name)
        elif name not in known:
            missing.add(str(without_marker(requirement)))
        elif new := {(name, extra) for extra in ("", *requirement.extras)} - seen:
            seen |= new
            for need in requirements_of(known[name]):
                is_needed = any(applies(need, target, extra) for _, extra in new)
                if is_needed:
                    pending.append(need)
    return frozenset(name for name, _ in seen), sorted(missing), sorted(provided)


def requirements_of(distribution: metadata.Distribution) -> list[Requirement]:
    """Return the requirements of a distribution, with markers; raises UsageError for invalid metadata."""
    try:
        return [Requirement(text) for text in distribution.requires or ()]
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        what = f"{distribution.name} {distribution.version}"
        raise UsageError(
            f"the metadata of {what} is invalid: {reason}; use another version"
        ) from None


def download(
    lines: Sequence[str], target: Target, folder: Path, *, dependencies: bool
) -> list[Wheel]:
    """Download wheels for the lines of a requirements file into a new folder; return them in order of names.

    pip checks the hashes that the index gives. Raises UsageError without pip, a network, a wheel for the target, or
    versions that satisfy all requirements.
    """
    if find_spec("pip") is None:
        raise UsageError(
            "router build needs pip to download packages, and this Python does not have it; "
            f"install it with: {sys.executable} -m ensurepip"
        )
    folder.mkdir(parents=True)
    file = _write(folder.with_suffix(".txt"), lines)
    options = ["--implementation=cp", f"--python-version={target.python}"]
    options += [f"--abi={abi}" for abi in (target.interpreter, "abi3", "none")]
    options += [f"--platform={tag}" for tag in target.platforms]
    if not dependencies:
        options.append("--no-deps")
    result = subprocess.run(  # noqa: S603 — pip of this interpreter
        [sys.executable, *_PIP, *options, "--dest", str(folder), "-r", file],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode:
        raise UsageError(_explain(result.stderr, result.stdout, target))
    return sorted(map(_read_wheel, folder.iterdir()), key=lambda wheel: wheel.name)


def _write(file: Path, lines: Sequence[str]) -> str:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(file)


def _read_wheel(file: Path) -> Wheel:
    name, version, _, _ = parse_wheel_filename(file.name)
    return Wheel(name, str(version), file, sha256_of(file))


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises UsageError for one that cannot be read."""
    with refusing_file(f"read {file}"), os.fdopen(open_regular(file), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _explain(errors: str, output: str, target: Target) -> str:
    """Return what went wrong and what to do, followed by pip's own words: the former is derived from these."""
    missing = _NO_MATCH.search(errors)
    conflict = _CONFLICT.search(output)
    quoted = errors
    if _NO_NETWORK.search(errors):
        reason = (
            "cannot reach the package index; check the network, the proxy and pip's configuration"
        )
    elif conflict:
        reason = f"no versions satisfy all requirements on {target}; those of the router are the installed ones"
        quoted = conflict[1]
    elif missing:
        reason = f"there is no wheel of {missing[1]} for {target} ({target.system}, glibc 2.{target.glibc})"
        if target.glibc < Target(target.arch, "3.13").glibc:
            reason += "; newer runtimes accept newer wheels: try --python 3.13"
        else:
            reason += "; use a version that has one, or remove the package"
    else:
        reason = f"pip cannot download the packages for {target}"
    lines = [f"  pip: {line.strip()}" for line in quoted.splitlines() if line.strip()]
    return "\n".join([reason, *lines[-_QUOTED_LINES:]])
