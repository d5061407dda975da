"""Compiles `queues` of the config, and the queues that only routes name."""

from collections.abc import Mapping

from msgspec import Struct

from router.codes import declare
from router.model import Code, Path
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


class _QueueContext(Struct, frozen=True):
    """A queue, and what it is compiled with.

    `path` leads to its settings, or to its name in a route if it `is_listed` nowhere.
    """

    name: str
    settings: spec.Queue
    is_listed: bool
    path: Path
    config: spec.Config
    findings: Findings

    @property
    def reference(self) -> str:
        """The name, ARN or URL of the queue."""
        return self.settings.name or self.name

    def add(self, code: Code, sentence: str, suggestion: str, *place: str | int) -> None:
        """Add a finding at a place of the settings."""
        self.findings.add(code, sentence, (*self.path, *place), suggestion=suggestion)

    def add_whole(self, code: Code, sentence: str, suggestion: str = "") -> None:
        """Add a finding about the queue as a whole: at its key, if it has one."""
        self.findings.add(code, sentence, self.path, key=self.is_listed, suggestion=suggestion)


def compile_queues(
    config: spec.Config,
    envelopes: Mapping[str, EnvelopeFormat],
    environment: Environment,
    findings: Findings,
) -> dict[str, CompiledQueue]:
    """Return the queues that routes read, by the names that routes use.

    They have no routes yet, and lack the parts with faults.
    """
    used: dict[str, Path] = {}
    for name, route in config.routes.items():
        used.setdefault(route.queue, ("routes", name, "queue"))
    queues: dict[str, CompiledQueue] = {}
    keys: dict[str, str] = {}
    # The queues in the order of the file, then those that only routes name.
    for name in dict.fromkeys((*config.queues, *used)):
        is_listed = name in config.queues
        context = _QueueContext(
            name=name,
            settings=config.queues.get(name, spec.Queue()),
            is_listed=is_listed,
            path=("queues", name) if is_listed else used[name],
            config=config,
            findings=findings,
        )
        queue = _compile_queue(context, envelopes, environment)
        _check_name(context)
        other = keys.setdefault(match_key(queue.reference), name)
        if other != name:
            context.add_whole(
                SAME_QUEUE,
                f"'{name}' is the same queue as '{other}'",
                f"use '{other}'",
            )
        if name in used:
            queues[name] = queue
    return queues


def _check_name(context: _QueueContext) -> None:
    fault = queue_fault(context.reference)
    if not fault:
        return
    sentence = f"'{context.reference}' {fault}"
    if context.settings.name:
        context.add(BAD_NAME, sentence, "", "name")
    else:
        context.add_whole(BAD_NAME, sentence)


def _compile_queue(
    context: _QueueContext,
    envelopes: Mapping[str, EnvelopeFormat],
    environment: Environment,
) -> CompiledQueue:
    settings = context.settings
    retry = settings.retry
    receives = settings.max_receive_count
    formats = _find_envelopes(context, envelopes)
    layers = tuple(each.unwrap for each in formats)
    fetch_at = _fetch_at(context)
    pointers = None
    allowed = settings.s3_pointer
    if fetch_at is not None and allowed is not None:
        buckets = frozenset(allowed.buckets)
        pointers = PointerFinder(layers[:fetch_at], buckets, allowed.max_bytes)
    redaction = None
    if settings.redact:
        # Most configs start without the module.
        from router.runtime.program.redact_settings import compile_redaction

        redaction = compile_redaction(
            settings,
            formats,
            fetch_at,
            environment,
            context.findings,
            context.path,
        )
    return CompiledQueue(
        name=context.name,
        reference=context.reference,
        fifo=is_fifo(context.reference),
        decode=compile_decoder(layers, settings.encoding, fetch_at),
        routes=(),
        first_only=settings.match == "first",
        unmatched=settings.unmatched,
        dead_letter=_find_dead_letter(context),
        atomic=settings.atomic,
        backoff=Backoff(
            parse_duration(retry.base),
            retry.factor,
            parse_duration(retry.cap),
            retry.lambda_,
        ),
        outage=OutageBackoff(
            min(parse_duration(settings.outlast), MAX_OUTLAST),
            receives if isinstance(receives, int) else ASSUMED_RECEIVES,
        ),
        pointers=pointers,
        redaction=redaction,
    )


def _find_dead_letter(context: _QueueContext) -> str:
    """Return the name, ARN or URL of the dead-letter queue of a queue; "" without one."""
    name = context.name
    given = context.settings.dead_letter
    listed = context.config.queues.get(given)
    called = listed.name if listed and listed.name else given
    # A queue of `queues` is checked there.
    fault = queue_fault(called) if called and listed is None else None
    if fault:
        context.add(BAD_NAME, f"'{called}' {fault}", "", "dead_letter")
    elif called and match_key(called) == match_key(context.reference):
        context.add(
            OWN_DEAD_LETTER,
            f"queue '{name}' is its own dead-letter queue",
            _OTHER,
            "dead_letter",
        )
    elif _comes_back(name, given, context.config):
        context.add(
            OWN_DEAD_LETTER,
            f"the dead letters of queue '{name}' come back to it, by way of '{given}'",
            _OTHER,
            "dead_letter",
        )
    return called


def _fetch_at(context: _QueueContext) -> int | None:
    """Return the index of the pointer among the envelopes; None without one."""
    name = context.name
    settings = context.settings
    envelopes = enumerate(settings.envelope)
    places = [index for index, envelope in envelopes if envelope == _POINTER]
    is_allowed = settings.s3_pointer is not None
    if is_allowed and not places:
        context.findings.add(
            BAD_POINTERS,
            f"'s3_pointer' of queue '{name}' has no effect: 'envelope' does not name it",
            (*context.path, _POINTER),
            key=True,
            suggestion="add s3_pointer to 'envelope', or remove the key",
        )
    elif places and not is_allowed:
        context.add(
            BAD_POINTERS,
            f"nothing says which buckets pointers of queue '{name}' may lead to",
            "add 's3_pointer: {buckets: […]}' to the queue",
            "envelope",
            places[0],
        )
    for place in places[1:]:
        context.add(
            BAD_POINTERS,
            f"'envelope' of queue '{name}' names s3_pointer twice",
            "keep one; no object is a pointer to another",
            "envelope",
            place,
        )
    return places[0] if places else None


def _comes_back(name: str, dead_letter: str, config: spec.Config) -> bool:
    """Whether dead-letter queues lead back to a queue."""
    # The names that were followed: they may lead in a circle beside the queue.
    seen = {name}
    while dead_letter in config.queues and dead_letter not in seen:
        seen.add(dead_letter)
        dead_letter = config.queues[dead_letter].dead_letter
    return dead_letter == name


def _find_envelopes(
    context: _QueueContext, envelopes: Mapping[str, EnvelopeFormat]
) -> tuple[EnvelopeFormat, ...]:
    known = f"there are {', '.join(sorted(envelopes))}"
    found = []
    for index, name in enumerate(context.settings.envelope):
        if name in envelopes:
            found.append(envelopes[name])
            continue
        context.add(
            UNKNOWN_ENVELOPE,
            f"unknown envelope '{name}'",
            did_you_mean(name, envelopes, known),
            "envelope",
            index,
        )
    return tuple(found)
