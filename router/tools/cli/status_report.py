"""What `router status` reads and prints: a table of queues and the sentences below it, or JSON."""

import os
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from msgspec import Struct, structs, to_builtins

from router.errors import ConfigError, RouterError, UsageError
from router.model import JsonObject
from router.runtime.aws.connect import connect
from router.runtime.aws.protocols import Aws
from router.runtime.aws.references import is_fifo
from router.runtime.program.load import Program, load_program
from router.tools.change.versions import STACK, open_stack
from router.tools.cli.options import Repeated, choose_config
from router.tools.cli.terminal import literal, print_line, print_table
from router.tools.control_plane.clients import connect_services
from router.tools.control_plane.live import connect as connect_live
from router.tools.deploy.concerns import concerns
from router.tools.deploy.status import (
    MINUTES,
    FunctionStatus,
    QueueStatus,
    StatusReader,
    TableStatus,
)
from router.tools.dlq.messages import Selection, count_by
from router.tools.dlq.queues import DeadLetterQueue, opened

_CONNECTIONS = 8
_SECONDS = 60.0
_PAGE_SECONDS = 5.0
_PAGE_BYTES = 64 * 1024


class RunningConfig(Struct, frozen=True):
    """The config that a function or a worker runs."""

    where: str
    hashes: tuple[str, ...] = ()
    """Of the config: several while the processes of a worker reload it, none if they are not known."""
    unknown: str = ""
    """Why there are no hashes."""
    healthy: bool = True
    """Whether the page of a worker can be read, and has no status of an error."""
    paused: tuple[str, ...] = ()
    """The queues that a worker does not poll for now, because nothing of them can be written."""


class StatusReport(Struct, frozen=True):
    """What the command shows; `config` is the hash of the config that it reads."""

    config: str
    queues: tuple[QueueStatus, ...]
    tables: tuple[TableStatus, ...]
    functions: tuple[FunctionStatus, ...]
    running: tuple[RunningConfig, ...]

    @property
    def attention(self) -> tuple[str, ...]:
        """What is not as it should be, in sentences."""
        found = [*concerns(self.queues, self.tables, self.functions)]
        for each in self.running:
            if set(each.hashes) - {self.config}:
                found.append(f"{each.where} runs another config than this one")
            if not each.healthy:
                found.append(f"{each.where} is not healthy")
            if each.paused:
                found.append(
                    f"{each.where} cannot write anything of these queues: {', '.join(each.paused)}"
                )
        return tuple(found)

    def record(self) -> JsonObject:
        """Return all of it for JSON."""
        queues = [{**to_builtins(each), "paused": each.paused} for each in self.queues]
        tables = [
            {**to_builtins(each), "dollars_an_hour": each.dollars_an_hour} for each in self.tables
        ]
        changed = {"queues": queues, "tables": tables, "attention": self.attention}
        return {**to_builtins(self), **changed}


def read_status(
    config: Path | None, stack: str | None, pages: Repeated, letters: int, *, probed: bool
) -> StatusReport:
    """Read the status of a config, or of what a stack runs; with `probed`, invoke the functions; raises RouterError."""
    with ExitStack() as closing:
        if stack:
            program = open_stack(f"{STACK}{stack}", closing).program
        else:
            program = load_program(choose_config(None, config), os.environ)
        aws = connect(_CONNECTIONS)
        reader = StatusReader(aws, connect_live(), connect_services(("cloudwatch", "sqs")))
        queues = tuple(_with_codes(program, aws, each, letters) for each in reader.queues(program))
        names = [receiver.function for queue in queues for receiver in queue.receivers]
        # The names may have an alias.
        found = dict.fromkeys(name.partition(":")[0] for name in names)
        kind = "function" if stack in found else "stack"
        own = [RunningConfig(f"{kind} {stack}", (program.hash,))] if stack else []
        others = [name for name in found if name != stack]
        running = (*own, *_of_functions(others), *map(_of_worker, pages))
        functions = tuple(reader.functions(names, probed=probed))
        return StatusReport(program.hash, queues, tuple(reader.tables(program)), functions, running)


def _of_functions(names: Iterable[str]) -> Iterator[RunningConfig]:
    """Yield what functions run. Only those of the router's stacks can be read."""
    for name in names:
        with ExitStack() as stack:
            try:
                # A function has the name of its stack.
                hashes = (open_stack(f"{STACK}{name}", stack).program.hash,)
            except RouterError as error:
                why = error.findings[0] if isinstance(error, ConfigError) else error
                yield RunningConfig(f"function {name}", unknown=str(why))
            else:
                yield RunningConfig(f"function {name}", hashes)


def _of_worker(url: str) -> RunningConfig:
    """Return what a worker runs, by the URL of its page `/healthz`; raises UsageError for what is no URL."""
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"--healthz takes a URL such as http://127.0.0.1:9090/healthz, not '{url}'"
        )
    where = f"worker {url}"
    try:
        text, healthy = _read_page(url)
    except (OSError, HTTPException, ValueError) as error:
        return RunningConfig(where, unknown=f"no answer: {error}", healthy=False)
    # A line of the page names configs, others name the queues that are paused.
    known = tuple(hash_ for line in _after("config ", text) for hash_ in line.split(","))
    unknown = "" if known else "the page names no config"
    return RunningConfig(where, known, unknown, healthy, _after("paused ", text))


def _read_page(url: str) -> tuple[str, bool]:
    """Return the text of a page, and whether its status is that of a success."""
    try:
        with urllib.request.urlopen(url, timeout=_PAGE_SECONDS) as page:  # noqa: S310 — http and https only
            return page.read(_PAGE_BYTES).decode(errors="replace"), True
    except HTTPError as error:
        with error:  # a response, too, which is to be closed
            return error.read(_PAGE_BYTES).decode(errors="replace"), False


def _after(word: str, text: str) -> tuple[str, ...]:
    """Return what follows a word in the lines that begin with it."""
    return tuple(line.removeprefix(word) for line in text.splitlines() if line.startswith(word))


def _with_codes(program: Program, aws: Aws, queue: QueueStatus, most: int) -> QueueStatus:
    """Return a status with the codes of dead letters, which have to be received for that."""
    if not most or not queue.dead_letters:
        return queue
    url = aws.queues.url(queue.dead_letter_queue, _SECONDS)
    assert isinstance(url, str)  # its attributes were read by it
    kept = queue.letters_kept_seconds
    found = DeadLetterQueue(queue.dead_letter_queue, url, queue.dead_letters, retention=kept)
    with opened(program, aws, lambda _: None, found, Selection(), most, lambda _: None) as letters:
        codes = {each.value: each.count for each in count_by("code", letters.spool.selected())}
        senders = count_by("sender", letters.spool.selected())
    seen = sum(codes.values())
    end = f"at {letters.first_end}" if letters.first_end else ""
    unknown = queue.unknown
    rest = queue.dead_letters - seen
    if rest > 0:
        end = f"{end}, or before" if end else ""
        why = "are looked at; --letters looks at more"
        if not letters.limited:
            why = "could be looked at; others are in flight"
            if found.fifo:
                why += ", or behind them in their groups"
        unknown = (*unknown, f"the codes and senders of {rest} dead letters: {seen} {why}")
    return structs.replace(
        queue,
        codes=dict(sorted(codes.items())),
        senders={each.value or "unknown": each.count for each in senders},
        letters_end=end,
        unknown=unknown,
    )


def show_status(status: StatusReport) -> None:
    """Print a status for people."""
    columns = ("queue", "waiting", "in flight", "oldest", "dead letters", "received by")
    print_table(columns, [list(map(literal, _row(each))) for each in status.queues])
    lines = [
        f"not known of {queue.queue}: {why}" for queue in status.queues for why in queue.unknown
    ]
    lines.append(f"this config: {status.config}")
    lines += [
        f"{each.where}: {', '.join(each.hashes) or f'not known: {each.unknown}'}"
        for each in status.running
    ]
    lines += [
        f"table {each.table}: {each.write_units} write units in {MINUTES} minutes, "
        f"${each.dollars_an_hour} an hour on demand"
        for each in status.tables
        if each.write_units
    ]
    for queue in status.queues:
        if queue.senders:
            counts = ", ".join(f"{sender} {count}" for sender, count in queue.senders.items())
            seen = sum(queue.senders.values())
            part = "" if seen == queue.dead_letters else f", of {seen} looked at"
            lines.append(f"dead letters of {queue.queue} by sender{part}: {counts}")
    lines += [f"attention: {each}" for each in status.attention]
    for line in lines:
        print_line(line, soft_wrap=True)


def _row(queue: QueueStatus) -> tuple[str, ...]:
    codes = ", ".join(f"{code}: {number}" for code, number in (queue.codes or {}).items())
    # Whether a queue that cannot be read has a dead-letter queue of its own is not known.
    letters = "unknown" if queue.waiting is None else "no queue"
    if queue.dead_letter_queue:
        letters = _number(queue.dead_letters)
        if codes:
            letters += f" ({codes})"
    none = "no function" if queue.knows_receivers else "unknown"
    receivers = ", ".join(each.function for each in queue.receivers) or none
    oldest = "unknown" if queue.oldest_seconds is None else f"{queue.oldest_seconds} s"
    # SQS leaves messages out that were received three times or more.
    if queue.oldest_seconds is not None and queue.retries and not is_fifo(queue.name):
        oldest += " or more"
    idle = queue.waiting == 0 == queue.in_flight and queue.oldest_seconds is None
    return (
        queue.queue,
        _number(queue.waiting) + (f" + {queue.delayed} delayed" if queue.delayed else ""),
        _number(queue.in_flight),
        "" if idle else oldest,
        letters,
        f"PAUSED: {queue.paused}" if queue.paused else receivers,
    )


def _number(count: int | None) -> str:
    return "unknown" if count is None else str(count)
