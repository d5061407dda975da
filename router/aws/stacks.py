"""CloudFormation as a deployment uses it: stacks, their change sets, and the events of both."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import yaml
from msgspec import Struct

from router.aws.deployment_clients import CloudError, Service
from router.errors import UsageError

STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
"""AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html"""
_DELETED = "DELETE_COMPLETE"
MAX_BODY = 51_200
"""Bytes of a template in the request itself; a longer one is read from S3 (…/UserGuide/cloudformation-limits.html)."""


class Stack(Struct, frozen=True):
    """A stack: its status and the reason that is told for it, its outputs, and the names of its parameters."""

    id: str
    name: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = {}
    parameters: frozenset[str] = frozenset()


class Change(Struct, frozen=True):
    """What a change set does to one resource, in AWS's words.

    `replacement` is "True", "False", "Conditional" or "" where nothing is modified; `policy` is what becomes of the
    old resource ("Delete", "Retain", "ReplaceAndDelete" …); `details` are the properties or attributes that change for
    certain. Where `certain` is false there are none, and these only may, since they refer to what changes (in AWS's
    words: Dynamic).
    """

    action: str
    logical_id: str
    physical_id: str
    type: str
    replacement: str = ""
    policy: str = ""
    details: tuple[str, ...] = ()
    certain: bool = True


class ChangeSet(Struct, frozen=True):
    """A change set as far as it is made."""

    id: str
    status: str
    reason: str
    changes: tuple[Change, ...]


class StackEvent(Struct, frozen=True):
    """Something that happened to a resource, or to the stack itself."""

    id: str
    at: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str = ""


class Resource(Struct, frozen=True):
    """A resource of a stack."""

    logical_id: str
    physical_id: str
    type: str
    status: str


class Template(Struct, frozen=True):
    """A template, as text or, where that is too long, as the URL of an object in S3."""

    body: str = ""
    url: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """As CreateChangeSet takes it."""
        return {"TemplateURL": self.url} if self.url else {"TemplateBody": self.body}


class Stacks:
    """CloudFormation's stacks in one account and region; each call raises CloudError if AWS does not do it."""

    def __init__(self, cloudformation: Service) -> None:
        self._ask = cloudformation.ask
        self.region = cloudformation.region

    def find(self, name_or_id: str) -> Stack | None:
        """A stack by its name, or by its ARN, which finds a deleted one too; raises UsageError for a bad name."""
        if not name_or_id.startswith("arn:") and not STACK_NAME.fullmatch(name_or_id):
            raise UsageError(f"'{name_or_id}' is no name of a stack: letters, digits and '-', beginning with a letter")
        try:
            answer = self._ask("DescribeStacks", StackName=name_or_id)
        except CloudError as error:
            # The name is sound, so that nothing else is left that this code could mean.
            if error.code == "ValidationError":
                return None
            raise
        return _stack(answer["Stacks"][0])

    def propose(
        self, stack: str, name: str, template: Template, parameters: Mapping[str, str], *, creates: bool
    ) -> tuple[str, str]:
        """Begin a change set; its ARN and the stack's. Tables that exist and are retained are taken into the stack."""
        answer = self._ask(
            "CreateChangeSet",
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="CREATE" if creates else "UPDATE",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            ImportExistingResources=True,
            **({"OnStackFailure": "DELETE"} if creates else {}),
            **template.parameters,
        )
        return answer["Id"], answer["StackId"]

    def change_set(self, id_: str) -> ChangeSet:
        """A change set by its ARN, with all its changes."""
        changes: list[Change] = []
        parameters = {"ChangeSetName": id_}
        while True:
            answer = self._ask("DescribeChangeSet", **parameters)
            changes += [
                _change(each["ResourceChange"]) for each in answer.get("Changes", ()) if "ResourceChange" in each
            ]
            if not answer.get("NextToken"):
                return ChangeSet(id_, answer["Status"], answer.get("StatusReason", ""), tuple(changes))
            parameters["NextToken"] = answer["NextToken"]

    def execute(self, change_set: str) -> None:
        """Begin what a change set says."""
        self._ask("ExecuteChangeSet", ChangeSetName=change_set)

    def discard(self, change_set: str) -> None:
        """Delete a change set that was not executed."""
        self._ask("DeleteChangeSet", ChangeSetName=change_set)

    def delete(self, stack_id: str) -> None:
        """Begin to delete a stack."""
        self._ask("DeleteStack", StackName=stack_id)

    def events(self, stack_id: str, after: str = "") -> list[StackEvent]:
        """What happened to a stack since the event with that id, or ever, in the order of time."""
        found: list[StackEvent] = []
        parameters = {"StackName": stack_id}
        while True:
            # The newest are told first.
            answer = self._ask("DescribeStackEvents", **parameters)
            for each in answer["StackEvents"]:
                if each["EventId"] == after:
                    return found[::-1]
                found.append(_event(each))
            if not answer.get("NextToken"):
                return found[::-1]
            parameters["NextToken"] = answer["NextToken"]

    def newest_event(self, stack_id: str) -> str:
        """The id of the last thing that happened to a stack, or ""."""
        events = self._ask("DescribeStackEvents", StackName=stack_id)["StackEvents"]
        return str(events[0]["EventId"]) if events else ""

    def resources(self, stack_id: str) -> tuple[Resource, ...]:
        """What is in a stack; AWS goes on listing what was deleted from it."""
        found: list[Resource] = []
        parameters = {"StackName": stack_id}
        while True:
            answer = self._ask("ListStackResources", **parameters)
            listed = map(_resource, answer["StackResourceSummaries"])
            found += [each for each in listed if each.status != _DELETED]
            if not answer.get("NextToken"):
                return tuple(found)
            parameters["NextToken"] = answer["NextToken"]

    def template(self, stack_id: str) -> Mapping[str, Any]:
        """The template that a stack was made from, with functions that YAML writes as tags left out."""
        body = self._ask("GetTemplate", StackName=stack_id, TemplateStage="Original")["TemplateBody"]
        # botocore reads JSON itself.
        read: Mapping[str, Any] = _read_yaml(body) if isinstance(body, str) else body
        return read


class _Untagged(yaml.SafeLoader):
    """Reads what has CloudFormation's tags, as `!Ref`, and makes nothing of them."""


_Untagged.add_multi_constructor("!", lambda loader, suffix, node: None)


def _read_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Untagged)  # noqa: S506 — a safe loader


def _stack(answer: Mapping[str, Any]) -> Stack:
    outputs: Sequence[Mapping[str, str]] = answer.get("Outputs") or ()
    return Stack(
        answer["StackId"],
        answer["StackName"],
        answer["StackStatus"],
        answer.get("StackStatusReason", ""),
        {each["OutputKey"]: each["OutputValue"] for each in outputs},
        frozenset(each["ParameterKey"] for each in answer.get("Parameters") or ()),
    )


def _change(answer: Mapping[str, Any]) -> Change:
    details = answer.get("Details") or ()
    certain = [each for each in details if each.get("Evaluation") != "Dynamic"]
    targets = [each["Target"] for each in certain or details]
    return Change(
        answer["Action"],
        answer["LogicalResourceId"],
        answer.get("PhysicalResourceId", ""),
        answer["ResourceType"],
        answer.get("Replacement", ""),
        answer.get("PolicyAction", ""),
        tuple(dict.fromkeys(target.get("Name") or target["Attribute"] for target in targets)),
        bool(certain) or not details,
    )


def _event(answer: Mapping[str, Any]) -> StackEvent:
    return StackEvent(
        answer["EventId"],
        answer["Timestamp"],
        answer["LogicalResourceId"],
        answer.get("PhysicalResourceId", ""),
        answer["ResourceType"],
        answer["ResourceStatus"],
        answer.get("ResourceStatusReason", ""),
    )


def _resource(answer: Mapping[str, Any]) -> Resource:
    return Resource(
        answer["LogicalResourceId"],
        answer.get("PhysicalResourceId", ""),
        answer["ResourceType"],
        answer["ResourceStatus"],
    )
