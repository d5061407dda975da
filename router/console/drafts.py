"""A config as it is edited, with texts that are not saved, for what reads files."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from router.console.files import read_inside
from router.console.refusals import ConsoleError, as_refusal
from router.console.workspace import Workspace
from router.dev.local import saved_files
from router.errors import RouterError

_SHOWN = 200
"""Characters of a name in a sentence."""


@contextmanager
def draft_of(config: Path, unsaved: Mapping[str, str]) -> Iterator[Path]:
    """Yield a config with the texts of files that are edited and not saved, by name: itself, or a copy for the block.

    The copy has what `router local` watches: YAML, JSON and Python files, if they are regular files of the folder.
    Raises ConsoleError for a file outside of the folder of the config.
    """
    if not unsaved:
        yield config
        return
    folder = config.absolute().parent
    with TemporaryDirectory(prefix="router-draft-") as name:
        copy = Path(name).resolve()
        for file in saved_files(folder):
            with suppress(OSError):  # deleted meanwhile, or not to be read: what needs it says so
                _place(copy, folder, file).write_bytes(read_inside(Path(file), folder))
        for edited, text in unsaved.items():
            _place(copy, folder, edited).write_text(text, encoding="utf-8")
        try:
            yield copy / config.name
        except RouterError as error:
            refusal = as_refusal(error)
            sentence = str(refusal).replace(f"{copy}{os.sep}", prefix_of(config))
            raise ConsoleError(refusal.code, sentence, refusal.status) from None


def require_editable(workspace: Workspace, unsaved: Mapping[str, str]) -> None:
    """Raise ConsoleError if a text is not that of a file that the page may edit: a plugin would run unsaved."""
    for name in unsaved:
        if name not in workspace.files:
            raise ConsoleError("not_a_file", f"'{name[:_SHOWN]}' is not a file of the config", 403)


def prefix_of(config: Path) -> str:
    """Return what the names of files in the folder of a config begin with."""
    return "" if config.parent == Path() else f"{config.parent}{os.sep}"


def _place(copy: Path, folder: Path, file: str) -> Path:
    """Return the place of a file in the copy, in a folder that exists."""
    real = os.path.normpath(Path(file).absolute())
    if not Path(real).is_relative_to(folder):
        raise ConsoleError("not_a_file", f"'{file}' is not in the folder of the config: save it first", 403)
    place = copy / Path(real).relative_to(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
