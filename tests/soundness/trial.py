"""Compares what `router check` says of one config with what happens to messages that satisfy its schema."""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from time import process_time
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from router.errors import ConfigError
from router.model import Outcome
from router.testing import deliver, record
from tests.soundness.cases import TrialConfig
from tests.soundness.messages import MessageMaker
from tests.soundness.spelled import encoded
from tests.support.check import Report, examine
from tests.support.program import Loaded, Program, load_program

_BATCH = 10
_IRRELEVANT = ("RT805", "RT806", "RT803")
"""Outcomes that concern no claim: the route does not take the message, or it is too large for every route."""
_LIMITS = ("38 digits", "nest", "larger than", "bytes of memory")
"""Reasons of RT809 that concern no claim: limits of each value whatever its schema says."""
_LENGTHS = ("more than", "too long")
"""Reasons about the length of a value, which is seldom bounded."""
_IMPOSSIBLE = "RT313"
"""The finding that no message satisfies the schema."""
_ALWAYS = ("RT413", "RT415", "RT419", "RT424")
"""Findings that say that each message is rejected."""
REFUTED = "RT244"
"""That of claims that a message refutes."""
_SOMETIMES = (
    *(REFUTED, "RT414", "RT416", "RT417", "RT420", "RT421", "RT422", "RT423", "RT425"),
    *("RT437", "RT610", "RT611", "RT612", "RT622"),
)
"""Findings that say that a valid message can be rejected, or stored with a time to live that DynamoDB does not read."""
_FIRST_MS = 10**12
"""A time to live that is greater counts milliseconds: as seconds, it is after the year 9999, which dates can have."""
_SUBJECT = re.compile(r"attribute '([^']+)'")
_EXAMPLE = re.compile(r", as '([^']*)'")
"""A value that a finding gives as an example."""
_VERSION = re.compile(r"version '([^']+)'|with a '([^']+)' of type")
"""Reasons about the version of a message, and about that of the stored item, which has another type."""


_DECODER = msgspec.json.Decoder(float_hook=Decimal)


class Word(Struct, frozen=True):
    """What check says about a part of the route: `item.NAME`, or a key of the route.

    `kind` is that of the claim that is not decided, or "" for a finding.
    """

    code: str
    subject: str
    sentence: str
    kind: str = ""


class Wrong(Struct, frozen=True):
    """A valid message that is rejected without a word, or a finding that messages contradict or do not confirm."""

    kind: str
    subject: str
    reason: str
    message: str = ""


class Judgement(Struct, frozen=True, tag=True):
    """The result of one config. `loaded` is why it could not be loaded, or "".

    `undecided` are the claims that are not decided, each with its kind and reason.
    """

    label: str
    loaded: str = ""
    words: tuple[Word, ...] = ()
    claims: int = 0
    undecided: tuple[str, ...] = ()
    messages: int = 0
    others: int = 0
    rejected: int = 0
    wrong: tuple[Wrong, ...] = ()
    seconds: float = 0

    def of(self, kind: str) -> list[Wrong]:
        """Return what is wrong, of one kind."""
        return [each for each in self.wrong if each.kind == kind]


class Trying(Struct, frozen=True):
    """A config in its folder with what check says of it, and its messages."""

    case: TrialConfig
    folder: Path
    program: Program
    words: tuple[Word, ...]
    messages: Sequence[str]


def concerns_claims(outcome: Outcome, _: str) -> bool:
    """Whether a claim is about an outcome: it is of no limit of each value whatever its schema says."""
    return outcome.code not in _IRRELEVANT and not (outcome.code == "RT809" and _is_of_value(outcome.reason))


class Messages(Protocol):
    """Makes the messages of a config."""

    def make(self, count: int, more: Sequence[Any] = (), values: Sequence[str] = ()) -> list[str]:
        """Return up to `count` different valid messages as JSON."""


class Way(Struct, frozen=True):
    """What a generator of configs brings: `maker` makes the messages, and `compare` yields what else is wrong.

    `others` is how many messages were tried that the schema refuses. `counts` says of a message whether claims are
    about it, and `concerns` of the outcome of one that is rejected.
    """

    maker: Callable[[TrialConfig, Random, Callable[[Any], bool]], Messages] = MessageMaker
    others: Callable[[], int] = lambda: 0
    compare: Callable[[Trying], Iterable[Wrong]] = lambda _: ()
    counts: Callable[[str], bool] = lambda _: True
    concerns: Callable[[Outcome, str], bool] = concerns_claims


FIRST = Way()
"""That of the first generator."""


def judge(
    case: TrialConfig,
    seed: int,
    count: int,
    more: Sequence[Any] = (),
    check: Callable[..., Report] = examine,
    way: Way = FIRST,
) -> Judgement:
    """Check a config, deliver messages that its schema takes, and compare. `more` are messages to try besides."""
    kept: list[Loaded] = []
    with tempfile.TemporaryDirectory(prefix="soundness-") as name:
        folder = Path(name)
        subjects = _write(folder, case)
        start = process_time()
        report = check(folder / "routes.yaml", {}, kept.append)
        seconds = process_time() - start
        words = tuple(_words(report, subjects))
        program, schemas = kept[0].program, kept[0].schemas
        if program is None or schemas is None:
            return Judgement(case.label, next((f"{each.code}: {each.sentence}" for each in words), "?"), words)
        (validation,) = schemas.validations.values()
        values = [found for word in words for found in _EXAMPLE.findall(word.sentence)]
        examples = [_DECODER.decode(entry.example) for entry in report.ledger.entries if entry.example]
        is_valid = validation.is_valid
        messages = way.maker(case, Random(seed), is_valid).make(count, (*more, *examples), values)
        whole = _deliver(program, messages, way)
        parts = {
            f"item.{name}": _deliver_alone(folder, case, name, messages, way) for name in case.route.get("item", ())
        }
        if "merge" in case.route:
            parts["merge"] = _deliver_alone(folder, case, "merge", messages, way)
        others = [*way.compare(Trying(case, folder, program, words, messages))]
    rejections = [*whole.rejections, *(each for part in parts.values() for each in part.rejections)]
    distinct = {(subject, reason): body for subject, reason, body in reversed(rejections)}
    wrong = [
        Wrong("silent", subject, reason, body)
        for (subject, reason), body in distinct.items()
        if not any(_explains(word, subject, reason) for word in words)
    ]
    wrong += _alarms(case, words, {subject for subject, reason in distinct if not _is_of_length(reason)}, parts)
    wrong += [Wrong("false", word.subject, word.code) for word in words if word.code == _IMPOSSIBLE and messages]
    wrong += others
    return Judgement(
        label=case.label,
        words=words,
        claims=len(report.ledger.entries),
        undecided=tuple(f"{entry.kind}: {entry.reason}" for entry in report.ledger.undecided),
        messages=len(messages),
        others=way.others(),
        rejected=len(whole.rejections),
        wrong=tuple(wrong),
        seconds=seconds,
    )


def _words(report: Report, subjects: Mapping[int, str]) -> Iterator[Word]:
    for finding in report.findings:
        yield Word(finding.code.id, subjects.get(finding.place.line, ""), finding.sentence)
    for entry in report.ledger.unreported:
        # The size of a text is seldom bounded; messages here have no such size.
        if entry.kind != "size":
            subject = f"item.{entry.subject}" if entry.subject else entry.kind
            if entry.kind == "mapping" and not entry.subject:
                subject = ""  # of a whole message, which a rejection names no part of
            yield Word("".join(entry.codes), subject, entry.reason, "" if entry.codes else entry.kind)


class Deliveries(Struct, frozen=True):
    """The rejected messages, each with its subject and reason, and the attributes of what was written.

    `reached` is the number of messages that the route takes.
    """

    rejections: tuple[tuple[str, str, str], ...]
    stored: frozenset[str]
    reached: int = 0


def _write(folder: Path, case: TrialConfig) -> dict[int, str]:
    """Write the files of a config; return what stands in the lines of routes.yaml."""
    text, subjects = case.text()
    (folder / "routes.yaml").write_text(text, encoding="utf-8")
    (folder / "schema.json").write_text(encoded(case.schema, ascii_only=True), encoding="utf-8")
    return subjects


def _deliver_alone(folder: Path, case: TrialConfig, name: str, messages: Sequence[str], way: Way) -> Deliveries:
    _write(folder, case.alone(name))
    ttl = name if name == case.table.get("ttl") else ""
    try:
        return _deliver(load_program(folder / "routes.yaml", {}), messages, way, ttl)
    except ConfigError:  # as `update` without an attribute besides its key
        return Deliveries((), frozenset())


def _deliver(program: Program, messages: Sequence[str], way: Way, ttl: str = "") -> Deliveries:
    """Deliver messages. With `ttl`, one whose time to live DynamoDB does not read counts as rejected, too."""
    rejections = []
    stored: set[str] = set()
    reached = 0
    size = 1 if ttl else _BATCH  # of a batch with one key, only one item is stored
    for start in range(0, len(messages), size):
        batch = messages[start : start + size]
        run = deliver(program, "q", [record(body=each) for each in batch])
        items = run.tables.items("items")
        stored.update(name for item in items for name in item if item[name] is not None)
        if any(not _is_time(item[ttl]) for item in items if ttl in item):
            rejections.append((f"item.{ttl}", f"the time to live '{ttl}' is not in seconds", batch[0]))
        for body, outcome in zip(batch, run.outcomes, strict=True):
            reached += outcome.code != "RT805" and way.counts(body)
            if outcome.kind in ("rejected", "retry") and way.concerns(outcome, body):
                rejections.append((_subject(outcome.reason), outcome.reason, body))
    return Deliveries(tuple(rejections), frozenset(stored), reached)


def _is_time(value: Any) -> bool:
    """Whether DynamoDB reads a value as a time to live."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and value < _FIRST_MS


def _is_of_value(reason: str) -> bool:
    """Whether a value is rejected for a limit that holds whatever a schema says."""
    return any(words in reason for words in _LIMITS)


def _subject(reason: str) -> str:
    """Return the part of the route that a rejection is about."""
    if "'merge'" in reason:
        return "merge"
    found = _SUBJECT.search(reason) or _VERSION.search(reason)
    return (
        f"item.{found[found.lastindex or 0]}"
        if found
        else next((key for key in ("once_key", "for_each") if key in reason), "")
    )


def _explains(word: Word, subject: str, reason: str) -> bool:
    """Return whether a finding, or a claim that is not decided, is about a rejection."""
    named = word.subject.startswith(("write.", "schema")) and f"'{subject.removeprefix('item.')}'" in word.sentence
    if not (named or word.subject.removeprefix("write.") == subject) or (
        word.code.startswith(("RT3", "RT2", "RT0")) and word.code != REFUTED
    ):
        return False
    # A finding about a length says nothing about other causes.
    is_length = word.code == "RT613" or (word.kind == "key" and ";" not in word.sentence and "length" in word.sentence)
    return not is_length or _is_of_length(reason)


def _is_of_length(reason: str) -> bool:
    return any(words in reason for words in _LENGTHS)


def _alarms(
    case: TrialConfig, words: Sequence[Word], rejected: set[str], parts: Mapping[str, Deliveries]
) -> Iterator[Wrong]:
    """Yield the findings that the messages contradict, or do not confirm."""
    for word in words:
        name = word.subject.removeprefix("item.")
        # A default is stored for messages without the value.
        has_default = "default" in case.route.get("item", {}).get(name, ())
        is_stored = word.subject in parts and name in parts[word.subject].stored
        if word.code in _ALWAYS and is_stored and not has_default:
            yield Wrong("false", word.subject, f"{word.code}: {word.sentence}")
        elif (
            word.code in _SOMETIMES
            and word.subject not in (*rejected, "when")
            and not _is_of_value(word.sentence)
            and any(part.reached for part in parts.values())
        ):
            yield Wrong("unconfirmed", word.subject, f"{word.code}: {word.sentence}")
