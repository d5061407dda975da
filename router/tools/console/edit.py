"""The calls of the view Edit: a config beside a message."""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from router.tools.check.config_schema import config_schema
from router.tools.console import checking, messages
from router.tools.console.api import Call, Nothing
from router.tools.console.checking import Draft, RouteOfDraft, check_config, message_job, of_console
from router.tools.console.files import (
    EditedFile,
    ReadFile,
    changed_files,
    names_of,
    read_file,
    save_files,
)
from router.tools.console.messages import MessageOfDraft
from router.tools.console.workspace import ConsoleError, Workspace
from router.tools.dev.local import saved_files


class FilesOnDisk(Struct, frozen=True):
    """The files of a config, or those that changed; `stamp` changes with each file that a config
    may name.
    """

    files: list[ReadFile]
    stamp: str


class KnownFiles(Struct, frozen=True):
    """The hashes of files that a page has read, by name."""

    known: dict[str, str]


class Saving(Struct, frozen=True):
    """Files to save; with `overwrite` also those that changed on the disk meanwhile."""

    files: list[EditedFile]
    overwrite: bool = False


class CodeId(Struct, frozen=True):
    """A code: `RT101`."""

    code: str


def list_names(given: Draft) -> list[str]:
    """Return the names of the files of a draft; a job."""
    return names_of(Path(given.config), given.load())


def read_files(workspace: Workspace, given: Draft) -> FilesOnDisk:
    """Read all files of the config; only the config itself if that cannot be read."""
    try:
        names = msgspec.json.decode(
            workspace.messages.run(list_names, of_console(workspace, given)),
            type=list[str],
        )
    except ConsoleError:
        names = [str(workspace.config)]
    workspace.files.update(names)
    return FilesOnDisk(
        [read_file(name, workspace.config.parent) for name in names],
        _stamp(workspace),
    )


def find_changes(workspace: Workspace, given: KnownFiles) -> FilesOnDisk:
    """Return the files that changed on the disk since a page read them."""
    return FilesOnDisk(
        changed_files(given.known, workspace.files, workspace.config.parent),
        _stamp(workspace),
    )


def save(workspace: Workspace, given: Saving) -> FilesOnDisk:
    """Save files, and return them as they are on the disk then."""
    saved = save_files(given.files, workspace.files, workspace.config.parent, given.overwrite)
    return FilesOnDisk(saved, _stamp(workspace))


def _stamp(workspace: Workspace) -> str:
    saved = saved_files(workspace.config.absolute().parent)
    return hashlib.sha256(repr(sorted(saved.items())).encode()).hexdigest()


CALLS = (
    Call("edit/files", Draft, read_files),
    Call("edit/disk", KnownFiles, find_changes),
    Call("edit/save", Saving, save),
    Call(
        "edit/schema",
        Nothing,
        lambda *_: {"config": config_schema(), "included": config_schema(included=True)},
    ),
    Call("edit/code", CodeId, lambda workspace, given: checking.explain_code(given.code)),
    # A check may take seconds: messages do not wait for it.
    Call(
        "edit/check",
        Draft,
        lambda workspace, given: workspace.checks.run(check_config, of_console(workspace, given)),
    ),
    Call("edit/outline", Draft, message_job(checking.outline)),
    Call("edit/paths", RouteOfDraft, message_job(checking.paths_of_route)),
    Call("edit/run", MessageOfDraft, message_job(messages.run_message)),
    Call("edit/tests", MessageOfDraft, message_job(messages.run_tests)),
    Call("edit/add_test", MessageOfDraft, message_job(messages.add_test)),
)
