"""The calls of the view Dead letters: each runs a command of `router dlq`, so that the page shows
what that prints.

The leases of a command end with its process, whatever becomes of the console or of the page.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from router.runtime.config.environment import parts
from router.runtime.engine.decode import JSON
from router.runtime.program.schemas.documents import steps_of
from router.tools.console.api import Call
from router.tools.console.files import draft_of, require_editable
from router.tools.console.workspace import ConsoleError, Workspace, require_aws, require_writes
from router.tools.dev.compare import to_cell, to_json

SECONDS = 900.0
"""The time limit of a command; 100,000 dead letters take less."""
_STOP_SECONDS = 30.0
"""The time in which a stopped command releases its messages."""
_FACTS = ("id", "original_id", "queue", "sent_at", "failed_at")
_PREFIX = re.compile(r"^router: ", re.MULTILINE)


class CommandResult(Struct, frozen=True):
    """What a command printed: its JSON, with exact numbers, and its other output."""

    report: Any
    notes: tuple[str, ...]


class Selectors(Struct, frozen=True):
    """Which messages, as the options of `router dlq` select them; an empty one selects all."""

    queue: str = ""
    route: str = ""
    code: str = ""
    pointer: str = ""
    since: str = ""
    where: str = ""
    id: str = ""
    limit: int = 0


class ListMessages(Struct, frozen=True):
    """The body of `letters/list`."""

    select: Selectors = Selectors()


class ShowMessage(Struct, frozen=True):
    """The body of `letters/show`: the id of one message; its values are hidden unless `values`."""

    id: str
    values: bool = False


class RehearseMessages(Struct, frozen=True):
    """The body of `letters/rehearse`; `unsaved` are texts of files that are edited and not saved,
    by name.
    """

    select: Selectors = Selectors()
    values: bool = False
    unsaved: Mapping[str, str] = {}


class RedriveMessages(Struct, frozen=True):
    """The body of `letters/redrive`: without `confirmed`, the plan only."""

    select: Selectors = Selectors()
    way: Literal["deliver", "to_queue"] = "deliver"
    keep_newer: bool = False
    confirmed: bool = False


def list_messages(workspace: Workspace, given: ListMessages) -> Any:
    """Return the causes of the messages on each dead-letter queue."""
    return _answer(_run(workspace, "list", given.select))


def show_message(workspace: Workspace, given: ShowMessage) -> Any:
    """Return one message: what is known about it, and its lines with the place of the failure
    marked.
    """
    values = "--values" if given.values else ""
    result = _run(workspace, "show", Selectors(), values, after=(given.id,))
    found = result.report
    failure = found["failure"]
    pointer = failure.get("pointer", "")
    return {
        "facts": [[name, str(found[name])] for name in _FACTS],
        "failure": [[name, to_cell(value)] for name, value in failure.items()],
        "attributes": to_json(found["attributes"], indent=2) if found["attributes"] else "",
        "lines": list(lines_of(found["message"], steps_of(pointer) or None)),
        "pointer": pointer,
        "notes": result.notes,
    }


def rehearse_messages(workspace: Workspace, given: RehearseMessages) -> Any:
    """Return the plan for each dead-letter queue, and each message with its items beside the stored
    ones.
    """
    require_editable(workspace, given.unsaved)
    with draft_of(workspace.config, given.unsaved) as config:
        edited = structs.replace(workspace, config=config)
        values = "--values" if given.values else ""
        result = _run(edited, "rehearse", given.select, "--diff", values)
    for queue in result.report:
        for each in queue["rehearsed"]:
            for change in each["changes"]:
                change["key"] = to_json(change["key"])
    return _answer(result)


def redrive_messages(workspace: Workspace, given: RedriveMessages) -> Any:
    """Deliver the messages that pass, or send them to their queues, if that is confirmed; else
    return the plan.
    """
    if given.confirmed:
        require_writes(workspace)
    options = [
        "--yes" if given.confirmed else "--dry-run",
        "--to-queue" if given.way == "to_queue" else "",
        "--keep-newer" if given.keep_newer else "",
    ]
    return _answer(_run(workspace, "redrive", given.select, *options))


CALLS = (
    Call("letters/list", ListMessages, list_messages),
    Call("letters/show", ShowMessage, show_message),
    Call("letters/rehearse", RehearseMessages, rehearse_messages),
    Call("letters/redrive", RedriveMessages, redrive_messages),
)


def _run(
    workspace: Workspace,
    name: str,
    select: Selectors,
    *options: str,
    after: Sequence[str] = (),
) -> CommandResult:
    require_aws(workspace)
    words = ["dlq", name, f"--config={workspace.config}"]
    words += [f"--{key}={value}" for key, value in structs.asdict(select).items() if value]
    words += [option for option in options if option]
    words.append("--json")
    if after:
        # What follows is no option, whatever it begins with.
        words += ["--", *after]
    return run_command(workspace, words)


def _answer(result: CommandResult) -> Any:
    return {"queues": result.report, "notes": result.notes}


def run_command(workspace: Workspace, words: Sequence[str]) -> CommandResult:
    """Run a command that prints JSON; raises ConsoleError with its sentence if it could not run."""
    process = _start_command(workspace, words)
    try:
        output, log = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ConsoleError(
            "timeout",
            f"router {words[0]} was stopped after {SECONDS:.0f} seconds",
            504,
        ) from None
    finally:
        _stop_command(process)
    lines = _PREFIX.sub("", log.decode(errors="replace")).splitlines()
    notes = tuple(line for line in lines if line.strip())
    # The exit code 2 is that of a command that could not run.
    if process.returncode == 2 and not output:
        raise ConsoleError("usage", "\n".join(notes) or f"router {words[0]} could not run")
    try:
        return CommandResult(JSON.decode(output), notes)
    except msgspec.DecodeError:
        sentence = f"router {words[0]} ended with {process.returncode}: {' '.join(notes)}"
        raise ConsoleError("crashed", sentence, 500) from None


def _start_command(workspace: Workspace, words: Sequence[str]) -> "subprocess.Popen[bytes]":
    # In a session of its own: Ctrl-C at the terminal ends the console, which stops the command.
    try:
        return subprocess.Popen(  # noqa: S603 — our own program; no word is an option of another
            [sys.executable, "-P", "-m", "router", *words],
            env=workspace.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # a word has a null character, or is too long
        raise ConsoleError(
            "usage",
            f"router {words[0]} cannot be started with these words: {error}",
        ) from None


def _stop_command(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


Steps = Sequence[str]
Line = tuple[str, bool]
"""A line of JSON, and whether it is marked."""


def lines_of(
    value: Any,
    steps: Steps | None,
    indent: int = 0,
    name: str | None = None,
    end: str = "",
) -> Iterator[Line]:
    """Yield the lines of a value as indented JSON; those of the value at `steps` are marked.

    If there is no such value, the object or list where it should be is marked.
    """
    entries = [(str(key), each) for key, each in parts(value)]
    here = steps is not None and (not steps or steps[0] not in dict(entries))
    start = " " * indent + ("" if name is None else f"{to_json(name)}: ")
    if not entries:
        yield f"{start}{to_json(value)}{end}", here
        return
    brackets = "{}" if isinstance(value, dict) else "[]"
    yield start + brackets[0], here
    for position, (key, each) in enumerate(entries, 1):
        rest = steps[1:] if steps and not here and steps[0] == key else None
        inside = None if isinstance(value, list) else key
        comma = "," if position < len(entries) else ""
        for text, marked in lines_of(each, rest, indent + 2, inside, comma):
            yield text, marked or here
    yield " " * indent + brackets[1] + end, here
