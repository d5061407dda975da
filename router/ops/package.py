"""The package of a deployment: built for it, or built before and still that of its config."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.program.precompile import precompile
from router.program.precompiled import COMPILED_NAME

FOLDER = "message-router"
"""Where in a bucket packages and templates are."""


class Package(Struct, frozen=True):
    """A package: its file, size in bytes and SHA-256 in hexadecimal."""

    path: Path
    size: int
    sha256: str

    @property
    def key(self) -> str:
        """Its key in a bucket, which is another one for any other content."""
        return f"{FOLDER}/{self.sha256}.zip"


def read_package(path: Path, config: Path, env: Mapping[str, str] = os.environ) -> Package:
    """A package that was built before; raises UsageError if it is none, or that of another config."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = archive.read(COMPILED_NAME)
            stale = _stale(archive, config.parent)
    except (OSError, KeyError, zipfile.BadZipFile):
        raise UsageError(f"{path} is no package that router build made") from None
    if packed != precompile(config, env):
        raise UsageError(f"{path} was built from another {config.name}, or by another version; build it again")
    if stale:
        raise UsageError(f"{path} has another {stale} than there is now; build it again")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Package(path, path.stat().st_size, digest)


def _stale(archive: zipfile.ZipFile, folder: Path) -> str:
    """The first file, of a plugin for example, that is packed as it was before it was changed; or ""."""
    for name in archive.namelist():
        file = folder / name
        # Bytecode has the time of its source in it, here but not there.
        if file.suffix != ".pyc" and file.is_file() and file.read_bytes() != archive.read(name):
            return name
    return ""
