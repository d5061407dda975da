"""OLD and NEW of `router diff`: a config in a file, in a commit, compiled, or deployed."""

import hashlib
import io
import posixpath
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory

from msgspec import Struct, structs

from router.change.git import read_commit
from router.config import spec
from router.errors import ConfigError, UsageError
from router.model import Finding, Path, Place, names_file, plugin_name
from router.program.load import Loaded, Program, load_any, without_garbage_collector
from router.program.precompiled import COMPILED_NAME
from router.program.schemas.compile import SchemaStore

GIT = "git:"
"""The prefix of a version in a commit: `git:REF`, or `git:REF:PATH` with a path from the top of the repository."""
STACK = "stack:"
"""The prefix of the version that a stack runs: `stack:NAME`."""
WORKING_TREE = "working tree"
_ROUTER = "router/"
"""The folder of a package that has the router itself."""


class ConfigVersion(Struct, frozen=True, eq=False, dict=True):
    """One of the two configs that are compared, loaded without errors.

    `label` is its name in reports. Files are at `root`, and in reports have the prefix `shown` instead.
    """

    label: str
    path: FilePath
    loaded: Loaded
    program: Program
    schemas: SchemaStore
    env: Mapping[str, str]
    root: str = ""
    shown: str = ""

    @property
    def config(self) -> spec.Config:
        """The config."""
        return self.program.config

    @cached_property
    def plugin_hashes(self) -> Mapping[str, str]:
        """The SHA-256 of the file of each plugin, by name; "" for an installed module, which both versions share."""
        hashes = {}
        for entry in self.config.plugins:
            file = self.program.folder / entry
            content = file.read_bytes() if names_file(entry) and file.is_file() else b""
            hashes[plugin_name(entry)] = hashlib.sha256(content).hexdigest() if content else ""
        return hashes

    @cached_property
    def packed_files(self) -> Mapping[str, str]:
        """The SHA-256 of each file that packages have because of plugins, by name: own files, and those beside them.

        In the config's own folder these are the plugins' alone. Raises UsageError for a file that cannot be read.
        """
        from router.ops.archive import packed_names  # imports what builds a package
        from router.ops.packages import sha256_of
        from router.ops.secret_files import SecretFiles

        folder = self.program.folder
        names = [posixpath.normpath(entry) for entry in self.config.plugins if names_file(entry)]
        files = [folder / name for name in names if not name.startswith(("/", "../"))]
        hashes = {}
        for name in packed_names(files, folder, [], SecretFiles()):
            if (folder / name).is_file():
                hashes[name.as_posix()] = sha256_of(folder / name)
        return hashes

    def place(self, path: Path, key: bool = False) -> Place:
        """Return the place of the value (or the key) at a path of the config; of its parent if there is none."""
        return _relabel(self.loaded.findings.locate(path, key), self.root, self.shown)

    def relabel(self, finding: Finding) -> Finding:
        """Return a finding about this version with its file as reports name it."""
        return structs.replace(finding, place=_relabel(finding.place, self.root, self.shown))

    def file(self, place: Place) -> FilePath:
        """Return the file of a place in this version, which may be a temporary one."""
        inside = bool(self.root) and place.file.startswith(self.shown)
        return FilePath(self.root + place.file[len(self.shown) :] if inside else place.file)


def _relabel(place: Place, root: str, shown: str) -> Place:
    """Return a place with its file as reports name it."""
    inside = bool(root) and place.file.startswith(root)
    return structs.replace(place, file=shown + place.file[len(root) :]) if inside else place


def open_versions(
    old: str, new: str, config: FilePath, env: Mapping[str, str], stack: ExitStack
) -> tuple[ConfigVersion, ConfigVersion]:
    """Load two versions as `open_version` does, or what a stack runs: `stack:NAME`, with the variables that it has.

    Variables that `env` does not set then have those values in the other version too, as when that is deployed.
    """
    deployed = {given: open_stack(given, stack) for given in (old, new) if given.startswith(STACK)}
    for version in deployed.values():
        env = {**version.env, **env}
    before, after = (deployed.get(given) or open_version(given, config, env, stack) for given in (old, new))
    return before, after


def open_stack(given: str, stack: ExitStack) -> ConfigVersion:
    """Load what the function of `stack:NAME` runs; raises UsageError if that cannot be read."""
    from router.ops.deployed_code import read_code  # boto3 is optional and takes 0.2 s to import

    code = read_code(given.removeprefix(STACK))
    return open_package(given, code.package, code.env, stack)


def open_package(label: str, package: bytes, env: Mapping[str, str], stack: ExitStack) -> ConfigVersion:
    """Load the config of a package as its function does, with the variables `env`.

    Another version of the router may have built it. Raises UsageError if it is no package of a readable format.
    """
    root = FilePath(stack.enter_context(TemporaryDirectory(prefix="router-package-"))).resolve()
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            # The plugins and what they read; the router here takes the place of the packed one.
            archive.extractall(root, [name for name in archive.namelist() if not name.startswith(_ROUTER)])
    except zipfile.BadZipFile:
        raise UsageError(f"{label} is no package made by router build") from None
    if not (root / COMPILED_NAME).is_file():
        raise UsageError(f"{label} has no {COMPILED_NAME}: no package made by router build")
    return _load(label, root / COMPILED_NAME, env, f"{root}/", f"{label}:")


def open_version(given: str, config: FilePath, env: Mapping[str, str], stack: ExitStack) -> ConfigVersion:
    """Load the version that a user names: `git:REF`, `git:REF:PATH`, or a file; "" for the config itself.

    A variable that is not set has a placeholder, as for `router check --no-env`. Temporary files are removed when
    `stack` ends. Raises UsageError if there is no such version, and ConfigError if it has errors.
    """
    if not given.startswith(GIT):
        path = FilePath(given) if given else config
        if not path.is_file():
            raise UsageError(f"there is no file {path}; give a config, a compiled config, git:REF or stack:NAME")
        return _load(given or WORKING_TREE, path, env)
    ref, _, name = given.removeprefix(GIT).partition(":")
    root = FilePath(stack.enter_context(TemporaryDirectory(prefix="router-diff-"))).resolve()
    name = read_commit(config, ref or "HEAD", name, root)
    return _load(f"{GIT}{ref}", root / name, env, f"{root}/", f"{ref}:")


def _load(label: str, path: FilePath, env: Mapping[str, str], root: str = "", shown: str = "") -> ConfigVersion:
    with without_garbage_collector():
        loaded = load_any(path, env, "warning", any_version=True)
    if loaded.program is None or loaded.schemas is None:
        errors = [each for each in loaded.findings if each.code.severity == "error"]
        raise ConfigError([structs.replace(each, place=_relabel(each.place, root, shown)) for each in errors])
    return ConfigVersion(label, path, loaded, loaded.program, loaded.schemas, env, root, shown)
