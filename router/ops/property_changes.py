"""The properties of resources that differ between two templates, and those whose change loses messages or items."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from router.codes import KEY_CHANGED

QUEUE, TABLE = "AWS::SQS::Queue", "AWS::DynamoDB::Table"
_RETENTION = "MessageRetentionPeriod"
_DEFAULT_RETENTION = 345_600
"""Seconds: AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html"""
_TIME_TO_LIVE = "TimeToLiveSpecification"
_REFERENCE = re.compile(r"\$\{(!?)([^}]*)\}")
_KEYS = {QUEUE: "KmsMasterKeyId", TABLE: "SSESpecification"}


def substitute_text(text: str, values: Mapping[str, str]) -> str:
    """Return an argument of `Fn::Sub` with the values of parameters, or "" if it needs more than these."""
    if any(not escaped and name not in values for escaped, name in _REFERENCE.findall(text)):
        return ""
    return _REFERENCE.sub(lambda found: f"${{{found[2]}}}" if found[1] else values[found[2]], text)


class PropertyChange(Struct, frozen=True):
    """A property of a resource and its values; None where it is not set. A value may hold intrinsic functions."""

    name: str
    before: Any
    after: Any


class TemplateVersion(Struct, frozen=True):
    """A template and the values of its parameters."""

    body: Mapping[str, Any]
    values: Mapping[str, str] = {}

    def properties(self, logical_id: str) -> Mapping[str, Any]:
        """Return the properties of a resource, with the values of parameters; none if there is no such resource."""
        properties = self.body.get("Resources", {}).get(logical_id, {}).get("Properties", {})
        return {name: self._resolve(value) for name, value in properties.items()}

    def _resolve(self, value: Any) -> Any:
        match value:
            case {"Ref": str(name)} if name in self.values:
                return self.values[name]
            case {"Fn::Sub": str(text)} if known := substitute_text(text, self.values):
                return known
            case Mapping():
                return {name: self._resolve(each) for name, each in value.items()}
            case list():
                return [self._resolve(each) for each in value]
            case _:
                return value


class PreviousKeys(Struct, frozen=True):
    """The KMS keys, by logical id, that can still be decrypted with, and what to do where another one is needed."""

    known: Mapping[str, str] = {}
    advice: str = "set it as kms_key_previous"


def compare_properties(old: TemplateVersion, new: TemplateVersion, logical_id: str) -> tuple[PropertyChange, ...]:
    """Return the properties of a resource that differ, in the order of the new template."""
    before, after = old.properties(logical_id), new.properties(logical_id)
    names = dict.fromkeys([*after, *before])
    return tuple(
        PropertyChange(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )


def describe_loss(type_: str, changes: tuple[PropertyChange, ...], logical_id: str, keys: PreviousKeys) -> str:
    """Return what is lost if properties of an existing resource change, or ""."""
    losses = []
    previous_key = keys.known.get(logical_id, "")
    for change in changes:
        if type_ == QUEUE and change.name == _RETENTION:
            seconds, fewer = (int(each or _DEFAULT_RETENTION) for each in (change.before, change.after))
            if fewer < seconds:
                losses.append(f"DELETES messages older than {fewer} seconds; they are kept for {seconds} now")
        elif type_ == TABLE and change.name == _TIME_TO_LIVE:
            before, after = (_expiring(each) for each in (change.before, change.after))
            if after and after != before:
                losses.append(f"EXPIRES items by their '{after}'" + (f" instead of '{before}'" if before else ""))
        elif change.name == _KEYS.get(type_) and _key(change.before) not in ("", previous_key):
            content = "messages" if type_ == QUEUE else "items"
            losses.append(
                f"CHANGES the KMS key: stored {content} need the previous one, {_key(change.before)}: "
                f"{keys.advice} ({KEY_CHANGED.id})"
            )
    return "; ".join(losses)


def _expiring(specification: Any) -> str:
    """Return the attribute by which items expire, or ""."""
    enabled = isinstance(specification, Mapping) and str(specification.get("Enabled")).lower() == "true"
    return str(specification["AttributeName"]) if enabled else ""


def _key(value: Any) -> str:
    """Return the KMS key of a queue or table, or "" for a key that AWS manages."""
    key = value.get("KMSMasterKeyId", "") if isinstance(value, Mapping) else value or ""
    return str(key)
