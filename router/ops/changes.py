"""What a change set would do, in words, and whether messages or items would be lost by it."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from router.aws.stacks import ResourceChange

Verb = Literal["add", "take over", "modify", "may modify", "replace", "may replace", "remove", "let go", "unknown"]
"""`take over`: it exists already, and comes into the stack. `let go`: it leaves the stack, and stays.
`may modify`: it refers to what changes, and mostly stays as it is."""

_HOLDERS = ("AWS::SQS::Queue", "AWS::DynamoDB::Table")
"""What holds messages or items."""
_LOSING: tuple[Verb, ...] = ("remove", "replace", "may replace", "unknown")
_RETAINED = "Retain"
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")


class Planned(Struct, frozen=True):
    """What is to become of one resource.

    `kind` is its type in words, `flows` the routes that it is there for, `loses` whether messages or items may be
    lost, `details` the properties that change.
    """

    verb: Verb
    logical_id: str
    name: str
    kind: str
    flows: str = ""
    loses: bool = False
    details: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """What may be lost, or ""."""
        if not self.loses:
            return ""
        held = "messages" if self.kind == "queue" else "items"
        return {
            "remove": f"DELETES the {self.kind} and its {held}",
            "replace": f"REPLACES the {self.kind} by an empty one",
            "may replace": f"MAY REPLACE the {self.kind} by an empty one",
        }.get(self.verb, f"AWS cannot tell what becomes of the {self.kind}")


def read_changes(
    changes: Iterable[ResourceChange], flows: Mapping[str, str], names: Mapping[str, str]
) -> tuple[Planned, ...]:
    """The changes, those that lose something first; `flows` and `names` are by logical id."""
    planned = [_read(change, flows, names) for change in changes]
    return tuple(sorted(planned, key=lambda each: (not each.loses, _ORDER.index(each.verb), each.kind, each.name)))


def _read(change: ResourceChange, flows: Mapping[str, str], names: Mapping[str, str]) -> Planned:
    verb = _verb(change)
    known = names.get(change.logical_id) or resource_name(change.type, change.logical_id, change.physical_id)
    return Planned(
        verb,
        change.logical_id,
        known,
        kind_of(change.type),
        flows.get(change.logical_id, ""),
        change.type in _HOLDERS and verb in _LOSING,
        change.details,
    )


def _verb(change: ResourceChange) -> Verb:
    match change.action:
        case "Add":
            return "add"
        case "Import":
            return "take over"
        case "Remove":
            return "let go" if change.policy == _RETAINED else "remove"
        case "Modify" if not change.certain and change.type not in _HOLDERS:
            # It refers to what changes, by an ARN that mostly stays as it is.
            return "may modify"
        case "Modify":
            certain: Verb = "modify" if change.certain else "may modify"
            return _REPLACEMENTS.get(change.replacement, certain)
        case _:
            return "unknown"


_REPLACEMENTS: Mapping[str, Verb] = {"True": "replace", "Conditional": "may replace"}
_ORDER: tuple[Verb, ...] = (
    "remove",
    "replace",
    "may replace",
    "unknown",
    "let go",
    "modify",
    "take over",
    "add",
    "may modify",
)


def kind_of(type_: str) -> str:
    """A type of resource in words: `AWS::Lambda::EventSourceMapping` is an event source mapping."""
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in _WORD.findall(_last(type_)))


_NAMED = (
    *_HOLDERS,
    "AWS::CloudFormation::Stack",
    "AWS::CloudWatch::Dashboard",
    "AWS::ECS::Service",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
)
"""What has a name that people know, rather than one that AWS has made up."""


def resource_name(type_: str, logical_id: str, physical_id: str) -> str:
    """What to call a resource: its name if people know it, else its logical id."""
    return (short_name(physical_id) if type_ in _NAMED else "") or logical_id


def short_name(physical_id: str) -> str:
    """The name in an ARN, a queue's URL, or what has no more than a name."""
    if physical_id.startswith(("https://", "http://")):
        return physical_id.rpartition("/")[2]
    return physical_id.split(":", 5)[-1] if physical_id.startswith("arn:") else physical_id


def _last(type_: str) -> str:
    return type_.rpartition("::")[2]
