"""What a stack was before each change, kept in the bucket of its deployments: CloudFormation keeps no old template."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from router.aws.artifacts import Artifacts
from router.aws.stacks import Stack
from router.ops.deployment import FOLDER, Deployment, literal_names
from router.ops.property_changes import PreviousKeys
from router.ops.template.canary import without_shift
from router.ops.template.resources import CODE_BUCKET, CODE_KEY, CODE_VERSION

_KEY_ADVICE = "instead of rolling back, deploy the configuration of before with that key as kms_key_previous"


class StackVersion(Struct, frozen=True):
    """The template of a stack and the values of its parameters; `until` is when a change replaced it (ISO 8601)."""

    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    until: str = ""


def keep_version(artifacts: Artifacts, stack: Stack, template: Mapping[str, Any]) -> None:
    """Store what a stack is now, before it is changed: nobody could say afterwards.

    A change that fails leaves a version that is still the current one; `previous_version` passes over it.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    content = msgspec.json.encode(StackVersion(template, stack.parameters, now))
    artifacts.prepare()
    artifacts.put(f"{_prefix(stack)}{now}.json", content, hashlib.sha256(content).hexdigest())


def previous_version(artifacts: Artifacts, stack: Stack, template: Mapping[str, Any]) -> StackVersion | None:
    """Return what a stack was before it became what it is, or None if that is not known.

    It is the newest version that differs, so that going back twice leads to where one began.
    """
    for key in artifacts.keys(_prefix(stack)):
        content = artifacts.get(key)
        version = msgspec.json.decode(content, type=StackVersion) if content else None
        if version and (version.template, version.parameters) != (template, stack.parameters):
            return version
    return None


def _prefix(stack: Stack) -> str:
    # A later stack may have the name of one that was deleted: the last part of the ARN is never used again.
    return f"{FOLDER}/stacks/{stack.name}/{stack.id.rpartition('/')[2]}/"


def as_deployment(stack: Stack, version: StackVersion, pseudo: Mapping[str, str] = {}) -> Deployment:
    """Return the deployment that makes a stack what it was; its package is in the bucket already.

    `pseudo` are values of pseudo parameters, such as `AWS::Region`.
    """
    values = version.parameters
    kept = {name for name in values if name not in (CODE_BUCKET, CODE_KEY, CODE_VERSION)}
    changes = {
        name: (stack.parameters[name], values[name])
        for name in sorted(kept & stack.parameters.keys())
        if stack.parameters[name] != values[name]
    }
    # Who goes back does not want to wait: an alias moves at once.
    body = json.dumps(without_shift(version.template), separators=(",", ":"))
    known = {**pseudo, **values}
    names = literal_names(version.template, known)
    # AWS does not tell hidden values: those of the stack stay.
    hidden = {name for name, declared in version.template["Parameters"].items() if declared.get("NoEcho")}
    given = {name: None if name in hidden & stack.parameters.keys() else value for name, value in values.items()}
    keys = PreviousKeys(advice=_KEY_ADVICE)
    return Deployment(stack.name, body, given, {}, names, None, known, changes, keys=keys)
