"""Compiles `queues` of the config, and the queues that only routes name."""

from collections.abc import Mapping

from msgspec import Struct, UnsetType

from router.aws.references import is_fifo, match_key, queue_fault
from router.codes import declare
from router.config import spec
from router.config.findings import Findings, did_you_mean
from router.engine.decode import Decoder, PointerFinder, compile_decoder
from router.envelopes import ENVELOPES, EnvelopeFormat
from router.envelopes.s3_pointer import ENVELOPE
from router.model import Envelope, Path

BAD_NAME = declare(
    "RT202",
    "not a name that AWS takes",
    "AWS would refuse it: a queue's name has 1 to 80 characters, a table's 3 to 255, of a small alphabet.",
)
NO_DEAD_LETTER_QUEUE = declare(
    "RT203",
    "a queue without dead-letter queue",
    "A rejected message stays on its queue and is received again until the queue's own redrive policy moves it; "
    "the reason is in the log only.",
    severity="warning",
)
UNKNOWN_ENVELOPE = declare(
    "RT205",
    "unknown envelope",
    "No loaded plugin registers an envelope of that name; "
    f"{', '.join(f'`{name}`' for name in ENVELOPES)} are built in.",
)
OWN_DEAD_LETTER = declare(
    "RT206",
    "a queue whose dead letters return to it",
    "Its rejected messages would be received for ever.",
)
SAME_QUEUE = declare(
    "RT207",
    "one queue under two names",
    "Only one of them would get the messages; the routes of the other would never see one.",
)
BAD_POINTERS = declare(
    "RT209",
    "`s3_pointer` in one place only",
    "Pointers are followed where `envelope` has `s3_pointer`, once, and into the buckets that `s3_pointer:` of the "
    "queue allows: each needs the other.",
)

_POINTER = ENVELOPE.name
_OTHER = "name another queue"


class QueueSettings(Struct, frozen=True):
    """A queue of the config, under `queues` or named by a route only; `path` is its position in the config."""

    name: str
    reference: str
    settings: spec.Queue
    dead_letter: str
    decode: Decoder
    pointers: PointerFinder | None
    path: Path

    @property
    def fifo(self) -> bool:
        """Whether messages of a group keep their order."""
        return is_fifo(self.reference)


def compile_queues(
    config: spec.Config, envelopes: Mapping[str, EnvelopeFormat], findings: Findings
) -> dict[str, QueueSettings]:
    """Return the queues that routes read, by the names that routes use, without their faulty parts."""
    used: dict[str, Path] = {}
    for name, route in config.routes.items():
        used.setdefault(route.queue, ("routes", name, "queue"))
    queues: dict[str, QueueSettings] = {}
    keys: dict[str, str] = {}
    for name in [*config.queues, *(name for name in used if name not in config.queues)]:
        known = name in config.queues
        settings = config.queues[name] if known else spec.Queue()
        path: Path = ("queues", name) if known else used[name]
        queue = _compile_queue(name, settings, config, envelopes, findings, path)
        _check_name(queue, findings, known)
        other = keys.setdefault(match_key(queue.reference), name)
        if other != name:
            findings.add(
                SAME_QUEUE, f"'{name}' is the same queue as '{other}'", path, key=known, suggestion=f"use '{other}'"
            )
        if name in used:
            queues[name] = queue
            if not queue.dead_letter:
                findings.add(
                    NO_DEAD_LETTER_QUEUE,
                    f"queue '{name}' has no dead-letter queue: a rejected message stays on it",
                    path,
                    key=known,
                    suggestion=f"add 'dead_letter:' to the queue '{name}' under 'queues'",
                )
    return queues


def _compile_queue(
    name: str,
    settings: spec.Queue,
    config: spec.Config,
    envelopes: Mapping[str, EnvelopeFormat],
    findings: Findings,
    path: Path,
) -> QueueSettings:
    reference = settings.name or name
    dead_letter = _find_dead_letter(name, reference, settings.dead_letter, config, findings, (*path, "dead_letter"))
    found = [_find_envelope(settings, index, envelopes, findings, path) for index in range(len(settings.envelope))]
    layers = tuple(envelope for envelope in found if envelope)
    fetch_at = _fetch_at(name, settings, findings, path)
    pointers = None
    if fetch_at is not None and not isinstance(settings.s3_pointer, UnsetType):
        allowed = settings.s3_pointer
        pointers = PointerFinder(layers[:fetch_at], frozenset(allowed.buckets), allowed.max_bytes)
    decode = compile_decoder(layers, settings.encoding, fetch_at)
    return QueueSettings(name, reference, settings, dead_letter, decode, pointers, path)


def _find_dead_letter(
    name: str, reference: str, dead_letter: str, config: spec.Config, findings: Findings, path: Path
) -> str:
    """Return the name, ARN or URL of the dead-letter queue of a queue; "" without one."""
    known = dead_letter in config.queues
    called = (config.queues[dead_letter].name or dead_letter) if known else dead_letter
    # A queue of `queues` is checked there.
    fault = queue_fault(called) if called and not known else None
    if fault:
        findings.add(BAD_NAME, f"'{called}' {fault}", path)
    elif called and match_key(called) == match_key(reference):
        findings.add(OWN_DEAD_LETTER, f"queue '{name}' is its own dead-letter queue", path, suggestion=_OTHER)
    elif _comes_back(name, dead_letter, config):
        sentence = f"the dead letters of queue '{name}' come back to it, by way of '{dead_letter}'"
        findings.add(OWN_DEAD_LETTER, sentence, path, suggestion=_OTHER)
    return called


def _fetch_at(name: str, settings: spec.Queue, findings: Findings, path: Path) -> int | None:
    """Return the index of the pointer among the envelopes; None without one."""
    places = [index for index, envelope in enumerate(settings.envelope) if envelope == _POINTER]
    allowed = not isinstance(settings.s3_pointer, UnsetType)
    if allowed and not places:
        sentence = f"'s3_pointer' of queue '{name}' has no effect: 'envelope' does not name it"
        advice = "add s3_pointer to 'envelope', or remove the key"
        findings.add(BAD_POINTERS, sentence, (*path, _POINTER), key=True, suggestion=advice)
    elif places and not allowed:
        sentence = f"nothing says which buckets pointers of queue '{name}' may lead to"
        advice = "add 's3_pointer: {buckets: […]}' to the queue"
        findings.add(BAD_POINTERS, sentence, (*path, "envelope", places[0]), suggestion=advice)
    for place in places[1:]:
        sentence = f"'envelope' of queue '{name}' names s3_pointer twice"
        advice = "keep one; no object is a pointer to another"
        findings.add(BAD_POINTERS, sentence, (*path, "envelope", place), suggestion=advice)
    return places[0] if places else None


def _check_name(queue: QueueSettings, findings: Findings, known: bool) -> None:
    fault = queue_fault(queue.reference)
    if fault:
        named = bool(queue.settings.name)
        path = (*queue.path, "name") if named else queue.path
        findings.add(BAD_NAME, f"'{queue.reference}' {fault}", path, key=known and not named)


def _comes_back(name: str, dead_letter: str, config: spec.Config) -> bool:
    """Return whether dead-letter queues lead back to a queue."""
    seen = set[str]()
    while dead_letter in config.queues and dead_letter not in seen and dead_letter != name:
        seen.add(dead_letter)
        dead_letter = config.queues[dead_letter].dead_letter
    return dead_letter == name


def _find_envelope(
    settings: spec.Queue, index: int, envelopes: Mapping[str, EnvelopeFormat], findings: Findings, path: Path
) -> Envelope | None:
    name = settings.envelope[index]
    envelope = envelopes.get(name)
    if envelope is None:
        hint = did_you_mean(name, envelopes, f"there are {', '.join(sorted(envelopes))}")
        findings.add(UNKNOWN_ENVELOPE, f"unknown envelope '{name}'", (*path, "envelope", index), suggestion=hint)
        return None
    return envelope.unwrap
