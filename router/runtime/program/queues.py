"""Compiles `queues` of the config, and the queues that only routes name."""

from collections.abc import Mapping

from msgspec import UnsetType

from router.codes import declare
from router.model import Path
from router.runtime.aws.references import is_fifo, match_key, queue_fault
from router.runtime.config import spec
from router.runtime.config.findings import Findings, did_you_mean
from router.runtime.config_types import parse_duration
from router.runtime.engine.backoff import (
    ASSUMED_RECEIVES,
    MAX_OUTLAST,
    Backoff,
    OutageBackoff,
)
from router.runtime.engine.decode import PointerFinder, compile_decoder
from router.runtime.engine.engine import CompiledQueue
from router.runtime.envelopes import ENVELOPES, EnvelopeFormat
from router.runtime.envelopes.s3_pointer import ENVELOPE
from router.runtime.program.context import Environment

BAD_NAME = declare(
    "RT202",
    "not a name that AWS takes",
    "AWS would refuse it: a queue's name has 1 to 80 characters, a table's 3 to 255, "
    "mostly letters and digits.",
)
NO_DEAD_LETTER_QUEUE = declare(
    "RT203",
    "a queue without dead-letter queue",
    "A rejected message stays on its queue and is received again until the queue's own "
    "redrive policy moves it; "
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
    "Pointers are followed where `envelope` has `s3_pointer`, once, and into the "
    "buckets that `s3_pointer:` of the "
    "queue allows: each needs the other.",
)

_POINTER = ENVELOPE.name
_OTHER = "name another queue"


def compile_queues(
    config: spec.Config,
    envelopes: Mapping[str, EnvelopeFormat],
    environment: Environment,
    findings: Findings,
) -> dict[str, CompiledQueue]:
    """Return the queues that routes read, by the names that routes use, without their
    routes and faulty parts.
    """
    used: dict[str, Path] = {}
    for name, route in config.routes.items():
        used.setdefault(route.queue, ("routes", name, "queue"))
    queues: dict[str, CompiledQueue] = {}
    keys: dict[str, str] = {}
    for name in [*config.queues, *(name for name in used if name not in config.queues)]:
        known = name in config.queues
        settings = config.queues[name] if known else spec.Queue()
        path: Path = ("queues", name) if known else used[name]
        queue = _compile_queue(
            name, settings, config, envelopes, environment, findings, path
        )
        if fault := queue_fault(queue.reference):
            where = (*path, "name") if settings.name else path
            findings.add(
                BAD_NAME,
                f"'{queue.reference}' {fault}",
                where,
                key=known and not settings.name,
            )
        other = keys.setdefault(match_key(queue.reference), name)
        if other != name:
            sentence, advice = (
                f"'{name}' is the same queue as '{other}'",
                f"use '{other}'",
            )
            findings.add(SAME_QUEUE, sentence, path, key=known, suggestion=advice)
        if name in used:
            queues[name] = queue
            if not queue.dead_letter:
                sentence = (
                    f"queue '{name}' has no dead-letter queue: a rejected message "
                    "stays on it"
                )
                advice = f"add 'dead_letter:' to the queue '{name}' under 'queues'"
                findings.add(
                    NO_DEAD_LETTER_QUEUE, sentence, path, key=known, suggestion=advice
                )
    return queues


def _compile_queue(
    name: str,
    settings: spec.Queue,
    config: spec.Config,
    envelopes: Mapping[str, EnvelopeFormat],
    environment: Environment,
    findings: Findings,
    path: Path,
) -> CompiledQueue:
    reference, retry = settings.name or name, settings.retry
    receives = (
        settings.max_receive_count
        if isinstance(settings.max_receive_count, int)
        else ASSUMED_RECEIVES
    )
    dead_letter = _find_dead_letter(
        name, reference, settings.dead_letter, config, findings, (*path, "dead_letter")
    )
    formats = _find_envelopes(settings, envelopes, findings, path)
    layers = tuple(each.unwrap for each in formats)
    fetch_at = _fetch_at(name, settings, findings, path)
    pointers = None
    if fetch_at is not None and not isinstance(settings.s3_pointer, UnsetType):
        allowed = settings.s3_pointer
        pointers = PointerFinder(
            layers[:fetch_at], frozenset(allowed.buckets), allowed.max_bytes
        )
    redaction = None
    if settings.redact:
        from router.runtime.program.redaction import (
            compile_redaction,
        )  # most configs start without it

        redaction = compile_redaction(
            settings, formats, fetch_at, environment, findings, path
        )
    return CompiledQueue(
        name=name,
        reference=reference,
        fifo=is_fifo(reference),
        decode=compile_decoder(layers, settings.encoding, fetch_at),
        routes=(),
        first_only=settings.match == "first",
        unmatched=settings.unmatched,
        dead_letter=dead_letter,
        atomic=settings.atomic,
        backoff=Backoff(
            parse_duration(retry.base),
            retry.factor,
            parse_duration(retry.cap),
            retry.lambda_,
        ),
        outage=OutageBackoff(
            min(parse_duration(settings.outlast), MAX_OUTLAST), receives
        ),
        pointers=pointers,
        redaction=redaction,
    )


def _find_dead_letter(
    name: str,
    reference: str,
    dead_letter: str,
    config: spec.Config,
    findings: Findings,
    path: Path,
) -> str:
    """Return the name, ARN or URL of the dead-letter queue of a queue; "" without one."""
    known = dead_letter in config.queues
    called = (config.queues[dead_letter].name or dead_letter) if known else dead_letter
    # A queue of `queues` is checked there.
    fault = queue_fault(called) if called and not known else None
    if fault:
        findings.add(BAD_NAME, f"'{called}' {fault}", path)
    elif called and match_key(called) == match_key(reference):
        findings.add(
            OWN_DEAD_LETTER,
            f"queue '{name}' is its own dead-letter queue",
            path,
            suggestion=_OTHER,
        )
    elif _comes_back(name, dead_letter, config):
        sentence = f"the dead letters of queue '{name}' come back to it, by way of '{dead_letter}'"
        findings.add(OWN_DEAD_LETTER, sentence, path, suggestion=_OTHER)
    return called


def _fetch_at(
    name: str, settings: spec.Queue, findings: Findings, path: Path
) -> int | None:
    """Return the index of the pointer among the envelopes; None without one."""
    places = [
        index
        for index, envelope in enumerate(settings.envelope)
        if envelope == _POINTER
    ]
    allowed = not isinstance(settings.s3_pointer, UnsetType)
    if allowed and not places:
        sentence = (
            f"'s3_pointer' of queue '{name}' has no effect: 'envelope' does not name it"
        )
        advice = "add s3_pointer to 'envelope', or remove the key"
        findings.add(
            BAD_POINTERS, sentence, (*path, _POINTER), key=True, suggestion=advice
        )
    elif places and not allowed:
        sentence = f"nothing says which buckets pointers of queue '{name}' may lead to"
        advice = "add 's3_pointer: {buckets: […]}' to the queue"
        findings.add(
            BAD_POINTERS, sentence, (*path, "envelope", places[0]), suggestion=advice
        )
    for place in places[1:]:
        sentence = f"'envelope' of queue '{name}' names s3_pointer twice"
        advice = "keep one; no object is a pointer to another"
        findings.add(
            BAD_POINTERS, sentence, (*path, "envelope", place), suggestion=advice
        )
    return places[0] if places else None


def _comes_back(name: str, dead_letter: str, config: spec.Config) -> bool:
    """Return whether dead-letter queues lead back to a queue."""
    seen = set[str]()
    while (
        dead_letter in config.queues and dead_letter not in seen and dead_letter != name
    ):
        seen.add(dead_letter)
        dead_letter = config.queues[dead_letter].dead_letter
    return dead_letter == name


def _find_envelopes(
    settings: spec.Queue,
    envelopes: Mapping[str, EnvelopeFormat],
    findings: Findings,
    path: Path,
) -> tuple[EnvelopeFormat, ...]:
    for index, name in enumerate(settings.envelope):
        if name not in envelopes:
            hint = did_you_mean(
                name, envelopes, f"there are {', '.join(sorted(envelopes))}"
            )
            findings.add(
                UNKNOWN_ENVELOPE,
                f"unknown envelope '{name}'",
                (*path, "envelope", index),
                suggestion=hint,
            )
    return tuple(envelopes[name] for name in settings.envelope if name in envelopes)
