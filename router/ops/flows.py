"""Which flows each resource of a template is there for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_QUEUE = "Queue"
_BESIDE = ("AgeAlarm", "LettersAlarm", "Mapping", "Scaling")
"""What there is for a queue besides itself: with another beginning, it has the queue's logical id."""
MANY = 3
"""A resource for more flows than these is told to be for all of them, or for how many."""


def flows_of(resources: Mapping[str, Any], known: Mapping[str, Sequence[str]], total: int) -> dict[str, str]:
    """What to say of each resource's flows, by logical id.

    `known` are those of queues and tables. Another resource is there for the flows of the queue whose alarm or mapping
    it is, or else of what it refers to. `total` is how many flows there are.
    """
    told = {}
    ends = {id_.removeprefix(_QUEUE): flows for id_, flows in known.items() if id_.startswith(_QUEUE)}
    own = {f"{kind}{end}": flows for end, flows in ends.items() for kind in _BESIDE}
    for id_, resource in resources.items():
        flows = known.get(id_) or own.get(id_) or _referred(resource, known)
        told[id_] = _tell(flows, total)
    return told


def _referred(resource: Any, known: Mapping[str, Sequence[str]]) -> Sequence[str]:
    named = dict.fromkeys(_references(resource))
    return tuple(dict.fromkeys(flow for id_ in named for flow in known.get(id_, ())))


def _tell(flows: Sequence[str], total: int) -> str:
    if len(flows) <= MANY:
        return ", ".join(flows)
    return "all" if len(flows) == total else f"{len(flows)} flows"


def _references(value: Any) -> Iterator[str]:
    """The logical ids that a part of a template refers to, in order: Ref, Fn::GetAtt, and `${…}` of Fn::Sub."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner.partition(".")[0] if isinstance(inner, str) else inner[0]
            elif key == "Fn::Sub":
                yield from _substituted(inner if isinstance(inner, str) else inner[0])
            else:
                yield from _references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner)


def _substituted(text: str) -> Iterator[str]:
    for piece in text.split("${")[1:]:
        name, closed, _ = piece.partition("}")
        if closed and not name.startswith("!"):
            yield name.partition(".")[0]
