"""OLD and NEW of `router diff`: a config in a file, in a commit of a git repository, compiled, or deployed.

Of a commit, the files of the config's folder are read by git's object ids; nothing is checked out.
"""

import hashlib
import io
import posixpath
import subprocess
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct, structs

from router.errors import ConfigError, UsageError
from router.model import Finding, Path, Place, names_file, plugin_name
from router.runtime.config import spec
from router.runtime.filesystem import read_regular
from router.runtime.program.load import Loaded, Program, load_any, without_garbage_collector
from router.runtime.program.precompiled import COMPILED_NAME, REVISION, Head, is_precompiled
from router.runtime.program.schemas.compile import SchemaStore

GIT = "git:"
"""The prefix of a version in a commit: `git:REF`, or `git:REF:PATH` with a path from the top of the repository."""
STACK = "stack:"
"""The prefix of the version that a stack runs: `stack:NAME`."""
WORKING_TREE = "working tree"
_ROUTER = "router/"
"""The folder of a package that has the router itself."""
MAX_FILE_BYTES = 16 * 1024 * 1024
"""Larger files are left out: no config, schema or message that the router reads is as large."""
MAX_FILES = 100_000
"""As many as a pattern of `include` looks at."""
_CHUNK_BYTES = 64 * 1024 * 1024
"""The size of the blobs that one process of git returns."""
_LINK = "120000"


class ConfigVersion(Struct, frozen=True, eq=False, dict=True):
    """One of the two configs that are compared, loaded without errors.

    `label` is its name in reports. Files are at `root`, and in reports have the prefix `shown` instead. `revision` is
    that of what the router writes that built it. `hidden` are the variables whose values are not shown.
    """

    label: str
    path: FilePath
    loaded: Loaded
    program: Program
    schemas: SchemaStore
    env: Mapping[str, str]
    root: str = ""
    shown: str = ""
    revision: int = REVISION
    hidden: Collection[str] = ()

    def hiding(self, names: Collection[str]) -> "ConfigVersion":
        """Return the version with more variables whose values are not shown."""
        return structs.replace(self, hidden={*self.hidden, *names})

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
            content = read_regular(file) if names_file(entry) and file.is_file() else b""
            hashes[plugin_name(entry)] = hashlib.sha256(content).hexdigest() if content else ""
        return hashes

    @cached_property
    def packed_files(self) -> Mapping[str, str]:
        """The SHA-256 of each file that packages have because of plugins, by name: own files, and those beside them.

        In the config's own folder these are the plugins' alone. Raises UsageError for a file that cannot be read.
        """
        from router.tools.deploy.archive import packed_names  # imports what builds a package
        from router.tools.deploy.packages import sha256_of
        from router.tools.deploy.secret_files import SecretFiles

        folder = self.program.folder
        names = [posixpath.normpath(entry) for entry in self.config.plugins if names_file(entry)]
        files = [folder / name for name in names if not name.startswith(("/", "../"))]
        packed = packed_names(files, folder, [], SecretFiles())
        present = [name for name in packed if (folder / name).is_file()]
        return {name.as_posix(): sha256_of(folder / name) for name in present}

    def place(self, path: Path, key: bool = False) -> Place:
        """Return the place of the value (or the key) at a path of the config; of its parent if there is none."""
        return _relabel(self.loaded.findings.locate(path, key), self.root, self.shown)

    def relabel(self, finding: Finding) -> Finding:
        """Return a finding about this version with its file as reports name it."""
        return _relabeled(finding, self.root, self.shown)

    def file(self, place: Place) -> FilePath:
        """Return the file of a place in this version, which may be a temporary one."""
        inside = bool(self.root) and place.file.startswith(self.shown)
        return FilePath(self.root + place.file[len(self.shown) :] if inside else place.file)


def _relabel(place: Place, root: str, shown: str) -> Place:
    """Return a place with its file as reports name it."""
    inside = bool(root) and place.file.startswith(root)
    return structs.replace(place, file=shown + place.file[len(root) :]) if inside else place


def _relabeled(finding: Finding, root: str, shown: str) -> Finding:
    return structs.replace(finding, place=_relabel(finding.place, root, shown))


def open_versions(
    old: str, new: str, config: FilePath, env: Mapping[str, str], stack: ExitStack
) -> tuple[ConfigVersion, ConfigVersion]:
    """Load two versions as `open_version` does, or what a stack runs: `stack:NAME`, with the variables that it has.

    Variables that `env` does not set then have those values in the other version too, as when that is deployed.
    """
    deployed = {given: open_stack(given, stack) for given in (old, new) if given.startswith(STACK)}
    for version in deployed.values():
        env = {**version.env, **env}
    hidden = {name for version in deployed.values() for name in version.hidden}
    before = deployed.get(old) or open_version(old, config, env, stack)
    after = deployed.get(new) or open_version(new, config, env, stack)
    return before.hiding(hidden), after.hiding(hidden)


def open_stack(given: str, stack: ExitStack) -> ConfigVersion:
    """Load what the function of `stack:NAME` runs; raises UsageError if that cannot be read."""
    from router.tools.deploy.stack_versions import (
        read_code,  # boto3 is optional and takes 0.2 s to import
    )

    code = read_code(given.removeprefix(STACK))
    return open_package(given, code.package, code.env, stack).hiding(code.hidden)


def open_package(
    label: str, package: bytes, env: Mapping[str, str], stack: ExitStack
) -> ConfigVersion:
    """Load the config of a package as its function does, with the variables `env`.

    Another version of the router may have built it. Raises UsageError if it is no package of a readable format.
    """
    root = FilePath(stack.enter_context(TemporaryDirectory(prefix="router-package-"))).resolve()
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            # The plugins and what they read; the router here takes the place of the packed one.
            members = [name for name in archive.namelist() if not name.startswith(_ROUTER)]
            archive.extractall(root, members)
    except zipfile.BadZipFile:
        raise UsageError(f"{label} is no package made by router build") from None
    if not (root / COMPILED_NAME).is_file():
        raise UsageError(f"{label} has no {COMPILED_NAME}: no package made by router build")
    return _load(label, root / COMPILED_NAME, env, f"{root}/", f"{label}:")


def open_version(
    given: str, config: FilePath, env: Mapping[str, str], stack: ExitStack
) -> ConfigVersion:
    """Load the version that a user names: `git:REF`, `git:REF:PATH`, or a file; "" for the config itself.

    A variable that is not set has a placeholder, as for `router check --no-env`. Temporary files are removed when
    `stack` ends. Raises UsageError if there is no such version, and ConfigError if it has errors.
    """
    if not given.startswith(GIT):
        path = FilePath(given) if given else config
        if not path.is_file():
            raise UsageError(
                f"there is no file {path}; give a config, a compiled config, git:REF or stack:NAME"
            )
        return _load(given or WORKING_TREE, path, env)
    ref, _, name = given.removeprefix(GIT).partition(":")
    root = FilePath(stack.enter_context(TemporaryDirectory(prefix="router-diff-"))).resolve()
    name = read_commit(config, ref or "HEAD", name, root)
    return _load(f"{GIT}{ref}", root / name, env, f"{root}/", f"{ref}:")


def _load(
    label: str, path: FilePath, env: Mapping[str, str], root: str = "", shown: str = ""
) -> ConfigVersion:
    with without_garbage_collector():
        loaded = load_any(path, env, "warning", any_version=True)
    if loaded.program is None or loaded.schemas is None:
        errors = [each for each in loaded.findings if each.code.severity == "error"]
        raise ConfigError([_relabeled(each, root, shown) for each in errors])
    program, schemas, revision = loaded.program, loaded.schemas, _revision_of(path)
    return ConfigVersion(label, path, loaded, program, schemas, env, root, shown, revision)


def _revision_of(path: FilePath) -> int:
    """Return the revision of what the router that compiled a config writes; that of this one for another file."""
    if not is_precompiled(path):
        return REVISION
    return msgspec.json.decode(read_regular(path).partition(b"\n")[0], type=Head).revision


class Blob(Struct, frozen=True):
    """A file of a commit: its path from the top of the repository, id, size in bytes, and whether it is a link."""

    path: str
    id: str
    size: int
    link: bool


def read_commit(config: FilePath, ref: str, name: str, target: FilePath) -> str:
    """Write the files of the config's folder, as of a commit, below `target`.

    `name` is the path of the config from the top of the repository; if it is empty, it is that of `config`, which is
    returned. Raises UsageError if there is no git, no repository, no such commit, or no such file in it.
    """
    folder = config.absolute().parent
    while not folder.is_dir():
        folder = folder.parent
    top = FilePath(_git(folder, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    if not name:
        real = config.absolute().parent.resolve() / config.name
        if not real.is_relative_to(top.resolve()):
            raise UsageError(f"{config} is not in the git repository {top}")
        name = real.relative_to(top.resolve()).as_posix()
    # What `git rev-parse` is to verify cannot be taken for an option.
    commit = _git(
        top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", what=ref
    )
    inside = name.rpartition("/")[0]
    blobs = list(_list_blobs(top, commit.decode().strip(), inside))
    if name not in [blob.path for blob in blobs]:
        raise UsageError(
            f"there is no {name} in {ref}; give the path from the top of the repository: git:{ref}:PATH"
        )
    _write_blobs(top, blobs, target)
    return name


def _list_blobs(top: FilePath, commit: str, folder: str) -> Iterator[Blob]:
    """Yield the files of a folder of a commit; parts of other repositories (submodules) are not in this one."""
    paths = ["--", f":(literal){folder}/"] if folder else []
    listed = _git(top, "ls-tree", "-r", "-z", "-l", commit, *paths).decode(errors="surrogateescape")
    entries = listed.split("\0")[:-1]
    if len(entries) > MAX_FILES:
        raise UsageError(
            f"the folder of the config has more than {MAX_FILES:,} files: put the config into its own"
        )
    for entry in entries:
        meta, _, path = entry.partition("\t")
        mode, kind, id_, size = meta.split()
        if kind == "blob" and int(size) <= MAX_FILE_BYTES:
            yield Blob(path, id_, int(size), mode == _LINK)


def _write_blobs(top: FilePath, blobs: Sequence[Blob], target: FilePath) -> None:
    # Links come last: no file is written through one.
    for chunk in _chunks(sorted(blobs, key=lambda blob: blob.link)):
        ids = "".join(f"{blob.id}\n" for blob in chunk)
        answer = _git(top, "cat-file", "--batch", given=ids.encode())
        start = 0
        for blob in chunk:
            start = answer.index(b"\n", start) + 1  # the line with id, type and size
            content = answer[start : start + blob.size]
            start += blob.size + 1
            file = target / blob.path
            file.parent.mkdir(parents=True, exist_ok=True)
            if blob.link:
                file.symlink_to(content.decode(errors="surrogateescape"))
            else:
                file.write_bytes(content)


def _chunks(blobs: Sequence[Blob]) -> Iterator[list[Blob]]:
    chunk: list[Blob] = []
    size = 0
    for blob in blobs:
        chunk.append(blob)
        size += blob.size
        if size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _git(folder: FilePath, *arguments: str, given: bytes = b"", what: str = "") -> bytes:
    """Return the output of git; raises UsageError, for an unknown commit with its name `what`."""
    try:
        done = subprocess.run(  # noqa: S603 — a constant program, without a shell
            ["git", "--no-pager", *arguments],  # noqa: S607 — as users call it
            cwd=folder,
            input=given,
            capture_output=True,
            check=False,
        )
    except OSError:
        raise UsageError(
            "git: refers to a commit, and there is no program git here; give a file instead"
        ) from None
    if not done.returncode:
        return done.stdout
    if what:
        raise UsageError(
            f"git knows no commit '{what}'; in CI fetch it first: git fetch --depth=1 origin {what}"
        )
    _, _, reason = done.stderr.decode(errors="replace").strip().rpartition("\n")
    reason = reason.removeprefix("fatal: ") or "git failed"
    raise UsageError(f"cannot read the git repository of {folder}: {reason}")
