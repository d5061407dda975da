"""Recordings: anonymized messages of a queue with their outcomes, as JSON lines. The first says of what and how."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from secrets import token_bytes
from typing import Any

import msgspec
from msgspec import Struct, structs

from router import codes
from router.errors import Rejection, UsageError
from router.model import WRITTEN, Record
from router.prover.predicates import ENCODER, Steps, text_of
from router.runtime.config.environment import parts
from router.runtime.engine.engine import CompiledQueue, plan
from router.runtime.envelopes import ENVELOPES
from router.runtime.printable import printable
from router.runtime.program.load import Loaded, Program
from router.tools.change.anonymizer import Anonymizer, Kept
from router.tools.check.analysis.config_names import names_of
from router.tools.dev.records import make_body, queue_settings, record_with
from router.tools.dev.starting import start_plugins

FORMAT = 1
_ROUNDS = 8
"""How often the values of a message are replaced by others, as long as its outcome is another with them."""
_NO_WRAP = "its outcome is not known: the plugin of its envelope registers no 'wrap'"
_PATH = re.compile(r"(\[\]|[^.\[\]]+)(\[\]|\.[^.\[\]]+)*")


class RecordingHead(Struct, frozen=True, kw_only=True):
    """The first line of a recording: its queue, the hash of the config as in logs, and how it was anonymized.

    `paths` says of each path of the messages what was done: `masked`, `kept` or `constant`, with the number of values
    where that differs: `kept in 3 of 8, masked in 5 of 8`. `left_out` counts the messages that could not be anonymized
    without another outcome.
    """

    recording: int = FORMAT
    queue: str
    config: str
    masked: str = "all but what the config names, with a random key that was not kept"
    paths: dict[str, str] = {}
    left_out: int = 0
    collisions: int = 0


class RecordedMessage(Struct, frozen=True):
    """A message as it is inside of the queue's envelopes, and its outcome when it was recorded."""

    message: Any
    outcome: str
    code: str = ""
    routes: tuple[str, ...] = ()


class Recording(Struct, frozen=True):
    """A recording as it is in a file."""

    head: RecordingHead
    messages: tuple[RecordedMessage, ...]


def outcome_of(program: Program, queue: str, message: Any) -> RecordedMessage:
    """Return a message with its outcome, and the routes that write it; what SQS adds to a message is as in tests."""
    body = make_body(message, queue_settings(program, queue), program.plugins.envelopes)
    start_plugins(program)
    planned = plan(program.engine.queues[queue], record_with(body))
    outcome = planned.outcome or WRITTEN
    routes = tuple(dict.fromkeys(write.route for write in planned.writes))
    return RecordedMessage(message, outcome.kind, outcome.code, routes)


def kept_by_config(loaded: Loaded, program: Program, queue: str, paths: Iterable[str]) -> Kept:
    """Return what the config names: constants and numbers of its schemas and expressions, and names of properties.

    The names in `paths` are named too: the user names them.
    """
    kept_paths = frozenset(map(steps_of, paths))
    named = names_of(loaded, program, [queue])
    for steps in kept_paths:
        named.names.update(step for step in steps if step is not None)
    return Kept(
        constants=named.constants,
        names=named.names,
        paths=kept_paths,
        numbers=named.numbers,
        factors=named.factors,
    )


class Recorder:
    """Anonymizes messages of a queue one after the other; what cannot be replaced is decided by `ask`, or left out.

    `ask` is called with a path whose real value decides about the outcome, and returns whether to keep it.
    """

    def __init__(
        self,
        loaded: Loaded,
        program: Program,
        queue: str,
        keep: Iterable[str],
        ask: Callable[[str], bool],
    ) -> None:
        self._program, self._queue, self._ask = program, queue, ask
        self._kept = kept_by_config(loaded, program, queue, keep)
        self._anonymizer = Anonymizer(token_bytes(32), self._kept)
        self._asked: dict[Steps, bool] = {}
        self._paths: dict[Steps, Counter[str]] = {}
        self._met: set[Steps] = set()
        self.left_out: Counter[str] = Counter()

    @property
    def compiled(self) -> CompiledQueue:
        """The queue."""
        return self._program.engine.queues[self._queue]

    @property
    def unused(self) -> tuple[str, ...]:
        """The paths to keep at which no recorded message has a value."""
        return tuple(sorted(map(text_of, set(self._kept.paths) - self._met)))

    def record(self, record: Record) -> RecordedMessage | None:
        """Return a message anonymized, with the outcome that it has as it is; None if it is left out."""
        try:
            real = outcome_of(self._program, self._queue, self.compiled.decode(record)[0])
            redaction = self.compiled.redaction
            message, _ = self.compiled.decode(redaction.redact(record)[0] if redaction else record)
        except Rejection as rejection:
            self.left_out[f"it cannot be decoded: {self._reason(rejection)}"] += 1
            return None
        if real.code == codes.BAD_ENVELOPE.id:
            # It has been decoded: only without the envelope, which cannot be made again, is it refused.
            self.left_out[_NO_WRAP] += 1
            return None
        found, restored = self._without_other_outcome(real, message)
        if found is None:
            self.left_out["its outcome depends on values that are anonymized"] += 1
            return None
        self._note(message, found.message, restored)
        return found

    def head(self) -> RecordingHead:
        """Return the first line."""
        paths = {}
        for steps, counts in sorted(self._paths.items(), key=str):
            paths[text_of(steps)] = _summary(counts)
        return RecordingHead(
            queue=self._queue,
            config=self._program.hash,
            paths=paths,
            left_out=sum(self.left_out.values()),
            collisions=self._anonymizer.collisions,
        )

    def _without_other_outcome(
        self, real: RecordedMessage, message: Any
    ) -> tuple[RecordedMessage | None, list[Steps]]:
        """Return the message anonymized, or None, and the fewest paths with real values that its outcome needs."""
        found = self._with_other_replacements(real, message)
        if found:
            return found, []
        leaves = dict.fromkeys(steps for steps, _ in _values(message, ()))
        agreed = [steps for steps in leaves if self._asked.get(steps)]
        for restored in (agreed, *([*agreed, steps] for steps in leaves if steps not in agreed)):
            known = self._anonymizer.known()
            found = self._same(real, self._anonymizer.anonymized(message, restored))
            if found and all(map(self._keeps, restored)):
                return self._with_fewest(real, message, found, restored)
            self._anonymizer.forget(known)
        return None, []

    def _with_other_replacements(
        self, real: RecordedMessage, message: Any
    ) -> RecordedMessage | None:
        """Return the message anonymized, or None if its outcome is another one with all replacements that were tried.

        A value that an earlier message has keeps its replacement.
        """
        for _ in range(_ROUNDS):
            known = self._anonymizer.known()
            found = self._same(real, self._anonymizer.anonymized(message))
            if found:
                return found
            if self._anonymizer.known() == known:
                return None
            self._anonymizer.forget(known)
        return None

    def _with_fewest(
        self, real: RecordedMessage, message: Any, found: RecordedMessage, restored: list[Steps]
    ) -> tuple[RecordedMessage, list[Steps]]:
        """Replace again what was agreed to be kept for other messages, if the outcome of this one does not need it."""
        for steps in restored:
            fewer = [each for each in restored if each != steps]
            without = self._same(real, self._anonymizer.anonymized(message, fewer))
            if without:
                found, restored = without, fewer
        return found, restored

    def _same(self, real: RecordedMessage, message: Any) -> RecordedMessage | None:
        """Return the anonymized message if its outcome is that of the real one."""
        found = outcome_of(self._program, self._queue, message)
        return found if found == structs.replace(real, message=message) else None

    def _reason(self, rejection: Rejection) -> str:
        """Return why a message cannot be decoded; what a plugin wrote may have a value in it."""
        settings = queue_settings(self._program, self._queue)
        if rejection.code is codes.BAD_ENVELOPE and not ENVELOPES.keys() >= set(settings.envelope):
            return "the envelope of a plugin refuses it"
        return rejection.reason

    def _keeps(self, steps: Steps) -> bool:
        if steps not in self._asked:
            self._asked[steps] = self._ask(text_of(steps))
        return self._asked[steps]

    def _note(self, message: Any, anonymized: Any, restored: Sequence[Steps]) -> None:
        both = zip(_values(message, ()), _values(anonymized, ()), strict=True)
        for (steps, value), (shown, _) in both:
            self._met.add(steps)
            what = "kept"
            if self._kept.is_constant(value):
                what = "constant"
            elif steps not in (*restored, *self._kept.paths) and self._anonymizer.is_replaced(
                value
            ):
                what = "masked"
            self._paths.setdefault(shown, Counter())[what] += 1


def _summary(counts: Counter[str]) -> str:
    """Return what was done to the values of a path; with their numbers, if not the same was done to all."""
    if len(counts) == 1:
        return next(iter(counts))
    total = counts.total()
    return ", ".join(f"{what} in {number} of {total}" for what, number in sorted(counts.items()))


def _values(value: Any, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    if not isinstance(value, dict | list):
        yield steps, value
    for step, part in parts(value):
        yield from _values(part, (*steps, step if isinstance(step, str) else None))


def steps_of(path: str) -> Steps:
    """Return the steps of a path as a user writes it: `lines[].sku`, `@` for the message; raises UsageError."""
    if path == "@":
        return ()
    if not _PATH.fullmatch(path):
        raise UsageError(
            f"--keep '{printable(path)}' is no path; write it as customer.country or lines[].sku"
        )
    steps: list[str | None] = []
    for part in path.split("."):
        name = part.rstrip("[]")
        if name:
            steps.append(name)
        steps += [None] * part.count("[]")
    return tuple(steps)


def write_recording(head: RecordingHead, messages: Iterable[RecordedMessage]) -> bytes:
    """Return a recording as JSON lines."""
    return b"".join(ENCODER.encode(each) + b"\n" for each in (head, *messages))


class Recordings(Struct, frozen=True):
    """Recordings whose messages run through two versions; `values` tells whether they may be shown."""

    files: tuple[Recording, ...] = ()
    values: bool = False

    def of(self, queues: Iterable[str]) -> list[Any]:
        """Return the messages of queues by their names in the config."""
        names = set(queues)
        files = [file for file in self.files if file.head.queue in names]
        return [each.message for file in files for each in file.messages]


NO_RECORDINGS = Recordings()


def read_recording(path: Path) -> Recording:
    """Read a recording; raises UsageError."""
    try:
        first, *rest = path.read_bytes().splitlines()
        head = msgspec.json.decode(first, type=RecordingHead)
        decoder = msgspec.json.Decoder(RecordedMessage, float_hook=Decimal)
        messages = tuple(decoder.decode(line) for line in rest if line.strip())
    except (OSError, ValueError, msgspec.MsgspecError):
        raise UsageError(f"{path} is no recording; router record makes one") from None
    if head.recording != FORMAT:
        raise UsageError(f"{path} was recorded by another version of the router; record it again")
    return Recording(head, messages)
