"""Makes messages with which a route writes a given key, with an older or a newer version."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct, structs

from router.model import KeyType
from router.prover.expressions import paths_in
from router.prover.inference import of_path
from router.prover.predicates import DECODER, ENCODER, Steps
from router.prover.value_generation import MISSING
from router.runtime.config import spec
from router.runtime.engine.writes import Write
from router.runtime.program.load import Program
from router.runtime.sources import source_of
from router.runtime.sources.template import split_template
from router.tools.check.analysis.key_shapes import Key, case_of, placed, values_at
from router.tools.check.analysis.pair_yaml import flow
from router.tools.check.analysis.refutations import paths_of, tested_paths
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.memory.pairs import PairMessage, plan_alone

MOST_BASES = 3
_MOST_PATHS = 32
_MOST_SHOWN = 120
# Values of an older and a newer version.
_LADDERS: Sequence[Sequence[Any]] = (
    (1, 2),
    ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"),
    ("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:06.000Z"),
    ("2026-01-02", "2026-01-03"),
    ("1", "2"),
    (1767323045, 1767323046),
    (1767323045000, 1767323046000),
)
_SENT = ("1767323045000", "1767323046000")
# Values of attributes with a type; others are tried.
_BY_TYPE: Mapping[str | None, Sequence[Any]] = {
    "N": (1, 2),
    "BOOL": (True, False),
    "SS": (["a"], ["b"]),
    "NS": ([1], [2]),
    "BS": (["YQ=="], ["Yg=="]),
    "B": ("YQ==", "Yg=="),
    "L": (["a"], ["b"]),
    "M": ({"a": 1}, {"b": 1}),
}
_PLAIN: Sequence[Sequence[Any]] = (
    ("a", "b"),
    (1, 2),
    (True, False),
    ({"a": 1}, {"b": 1}),
    (["a"], ["b"]),
)
_META_FIELDS = {"group_id": "MessageGroupId", "sender_id": "SenderId"}
Wanted = Mapping[str, str | Sequence[Any]]
"""The text of each key attribute, or the values that are hashed."""


class MadeMessage(Struct, frozen=True):
    """A message, and what its route writes for it."""

    message: PairMessage
    data: Any
    write: Write


class _Draft(Struct, frozen=True):
    """A message that is being made."""

    data: Any
    message_id: str
    system: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, Any]] = {}


class RouteMessages:
    """Messages that a route takes, most of them; they are made once for all its pairs."""

    def __init__(self, route: AnalyzedRoute, key: Key) -> None:
        self.route = route
        self.key = key

    @cached_property
    def bases(self) -> list[Any]:
        """Some messages, with something at each path that the item is made of."""
        messages = self.route.mapped
        assert messages is not None  # there are none else, or a plugin makes them
        names = dict.fromkeys([*(name for name, _ in self.key), *self.route.attributes])
        found: dict[Steps, None] = {}
        for name in names:
            found |= dict.fromkeys(paths_of(self.route, self.route.attribute_of(name)))
        tested = tested_paths(self.route)
        bases: list[Any] = []

        def take(message: Any) -> bool:
            bases.append(message)
            return len(bases) >= MOST_BASES

        for there in ([steps for steps in found if steps][:_MOST_PATHS], ()):
            if not bases:
                messages.find((), take, there, tested)
        return [self._natural(each) for each in bases[: 2 * MOST_BASES]]

    def _natural(self, message: Any) -> Any:
        """Return a message with values of which nothing is known as the route takes them."""
        for name, attribute in self.route.attributes.items():
            for steps in paths_of(self.route, attribute):
                if of_path(self.route.mapped, steps).untyped:
                    message = placed(message, steps, self._plain(name, attribute))
        return message

    def _plain(self, name: str, attribute: spec.Attribute) -> Any:
        is_added = name in self.route.route.write.add and attribute.type is None
        return next(iter(_BY_TYPE.get("N" if is_added else attribute.type, _PLAIN[0])))


class MessageMaker:
    """Makes messages of one route; `number` is that of the route in its pair: 0 or 1.

    `versions` are the attributes that order the writes of the pair, and `concerned` others that the
    messages are to have. The values of these differ from those of the other route.
    """

    def __init__(
        self,
        program: Program,
        messages: RouteMessages,
        number: int,
        versions: Sequence[str],
        concerned: Sequence[str],
    ) -> None:
        route = messages.route
        self._program = program
        self._messages = messages
        self._route = route
        self._key = messages.key
        self._number = number
        every = (*versions, *concerned)
        named = [name for name in every if route.is_whole or name in route.attributes]
        self._versions = [name for name in named if name in versions]
        self._concerned = [name for name in named if name not in versions]
        self._ladders = list(_LADDERS)

    @cached_property
    def paths(self) -> list[Steps]:
        """The paths of the message that matter: of the key, the versions, `when` and what is lost."""
        found = dict.fromkeys(tested_paths(self._route))
        key = [name for name, _ in self._key]
        for name in (*key, *self._versions, *self._concerned):
            found |= dict.fromkeys(self._paths_of(name))
        return [steps for steps in found if steps]

    def _paths_of(self, name: str) -> Iterator[Steps]:
        """Return the paths of the message that an attribute is made of."""
        return paths_of(self._route, self._route.attribute_of(name))

    @cached_property
    def _key_paths(self) -> frozenset[Steps]:
        return frozenset(steps for name, _ in self._key for steps in self._paths_of(name))

    @cached_property
    def _changes_case(self) -> bool:
        return any(case_of(self._route, self._route.attribute_of(name)) for name, _ in self._key)

    def made(self) -> Iterator[MadeMessage]:
        """Yield messages with any keys."""
        for base in self._messages.bases:
            found = self._first_of(base, {}, 0)
            if found is not None:
                yield found

    def make(self, wanted: Wanted, level: int) -> MadeMessage | None:
        """Return a message with a key, and the older version (0) or the newer one (1)."""
        is_text = all(isinstance(each, str) for each in wanted.values())
        ways: list[Wanted] = [{}, wanted] if is_text else [wanted]
        if is_text and self._changes_case:
            ways.append({name: str(text).swapcase() for name, text in wanted.items()})
        for base in self._messages.bases:
            for given in ways:
                found = self._first_of(base, given, level)
                if found is not None and self._has_key(found, wanted):
                    return self._with_concerned(found)
        return None

    def _has_key(self, found: MadeMessage, wanted: Wanted) -> bool:
        """Return whether the key of a message is as wanted, as far as that is known."""
        for (name, _), part in zip(self._key, found.write.identity[1:], strict=True):
            text = wanted.get(name)
            if isinstance(text, str) and text != part:
                return False
        return True

    def _first_of(self, base: Any, wanted: Wanted, level: int) -> MadeMessage | None:
        draft = self._draft(base, wanted, level)
        if draft is None:
            return None
        for ladder in list(self._ladders) if self._versions else [()]:
            found = self._planned(self._with_versions(draft, ladder, level))
            if found is not None:
                # What one message takes, others of the pair are to have, too.
                if ladder in self._ladders:
                    self._ladders = [ladder]
                return found
        return self._planned(draft) if self._versions else None

    def _draft(self, base: Any, wanted: Wanted, level: int) -> _Draft | None:
        system = {
            "SentTimestamp": _SENT[level],
            "ApproximateFirstReceiveTimestamp": _SENT[level],
            "SenderId": "sender",
            "MessageGroupId": "group",
        }
        if self._route.fifo:
            system |= {"SequenceNumber": _SENT[level], "MessageDeduplicationId": _SENT[level]}
        draft: _Draft | None = _Draft(base, f"message-{self._number + 1}", system)
        for name, kind in self._key:
            if name in wanted and draft is not None:
                draft = self._with_text(draft, self._route.attribute_of(name), kind, wanted[name])
        return draft

    def _with_text(
        self, draft: _Draft, attribute: spec.Attribute, kind: KeyType, wanted: str | Sequence[Any]
    ) -> _Draft | None:
        """Return a draft for which an attribute has a text; None if none is found."""
        source, given = source_of(attribute)
        match source.key:
            case "from":
                return self._with_values(draft, [given], [str(wanted)], kind)
            case "hash" if not isinstance(wanted, str):
                return self._with_values(draft, given, wanted, kind)
            case "template":
                pieces = split_template(given)
                texts = [piece for is_expression, piece in pieces if is_expression]
                pattern = "".join("(.*?)" if is_ else re.escape(piece) for is_, piece in pieces)
                flags = re.DOTALL | (re.IGNORECASE if case_of(self._route, attribute) else 0)
                found = re.fullmatch(pattern, str(wanted), flags)
                return found and self._with_values(draft, texts, found.groups(), kind)
            case "meta":
                return _with_meta(draft, given, str(wanted))
        return draft

    def _with_values(
        self, draft: _Draft, texts: Sequence[str], values: Sequence[Any], kind: KeyType
    ) -> _Draft:
        """Return a draft in which expressions have values; one that is no path stays as it is."""
        data = draft.data
        for text, value in zip(texts, values, strict=True):
            places = map(self._route.scope.steps, paths_in(text, flat=True))
            steps = next(filter(None, places), None)
            if steps:
                data = placed(data, steps, self._typed(text, value, kind))
        return structs.replace(draft, data=data)

    def _typed(self, text: str, value: Any, kind: KeyType) -> Any:
        """Return a text as the type that the value of an expression has: as text, if it may be one."""
        known = self._route.value_of(text)
        kinds = ("number", "string") if kind == "N" else ("string", "number")
        first = next((each for each in (*kinds, "boolean") if known.may_be(each)), "")
        if first == "string" or not isinstance(value, str):
            return value
        try:
            return DECODER.decode(value)
        except ValueError:
            return value

    def _with_versions(self, draft: _Draft, ladder: Sequence[Any], level: int) -> _Draft:
        data = draft.data
        for name in self._versions if ladder else ():
            for steps in self._paths_of(name):
                if steps not in self._key_paths:
                    data = placed(data, steps, ladder[level])
        return structs.replace(draft, data=data)

    def _with_concerned(self, found: MadeMessage) -> MadeMessage:
        """Return a message in which attributes have values that differ from those of the other route."""
        for name in self._concerned:
            attribute = self._route.attribute_of(name)
            steps = next(paths_of(self._route, attribute), None)
            if not steps:
                continue
            sent = found.message
            for value in self._values(attribute, steps):
                data = placed(found.data, steps, value)
                draft = _Draft(data, sent.message_id, sent.system, sent.attributes)
                changed = self._planned(draft)
                if changed is None or name not in changed.write.item:
                    continue
                if changed.write.identity == found.write.identity:
                    found = changed
                    break
        return found

    def _values(self, attribute: spec.Attribute, steps: Steps) -> list[Any]:
        listed = values_at(self._route, steps)
        if listed is not None:
            return [listed[self._number % len(listed)]]
        pairs = [_BY_TYPE[attribute.type]] if attribute.type in _BY_TYPE else _PLAIN
        return [pair[self._number] for pair in pairs]

    def _planned(self, draft: _Draft) -> MadeMessage | None:
        """Return a message, if its route writes an item for it."""
        message = PairMessage(
            self._route.route.queue,
            ENCODER.encode(draft.data).decode(),
            self._route.name,
            draft.message_id,
            draft.system,
            draft.attributes,
        )
        writes = plan_alone(self._program, message).writes
        return MadeMessage(message, draft.data, writes[0]) if writes else None


def _with_meta(draft: _Draft, name: str, text: str) -> _Draft:
    """Return a draft with metadata; what SQS makes itself stays as it is."""
    if name in _META_FIELDS:
        return structs.replace(draft, system={**draft.system, _META_FIELDS[name]: text})
    if name.startswith("attribute."):
        sent = {"DataType": "String", "StringValue": text}
        attributes = {**draft.attributes, name.removeprefix("attribute."): sent}
        return structs.replace(draft, attributes=attributes)
    return draft


def short(made: MadeMessage, paths: Sequence[Steps]) -> str:
    """Return a message as YAML in one line; of a long one its parts at some paths, cut if long."""
    whole = flow(made.data)
    if len(whole) <= _MOST_SHOWN:
        return whole
    data: Any = {}
    for steps in paths:
        value = _at(made.data, steps)
        if value is not MISSING:
            data = placed(data, steps, value)
    text = flow(data)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def _at(data: Any, steps: Steps) -> Any:
    for step in steps:
        if step is None:
            data = data[0] if isinstance(data, list) and data else MISSING
        else:
            data = data.get(step, MISSING) if isinstance(data, dict) else MISSING
    return data
