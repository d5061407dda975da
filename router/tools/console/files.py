"""The files of a config: their texts for an editor, saving them, and a copy of the config as it is
edited.
"""

import hashlib
import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from msgspec import Struct

from router.errors import RouterError, UsageError, reason_of
from router.model import Place
from router.runtime.config.findings import Findings
from router.runtime.config.include import included_files
from router.runtime.config.merge import Unsaved, resolve_inside
from router.runtime.program.load import Loaded
from router.tools.console.inside import FileInside, open_inside
from router.tools.console.workspace import ConsoleError, Workspace, as_refusal
from router.tools.dev.local import saved_files

_PLUGIN = ".py"
_SHOWN = 200
"""Characters of a name in a sentence."""
_SAVING = Lock()
"""Held from the comparison of a hash to the last write: of two pages that save at once, one gets a
conflict.
"""


class EditedFile(Struct, frozen=True):
    """A file to save: its text, and the hash of the content that it was made from."""

    name: str
    text: str
    hash: str


class ReadFile(Struct, frozen=True):
    """A file as it is on the disk: its hash, and its text with line feeds; or why there is no text."""

    name: str
    hash: str
    text: str = ""
    fault: str = ""


def as_unsaved(texts: Mapping[str, str]) -> Unsaved:
    """Return the texts of an editor, by name, as the loader takes them."""
    return {Path(name): text.encode(errors="surrogatepass") for name, text in texts.items()}


def names_of(config: Path, loaded: Loaded) -> list[str]:
    """Return the names of the config, of the files that it includes, and of its schemas, in order.

    Never a plugin, even if the config names it as a schema: what is edited would run before it is
    saved.
    """
    if loaded.config is None:
        return [str(config)]
    folder = config.parent
    findings = Findings(lambda path, key: Place(str(config)))
    files = list(included_files(config, loaded.config.include, findings))
    schemas = set(loaded.schemas.documents) if loaded.schemas else set()
    for route in loaded.config.routes.values():
        if isinstance(route.schema, str):
            schemas.add(route.schema)
    for name in sorted(schemas):
        file = folder / name
        if resolve_inside(folder, file.relative_to(folder)) and file.is_file():
            files.append(file)
    return [str(config), *(str(file) for file in files if file.suffix != _PLUGIN)]


def read_file(name: str, folder: Path) -> ReadFile:
    """Return a file in the folder of the config as it is on the disk."""
    try:
        raw = read_inside(Path(name), folder)
    except OSError as error:
        return ReadFile(name, "", fault=f"cannot be read: {reason_of(error)}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ReadFile(name, _hash(raw), fault="is not UTF-8 text")
    return ReadFile(name, _hash(raw), text.replace("\r\n", "\n"))


def changed_files(known: Mapping[str, str], allowed: Iterable[str], folder: Path) -> list[ReadFile]:
    """Return the files whose content on the disk has not the hash that is known."""
    files = [read_file(name, folder) for name in sorted(known.keys() & set(allowed))]
    return [file for file in files if file.hash != known[file.name]]


def save_files(
    files: Sequence[EditedFile],
    allowed: Iterable[str],
    folder: Path,
    overwrite: bool,
) -> list[ReadFile]:
    """Write files in a folder, and return them as they are now; raises ConsoleError, and then
    writes nothing.

    A file that changed since it was read is written only with `overwrite`. Line endings and a byte
    order mark stay.
    """
    permitted = frozenset(allowed)
    with _SAVING, ExitStack() as stack:
        for file in files:
            if file.name not in permitted:
                raise ConsoleError("not_a_file", f"'{file.name}' is not a file of the config", 403)
        # The folders stay open: what was compared is what is replaced, whatever the paths lead to meanwhile.
        opened = [_open_to_save(file, folder, stack, overwrite) for file in files]
        for inside, file in zip(opened, files, strict=True):
            _write(inside, file.text)
        return [read_file(file.name, folder) for file in files]


def read_inside(path: Path, folder: Path) -> bytes:
    """Return the content of a regular file in a folder; a link must lead to one in it, too. Raises
    OSError.
    """
    with open_inside(path, folder) as file:
        return file.read()


def _open_to_save(
    file: EditedFile,
    folder: Path,
    stack: ExitStack,
    overwrite: bool,
) -> FileInside:
    """Open the folder of a file to write; raises ConsoleError unless it may be written."""
    try:
        inside = stack.enter_context(open_inside(Path(file.name), folder))
        found = _hash(inside.read()) if inside.exists() else ""
    except OSError as error:
        raise ConsoleError(
            "not_a_file",
            f"'{file.name}' cannot be saved: {reason_of(error)}",
            403,
        ) from None
    if not overwrite and found != file.hash:
        raise ConsoleError("conflict", f"'{file.name}' changed on the disk since it was read", 409)
    return inside


def _write(file: FileInside, text: str) -> None:
    """Replace a file at once: a concurrent reader gets the old content or the new one."""
    try:
        before = file.read() if file.exists() else b""
        mark = BOM_UTF8 if before.startswith(BOM_UTF8) else b""
        newline = "\r\n" if b"\r\n" in before else "\n"
        file.replace(mark + text.replace("\n", newline).encode())
    except (OSError, UnicodeEncodeError) as error:
        reason = (
            reason_of(error) if isinstance(error, OSError) else "it has half of a surrogate pair"
        )
        raise UsageError(f"cannot write '{file.name}': {reason}") from None


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@contextmanager
def draft_of(config: Path, unsaved: Mapping[str, str]) -> Iterator[Path]:
    """Yield a config with the unsaved texts of files, by name: the config itself, or a copy that
    ends with the block.

    The copy has what `router local` watches: YAML, JSON and Python files, if they are regular files
    of the folder. Raises ConsoleError for a file outside of the folder of the config.
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
    """Raise ConsoleError if a text is not that of a file that the page may edit: a plugin would run
    unsaved.
    """
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
        raise ConsoleError(
            "not_a_file",
            f"'{file}' is not in the folder of the config: save it first",
            403,
        )
    place = copy / Path(real).relative_to(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
