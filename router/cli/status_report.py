"""What `router status` reads and prints: a table of queues, then what has to be said, or JSON."""

import os
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct, structs, to_builtins

from router.aws.connect import connect
from router.aws.control_plane import connect_services
from router.aws.live import connect as connect_live
from router.aws.protocols import Aws
from router.change.running_configs import RunningConfig, of_functions, of_worker
from router.change.versions import STACK, open_stack
from router.cli.options import choose_config
from router.cli.terminal import literal, output, print_table
from router.dlq.messages import Selection, count_causes
from router.dlq.queues import DeadLetterQueue, opened
from router.ops.status import QueueStatus, StatusReader, TableStatus, concerns
from router.program.load import Program, load_program

_CONNECTIONS = 8
_SECONDS = 60.0


class StatusReport(Struct, frozen=True):
    """What the command shows; `config` is the hash of the config that it reads."""

    config: str
    queues: tuple[QueueStatus, ...]
    tables: tuple[TableStatus, ...]
    running: tuple[RunningConfig, ...]

    @property
    def attention(self) -> tuple[str, ...]:
        """What is not as it should be, in sentences."""
        found = [*concerns(self.queues, self.tables)]
        for each in self.running:
            if set(each.hashes) - {self.config}:
                found.append(f"{each.where} runs another config than this one")
            if not each.healthy:
                found.append(f"{each.where} is not healthy")
            if each.paused:
                found.append(f"{each.where} cannot write anything of these queues: {', '.join(each.paused)}")
        return tuple(found)

    def record(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        queues = [{**to_builtins(each), "paused": each.paused} for each in self.queues]
        return {**to_builtins(self), "queues": queues, "attention": list(self.attention)}


def read_status(config: Path | None, stack: str | None, pages: tuple[str, ...], letters: int) -> StatusReport:
    """Read the status of a config, or of what a stack runs; raises RouterError."""
    with ExitStack() as closing:
        if stack:
            program = open_stack(f"{STACK}{stack}", closing).program
        else:
            program = load_program(choose_config(None, config), os.environ)
        aws = connect(_CONNECTIONS)
        reader = StatusReader(aws, connect_live(), connect_services(("cloudwatch", "sqs")))
        queues = tuple(_with_codes(program, aws, each, letters) for each in reader.queues(program))
        names = [receiver.function for queue in queues for receiver in queue.receivers]
        own = [RunningConfig(f"function {stack}", (program.hash,))] if stack else []
        running = (*own, *of_functions(each for each in names if each != stack), *map(of_worker, pages))
        return StatusReport(program.hash, queues, tuple(reader.tables(program)), running)


def _with_codes(program: Program, aws: Aws, queue: QueueStatus, most: int) -> QueueStatus:
    """Return a status with the codes of dead letters, which have to be received for that."""
    if not most or not queue.dead_letters:
        return queue
    url = aws.queues.url(queue.dead_letter_queue, _SECONDS)
    assert isinstance(url, str)  # its attributes were read by it
    found = DeadLetterQueue(queue.dead_letter_queue, url, queue.dead_letters)
    with opened(program, aws, lambda _: None, found, Selection(), most, lambda _: None) as letters:
        codes: Counter[str] = Counter()
        for cause in count_causes((each, queue.queue) for each in letters.spool.selected()):
            codes[cause.cause.code] += cause.count
    seen = codes.total()
    rest = max(0, queue.dead_letters - seen)
    why = [f"the codes of {rest} dead letters: {seen} were looked at (--letters), others are in flight"]
    return structs.replace(queue, codes=dict(sorted(codes.items())), unknown=(*queue.unknown, *(why if rest else ())))


def show_status(status: StatusReport) -> None:
    """Print a status for people."""
    columns = ("queue", "waiting", "in flight", "oldest", "dead letters", "received by")
    print_table(columns, [list(map(literal, _row(each))) for each in status.queues])
    lines = [f"not known of {queue.queue}: {why}" for queue in status.queues for why in queue.unknown]
    lines.append(f"this config: {status.config}")
    lines += [f"{each.where}: {', '.join(each.hashes) or f'not known: {each.unknown}'}" for each in status.running]
    lines += [f"attention: {each}" for each in status.attention]
    for line in lines:
        output().print(literal(line), soft_wrap=True)


def _row(queue: QueueStatus) -> tuple[str, ...]:
    codes = ", ".join(f"{code}: {number}" for code, number in (queue.codes or {}).items())
    letters = (
        f"{_number(queue.dead_letters)}{f' ({codes})' if codes else ''}" if queue.dead_letter_queue else "no queue"
    )
    receivers = ", ".join(each.function for each in queue.receivers) or "no function"
    oldest = "unknown" if queue.oldest_seconds is None else f"{queue.oldest_seconds} s"
    idle = queue.waiting == 0 == queue.in_flight and queue.oldest_seconds is None
    return (
        queue.queue,
        _number(queue.waiting),
        _number(queue.in_flight),
        "" if idle else oldest,
        letters,
        f"PAUSED: {queue.paused}" if queue.paused else receivers,
    )


def _number(count: int | None) -> str:
    return "unknown" if count is None else str(count)
