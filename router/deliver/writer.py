"""Sends what is to be written: calls overlap, and each write is tried again by itself until it is settled."""

import time
from collections.abc import Callable, Iterable, Sequence
from random import uniform

from router import codes
from router.aws.client import Answer, Overlapping, Pending, Tables
from router.aws.faults import Fault
from router.aws.overlap import Calls, OneThread, Threads
from router.aws.run_lock import away
from router.deliver.chain import Chain
from router.deliver.lanes import Batch, Lane, Step, pack
from router.model import WRITTEN, Outcome, Table

BACKOFF_BASE = 0.05
"""Seconds; the wait before the second try is random up to twice this, and the bound doubles with each further try."""
BACKOFF_CAP = 5.0
"""Seconds; no wait is longer."""
MAX_TRIES = 8
"""A write that fails so often is left for the next delivery of its message."""

Clock = Callable[[], float]
"""Seconds, growing: `time.monotonic`, or a test's."""
Deadline = Callable[[], float]
"""The moment of the clock after which no call is started; it may move while work is under way."""
Job = Batch | Step


class Writer:
    """Writes through one connection; keeps nothing between calls of `write` but how long calls take."""

    def __init__(
        self, tables: Tables, clock: Clock = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._sleep = sleep
        self._calls: Calls[Job] = (
            OneThread(_begin(tables), clock) if isinstance(tables, Overlapping) else Threads(self._call, clock)
        )

    @property
    def call_seconds(self) -> float:
        """How long a call takes: the longest of late, forgotten little by little."""
        return self._calls.call_seconds

    def write(self, lanes: Iterable[Lane], deadline: Deadline) -> None:
        """Send the steps of all lanes until each is settled, at the latest by the deadline."""
        running = [_Running(lane) for lane in lanes]
        while running:
            now = self._clock()
            if now >= deadline():
                for lane in running:
                    lane.leave(_later("time was up before it was written"))
                return
            ready = [lane for lane in running if lane.ready_at <= now]
            if ready:
                self._round(ready, deadline)
            else:
                wake = min(lane.ready_at for lane in running)
                with away:
                    self._sleep(max(0.0, min(wake, deadline()) - now))
            running = [lane for lane in running if lane.steps]

    def _round(self, ready: Sequence["_Running"], deadline: Deadline) -> None:
        """Send the first step of each lane, and at once what follows from a refused batch."""
        lanes: dict[Step, _Running] = {lane.steps[0]: lane for lane in ready}
        jobs: list[Job] = [*pack([step for step in lanes if isinstance(step, Chain) and step.batched])]
        jobs += [step for step in lanes if not step.batched]
        while jobs:
            answers = self._calls.make(jobs, deadline)
            given = [(job, answer) for job, answer in zip(jobs, answers, strict=True) if answer is not None]
            jobs = []
            for job, answer in given:
                if isinstance(job, Batch):
                    jobs += self._take_batch(job, answer, lanes)
                else:
                    self._take_step(job, answer, lanes[job])

    def _call(self, job: Job) -> Answer:
        if isinstance(job, Batch):
            return self._tables.batch_write(job.table.name, job.requests())
        actions = job.actions()
        return self._tables.write(*actions[0]) if len(actions) == 1 else self._tables.transact(actions)

    def _take_batch(self, batch: Batch, answer: Answer, lanes: dict[Step, "_Running"]) -> list[Job]:
        """What BatchWriteItem answered; returns what is to be sent at once."""
        fault = answer.fault
        if fault is None:
            left = batch.settle(answer.unprocessed)
            for chain in batch.chains:
                if not left or chain not in left:
                    lanes[chain].advance(more=False)
            if left:
                self._retry([lanes[chain] for chain in left], "the table was throttled")
        elif fault.kind == "retry":
            self._retry([lanes[chain] for chain in batch.chains], fault.code)
        elif fault.kind == "setup":
            for chain in batch.chains:
                lanes[chain].leave(_setup(f"table '{batch.table.name}': {fault.code}"))
        elif len(batch.chains) > 1:
            return list(batch.halves())
        else:
            (chain,) = batch.chains
            self._refuse(chain, fault, lanes[chain])
        return []

    def _take_step(self, step: Step, answer: Answer, lane: "_Running") -> None:
        """What PutItem, UpdateItem, DeleteItem or TransactWriteItems answered."""
        fault = answer.fault
        if fault is None:
            lane.advance(step.settle(WRITTEN))
        elif fault.kind == "condition":
            lane.advance(step.settle(step.condition_failed(answer.position, answer.stored)))
        elif fault.kind == "retry":
            self._retry([lane], fault.code)
        elif fault.kind == "setup":
            # Of a transaction, AWS does not say which table it is.
            names = dict.fromkeys(f"'{table.name}'" for table in _tables_of(step))
            lane.leave(_setup(f"table {' or '.join(names)}: {fault.code}"))
        else:
            self._refuse(step, fault, lane)

    def _refuse(self, step: Step, fault: Fault, lane: "_Running") -> None:
        """An item alone is refused: the table's real key decides whether the set-up is at fault, or the item."""
        for table in _tables_of(step):
            key = self._tables.key_schema(table.name)
            if isinstance(key, Fault) and key.kind == "retry":
                self._retry([lane], key.code)
                return
            if isinstance(key, Fault):
                lane.leave(_setup(f"table '{table.name}': {key.code}"))
                return
            if key != table.key:
                lane.leave(_setup(f"table '{table.name}' has another key than the config says"))
                return
        write = step.writes[0]
        reason = f"table '{write.table.name}' refused the item: {fault.code}"
        lane.advance(step.settle(Outcome("rejected", codes.REFUSED.id, reason, write.route)))

    def _retry(self, lanes: Sequence["_Running"], reason: str) -> None:
        """Try again after a while, each lane as often as it may; what failed together is sent together again."""
        by_tries: dict[int, list[_Running]] = {}
        for lane in lanes:
            by_tries.setdefault(lane.tries, []).append(lane)
        for tries, alike in by_tries.items():
            wait = uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (tries + 1)))  # noqa: S311 — jitter, no secret
            for lane in alike:
                lane.postpone(self._clock() + wait, _later(f"the table did not take it in time: {reason}"))


class _Running:
    """A lane under way, with tries of its own; `ready_at` is when its first step may be sent."""

    __slots__ = ("ready_at", "steps", "tries")

    def __init__(self, steps: Lane) -> None:
        self.steps = steps
        self.tries = 0
        self.ready_at = float("-inf")

    def advance(self, more: bool) -> None:
        """The first step has been answered; with `more` it has another write to send."""
        self.tries = 0
        if not more:
            del self.steps[0]

    def postpone(self, ready_at: float, outcome: Outcome) -> None:
        """Try the first step again then; with the outcome, if it has been tried often enough."""
        self.tries += 1
        self.ready_at = ready_at
        if self.tries == MAX_TRIES:
            self.leave(outcome)

    def leave(self, outcome: Outcome) -> None:
        """Nothing of it will be sent any more: what follows a write that is not made would come too early."""
        for step in self.steps:
            step.settle(outcome)
        self.steps.clear()


def _begin(tables: Overlapping) -> Callable[[Job], Pending]:
    def begin(job: Job) -> Pending:
        if isinstance(job, Batch):
            return tables.begin_batch_write(job.table.name, job.requests())
        return tables.begin_actions(job.actions())

    return begin


def _tables_of(step: Step) -> list[Table]:
    tables = [write.table for write in step.writes]
    return tables + [write.marker.table for write in step.writes if write.marker]


def _later(reason: str) -> Outcome:
    return Outcome("retry", codes.RETRY_LATER.id, reason)


def _setup(reason: str) -> Outcome:
    return Outcome("retry", codes.SETUP.id, reason, setup=True)
