"""Reads the files of a folder as a commit of a git repository has them; nothing is checked out."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath

from msgspec import Struct

from router.errors import UsageError

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Larger files are left out: no config, schema or message that the router reads is as large."""
MAX_FILES = 100_000
"""As many as a pattern of `include` looks at."""
_CHUNK_BYTES = 64 * 1024 * 1024
"""The size of the blobs that one process of git returns."""
_LINK = "120000"


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
    commit = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", what=ref)
    inside = name.rpartition("/")[0]
    blobs = list(_list(top, commit.decode().strip(), inside))
    if not any(blob.path == name for blob in blobs):
        raise UsageError(f"there is no {name} in {ref}; give the path from the top of the repository: git:{ref}:PATH")
    _write(top, blobs, target)
    return name


def _list(top: FilePath, commit: str, folder: str) -> Iterator[Blob]:
    """Yield the files of a folder of a commit; parts of other repositories (submodules) are not in this one."""
    paths = ["--", f":(literal){folder}/"] if folder else []
    listed = _git(top, "ls-tree", "-r", "-z", "-l", "--full-tree", commit, *paths).decode(errors="surrogateescape")
    entries = listed.split("\0")[:-1]
    if len(entries) > MAX_FILES:
        raise UsageError(f"the folder of the config has more than {MAX_FILES:,} files: put the config into its own")
    for entry in entries:
        meta, _, path = entry.partition("\t")
        mode, kind, id_, size = meta.split()
        if kind == "blob" and int(size) <= MAX_FILE_BYTES:
            yield Blob(path, id_, int(size), mode == _LINK)


def _write(top: FilePath, blobs: Sequence[Blob], target: FilePath) -> None:
    # Links come last: no file is written through one.
    for chunk in _chunks(sorted(blobs, key=lambda blob: blob.link)):
        answer = _git(top, "cat-file", "--batch", given="".join(f"{blob.id}\n" for blob in chunk).encode())
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
        # A constant program; its arguments are no shell's.
        done = subprocess.run(  # noqa: S603
            ["git", "--no-pager", *arguments],  # noqa: S607 — as users call it
            cwd=folder,
            input=given,
            capture_output=True,
            check=False,
        )
    except OSError:
        raise UsageError("git: refers to a commit, and there is no program git here; give a file instead") from None
    if done.returncode and what:
        raise UsageError(f"git knows no commit '{what}'; in CI fetch it first: git fetch --depth=1 origin {what}")
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2].removeprefix("fatal: ")
        raise UsageError(f"cannot read the git repository of {folder}: {reason or 'git failed'}")
    return done.stdout
