"""Runs `router dlq` for the page: its leases end with its process, whatever becomes of the console or of the page."""

import re
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from router.console.refusals import ConsoleError
from router.console.workspace import Workspace

SECONDS = 900.0
"""After so long a command is stopped: 100,000 dead letters take a part of it."""
_STOP_SECONDS = 30.0
"""For a stopped command to release its messages."""
_COULD_NOT_RUN = 2
_PREFIX = re.compile(r"^router: ", re.MULTILINE)


class CommandResult(Struct, frozen=True):
    """What a command printed: its JSON, with exact numbers, and what it said beside it."""

    report: Any
    notes: tuple[str, ...]


def run_command(workspace: Workspace, words: Sequence[str]) -> CommandResult:
    """Run a command that prints JSON; raises ConsoleError with its sentence if it could not run."""
    process = _start(workspace, words)
    try:
        output, log = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ConsoleError("timeout", f"router {words[0]} was stopped after {SECONDS:.0f} seconds", 504) from None
    finally:
        _stop(process)
    notes = tuple(line for line in _PREFIX.sub("", log.decode(errors="replace")).splitlines() if line.strip())
    if process.returncode == _COULD_NOT_RUN and not output:
        raise ConsoleError("usage", "\n".join(notes) or f"router {words[0]} could not run")
    try:
        return CommandResult(_DECODER.decode(output), notes)
    except msgspec.DecodeError:
        sentence = f"router {words[0]} ended with {process.returncode}: {' '.join(notes)}"
        raise ConsoleError("crashed", sentence, 500) from None


_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def _start(workspace: Workspace, words: Sequence[str]) -> "subprocess.Popen[bytes]":
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
        raise ConsoleError("usage", f"router {words[0]} cannot be started with these words: {error}") from None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
