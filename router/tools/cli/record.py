"""`router record`: keep a sample of a queue's messages as a regression test, anonymized."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.errors import UsageError
from router.runtime.printable import printable
from router.tools.cli.completion import complete_queue
from router.tools.cli.masked_output import tell
from router.tools.cli.options import (
    Repeated,
    config_option,
    output_option,
    require_writable,
    write_file,
)

if TYPE_CHECKING:
    from router.runtime.engine.engine import CompiledQueue

_CONNECTIONS = 4
_LONG = 10_000


@click.command("record")
@click.argument("queue", shell_complete=complete_queue)
@config_option
@click.option(
    "--count",
    type=click.IntRange(1, _LONG),
    default=200,
    show_default=True,
    help="The most messages.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="PATH",
    help="Keep these values: customer.country, lines[].sku.",
)
@click.option(
    "--dead-letters", is_flag=True, help="Record the messages on the dead-letter queue of QUEUE."
)
@output_option(required=True, help="The file, as JSON lines.")
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def command(
    queue: str,
    config: Path,
    count: int,
    keep: Repeated,
    dead_letters: bool,
    output: Path,
    force: bool,
) -> None:
    """Keep a sample of the messages on QUEUE, named as in the config, in a file that can be committed.

    The messages are received, and visible again at the end; this counts as a receive of each. All values are replaced,
    and all names that the config does not have: a text keeps its length and the kind of each character, a number its
    digits, and equal values are replaced alike. Constants that schemas and expressions name are kept. Each message
    keeps its outcome: one that would have another then is left out, or its path is kept if you agree. router test
    --recorded runs the file.

    Exit code 0: recorded; 1: no message could be recorded; 2: could not run.

    \b
    Examples:
      router record orders -o tests/orders.jsonl
      router record orders --count 1000 --keep order.currency -o tests/orders.jsonl
      router record orders --dead-letters -o tests/rejected.jsonl
    """
    from router.runtime.aws.connect import connect
    from router.runtime.program.load import load
    from router.tools.change.recording import Recorder, write_recording
    from router.tools.cli.new_queue import receive_records

    loaded = load(config, os.environ)
    program = loaded.require()
    reference = _reference(program.queue(queue), dead_letters)
    recorder = Recorder(loaded, program, queue, keep, _ask)
    if output.is_file() and not force:
        raise UsageError(f"{output} exists; choose another file, or overwrite it with --force")
    require_writable(output)
    records, _ = receive_records(connect(_CONNECTIONS), reference, count)
    messages = [message for message in map(recorder.record, records) if message is not None]
    for note in _notes(recorder.left_out, recorder.unused, len(messages)):
        tell(note)
    if not messages:
        sys.exit(1)
    head = recorder.head()
    write_file(output, write_recording(head, messages))
    paths = "".join(f"\n  {path}: {what}" for path, what in head.paths.items())
    click.echo(f"recorded {len(messages)} of {len(records)} messages in {output}{paths}")


def _notes(left_out: Mapping[str, int], unused: Iterable[str], recorded: int) -> Iterator[str]:
    """Yield what was not done as asked: messages left out by reason, paths to keep that no message has."""
    yield from (f"left out {number}: {reason}" for reason, number in left_out.items())
    if not recorded:
        yield "no message was recorded"
        return
    yield from (
        f"--keep {printable(path)}: no recorded message has a value there" for path in unused
    )


def _reference(queue: "CompiledQueue", dead_letters: bool) -> str:
    """Return the reference of a queue, or of its dead-letter queue; raises UsageError if there is none."""
    reference = queue.dead_letter if dead_letters else queue.reference
    if not reference:
        raise UsageError(f"the queue '{queue.name}' has no 'dead_letter'")
    return reference


def _ask(path: str) -> bool:
    """Return whether to keep the real values at a path; no without a terminal."""
    if not sys.stdin.isatty():
        return False
    return click.confirm(
        f"the value of {printable(path)} decides about the outcome: keep the real values there?",
        err=True,
    )
