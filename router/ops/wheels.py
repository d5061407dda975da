"""Wheels for a target, downloaded by pip, whatever machine this is."""

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email.parser import HeaderParser
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, parse_wheel_filename

from router.errors import UsageError
from router.ops.targets import Target

_RETRIES = "2"
_SAID = 6
"""Lines of what pip said that are repeated."""
_NO_MATCH = re.compile(r"No matching distribution found for ([^\s;(]+)")
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_CONFLICT = re.compile(r"The conflict is caused by:\n((?: +\S.*\n)+)")
_NO_NETWORK = re.compile(
    r"connection (broken|error)|newconnectionerror|timed? ?out|name resolution|proxyerror|sslerror", re.I
)


class Wheel(Struct, frozen=True):
    """A wheel that was downloaded: its distribution's name (normalized) and version, its file and SHA-256."""

    name: NormalizedName
    version: str
    file: Path
    sha256: str


def download(lines: Sequence[str], target: Target, folder: Path, *, dependencies: bool) -> list[Wheel]:
    """Download wheels for the lines of a requirements file into a folder, which is made; in order of names.

    pip compares each with the hash that the index tells. Raises UsageError where there is no pip, no network, no wheel
    for the target, or no set of versions that suits all.
    """
    if find_spec("pip") is None:
        python = f"{sys.executable} -m ensurepip"
        raise UsageError(
            f"router build needs pip to download the packages, and this Python has none; get it by: {python}"
        )
    folder.mkdir(parents=True)
    asked = folder.with_suffix(".txt")
    asked.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    result = subprocess.run(  # noqa: S603 — pip of our own interpreter
        [*_pip(target), *([] if dependencies else ["--no-deps"]), "--dest", str(folder), "-r", str(asked)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode:
        raise UsageError(_explain(result.stderr, result.stdout, target))
    return sorted(map(_describe, folder.iterdir()), key=lambda wheel: wheel.name)


def _pip(target: Target) -> list[str]:
    # -P: a `pip` folder where the user stands is not that package.
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "--progress-bar",
        "off",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += ["--retries", _RETRIES, "--only-binary", ":all:"]
    command += ["--implementation", "cp", "--python-version", target.python]
    for abi in (target.interpreter, "abi3", "none"):
        command += ["--abi", abi]
    for platform in target.platforms:
        command += ["--platform", platform]
    return command


def _describe(file: Path) -> Wheel:
    name, version, _, _ = parse_wheel_filename(file.name)
    with file.open("rb") as stream:
        return Wheel(name, str(version), file, hashlib.file_digest(stream, "sha256").hexdigest())


def _explain(errors: str, told: str, target: Target) -> str:
    """What went wrong, and what to do; pip's own words last, since they alone are sure."""
    missing = _NO_MATCH.search(errors)
    conflict = _CONFLICT.search(told)
    lines = errors.splitlines()
    if _NO_NETWORK.search(errors):
        what = "cannot reach the package index; look at the network, the proxy and pip's configuration"
    elif conflict:
        what = f"no versions suit all that is asked for on {target}; the router's own are those installed here"
        lines = conflict[1].splitlines()
    elif missing:
        what = f"there is no wheel of {missing[1]} for {target} ({target.system}, glibc 2.{target.glibc})"
        if target.glibc < Target(target.arch, "3.13").glibc:
            what += "; newer runtimes take newer wheels: try --python 3.13"
        else:
            what += "; name a version that has one, or leave the package out"
    else:
        what = f"pip cannot get the packages for {target}"
    said = [line.strip() for line in lines if line.strip()][-_SAID:]
    return "\n".join([what, *(f"  pip: {line}" for line in said)])


def requires(wheel: Wheel) -> list[Requirement]:
    """What a wheel says that it requires, with markers; raises UsageError for what is no requirement."""
    with zipfile.ZipFile(wheel.file) as archive:
        name = next(
            name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        )
        headers = HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace"))
    try:
        return [Requirement(text) for text in cast("list[str]", headers.get_all("Requires-Dist", []))]
    except InvalidRequirement as error:
        said = str(error).splitlines()[0]
        raise UsageError(f"the metadata of {wheel.file.name} cannot be read: {said}; name another version") from None
