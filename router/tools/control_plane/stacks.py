"""CloudFormation stacks, their change sets and events."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from router.errors import UsageError
from router.tools.control_plane.clients import AwsCallError, ServiceClient
from router.tools.control_plane.resource_changes import DriftedValue, ResourceChange, Tags
from router.tools.control_plane.template_yaml import LongForms

STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
"""AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html"""
_DELETED = "DELETE_COMPLETE"
SKIPPED = "DELETE_SKIPPED"
"""The status of a resource that was retained when its stack was deleted, also if that failed."""
_LEFT = (_DELETED, SKIPPED)
"""The statuses of resources that a stack no longer has."""
_MOST_DESCRIBED = 100
"""As many resources of a stack as DescribeStackResources returns:
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html"""
_REVERT_DRIFT = "REVERT_DRIFT"
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html"""
SIGNAL_ID = "router"
"""Of the only signal that a wait condition gets."""


class Stack(Struct, frozen=True):
    """A stack: its status and the reason for it, its outputs, the values of its parameters, and its tags."""

    id: str
    name: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}
    tags: Tags = {}


class ChangeSet(Struct, frozen=True):
    """A change set, which may be incomplete; one that `reverts_drift` returns what was changed by hand."""

    status: str
    reason: str
    changes: tuple[ResourceChange, ...]
    reverts_drift: bool = False


_AWS_NAMES = {
    "logical_id": "LogicalResourceId",
    "physical_id": "PhysicalResourceId",
    "type": "ResourceType",
    "status": "ResourceStatus",
    "reason": "ResourceStatusReason",
    "id": "EventId",
    "at": "Timestamp",
}


class StackEvent(Struct, frozen=True, rename=_AWS_NAMES):
    """An event of a resource, or of the stack itself."""

    id: str
    at: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str = ""


class StackResource(Struct, frozen=True, rename=_AWS_NAMES, kw_only=True):
    """A resource of a stack."""

    logical_id: str
    physical_id: str = ""
    type: str
    status: str


ParameterValues = Mapping[str, str | None]
"""The values of parameters; one that is None keeps the value that the stack has."""


class StackTemplate(Struct, frozen=True):
    """A template, as text or, if that is too long, as the URL of an object in S3."""

    body: str = ""
    url: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of CreateChangeSet."""
        return {"TemplateURL": self.url} if self.url else {"TemplateBody": self.body}


class StackSettings(Struct, frozen=True):
    """What a change sets of a stack itself: its tags, and the role by which CloudFormation changes it.

    CloudFormation keeps the role if a later change names none, and the tags if it does not name them: None. It removes
    all tags if they are named, and there are none.
    """

    tags: Tags | None = None
    role: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of CreateChangeSet."""
        found: dict[str, Any] = {}
        if self.tags is not None:
            found["Tags"] = [{"Key": name, "Value": value} for name, value in self.tags.items()]
        if self.role:
            found["RoleARN"] = self.role
        return found


class Stacks:
    """The stacks of one account and region; each method raises AwsCallError if a call fails."""

    def __init__(self, cloudformation: ServiceClient) -> None:
        self._call = cloudformation.call
        self._pages = cloudformation.pages
        self.wait = cloudformation.wait
        self.region = cloudformation.region
        self.settings = StackSettings()
        self._knows_drift = partial(cloudformation.takes, "CreateChangeSet", "DeploymentMode")

    def find(self, name_or_id: str) -> Stack | None:
        """Return a stack by its name, or by its ARN even if it is deleted; raises UsageError for an invalid name."""
        if not name_or_id.startswith("arn:") and not STACK_NAME.fullmatch(name_or_id):
            raise UsageError(
                f"'{name_or_id}' is not a valid stack name: letters, digits and '-', beginning with a letter"
            )
        try:
            response = self._call("DescribeStacks", StackName=name_or_id)
        except AwsCallError as error:
            # The name is valid, so this code means that there is no such stack.
            if error.code == "ValidationError":
                return None
            raise
        stack = response["Stacks"][0]
        return Stack(
            stack["StackId"],
            stack["StackName"],
            stack["StackStatus"],
            stack.get("StackStatusReason", ""),
            {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs") or ()},
            {
                each["ParameterKey"]: each["ParameterValue"]
                for each in stack.get("Parameters") or ()
            },
            {each["Key"]: each["Value"] for each in stack.get("Tags") or ()},
        )

    def propose(
        self,
        stack: str,
        name: str,
        template: StackTemplate,
        parameters: ParameterValues,
        *,
        creates: bool,
        reverts_drift: bool = False,
    ) -> tuple[str, str]:
        """Create a change set, which imports retained tables that exist; return its ARN and the stack's.

        A parameter whose value is None keeps its value. With `reverts_drift`, the change set of a stack that exists is
        drift-aware, if boto3 and AWS know that.
        """
        drift_aware = reverts_drift and not creates and self._knows_drift()
        response = self._call(
            "CreateChangeSet",
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="CREATE" if creates else "UPDATE",
            Parameters=[
                {"ParameterKey": key}
                | ({"UsePreviousValue": True} if value is None else {"ParameterValue": value})
                for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            ImportExistingResources=True,
            **({"OnStackFailure": "DELETE"} if creates else {}),
            **self.settings.parameters,
            **({"DeploymentMode": _REVERT_DRIFT} if drift_aware else {}),
            **template.parameters,
        )
        return response["Id"], response["StackId"]

    def change_set(self, id_: str) -> ChangeSet:
        """Return a change set by its ARN, with all its changes."""
        pages = [*self._pages("DescribeChangeSet", ChangeSetName=id_, IncludePropertyValues=True)]
        listed = [each for page in pages for each in page.get("Changes", ())]
        changes = [each["ResourceChange"] for each in listed if "ResourceChange" in each]
        last = pages[-1]
        return ChangeSet(
            last["Status"],
            last.get("StatusReason", ""),
            tuple(map(_change, changes)),
            last.get("DeploymentMode") == _REVERT_DRIFT,
        )

    def execute(self, change_set: str) -> None:
        """Start to execute a change set."""
        self._call("ExecuteChangeSet", ChangeSetName=change_set)

    def signal(self, stack_id: str, logical_id: str, *, succeeded: bool) -> None:
        """Signal to a wait condition that what the stack waits for succeeded or failed."""
        status = "SUCCESS" if succeeded else "FAILURE"
        self._call(
            "SignalResource",
            StackName=stack_id,
            LogicalResourceId=logical_id,
            UniqueId=SIGNAL_ID,
            Status=status,
        )

    def discard(self, change_set: str) -> None:
        """Delete a change set that was not executed."""
        self._call("DeleteChangeSet", ChangeSetName=change_set)

    def delete(self, stack_id: str) -> None:
        """Start to delete a stack."""
        self._call("DeleteStack", StackName=stack_id)

    def events(self, stack_id: str, after: str = "") -> list[StackEvent]:
        """Return the events of a stack after the event with that id, or all, oldest first."""
        found: list[StackEvent] = []
        for event in self._newest_first(stack_id):
            if event.id == after:
                break
            found.append(event)
        return found[::-1]

    def events_since(self, stack_id: str, since: datetime) -> list[StackEvent]:
        """Return the events of a stack since a time, the newest first."""
        events = self._newest_first(stack_id)
        return list(takewhile(lambda event: event.at >= since, events))

    def _newest_first(self, stack_id: str) -> Iterator[StackEvent]:
        for page in self._pages("DescribeStackEvents", StackName=stack_id):
            for each in page["StackEvents"]:
                yield msgspec.convert({"PhysicalResourceId": "", **each}, StackEvent)

    def deleted(self, name: str, since: datetime) -> list[str]:
        """Return the ids of the stacks of a name that were deleted since a time, or when AWS does not tell."""
        pages = self._pages("ListStacks", StackStatusFilter=[_DELETED])
        listed = [each for page in pages for each in page["StackSummaries"]]
        return [
            each["StackId"]
            for each in listed
            if each["StackName"] == name and each.get("DeletionTime", since) >= since
        ]

    def newest_event(self, stack_id: str) -> str:
        """Return the id of the last event of a stack, or ""."""
        events = self._call("DescribeStackEvents", StackName=stack_id)["StackEvents"]
        return str(events[0]["EventId"]) if events else ""

    def resources(self, stack_id: str) -> tuple[StackResource, ...]:
        """Return the resources of a stack, without deleted ones, which AWS lists too."""
        pages = self._pages("ListStackResources", StackName=stack_id)
        listed = [each for page in pages for each in page["StackResourceSummaries"]]
        found = msgspec.convert(listed, list[StackResource])
        return tuple(each for each in found if each.status != _DELETED)

    def stack_of(self, type_: str, physical_id: str) -> str:
        """Return the name of the stack that has a resource, or ""."""
        try:
            response = self._call("DescribeStackResources", PhysicalResourceId=physical_id)
        except AwsCallError as error:
            # The id is valid, so this code means that no stack has it.
            if error.code == "ValidationError":
                return ""
            raise
        listed = response["StackResources"]
        found = msgspec.convert(listed, tuple[StackResource, ...])
        if len(found) == _MOST_DESCRIBED:
            found = self.resources(listed[0]["StackId"])
        # A resource of another type may have the same id, such as a function with the name of a table.
        has = any(
            (each.type, each.physical_id) == (type_, physical_id) and each.status not in _LEFT
            for each in found
        )
        return str(listed[0]["StackName"]) if has else ""

    def template(self, stack_id: str) -> Mapping[str, Any]:
        """Return the template of a stack, with the long forms of its functions."""
        body = self._call("GetTemplate", StackName=stack_id, TemplateStage="Original")[
            "TemplateBody"
        ]
        # botocore parses JSON itself.
        read: Mapping[str, Any] = yaml.load(body, LongForms) if isinstance(body, str) else body  # noqa: S506 — safe
        return read


def _change(response: Mapping[str, Any]) -> ResourceChange:
    details = response.get("Details") or ()
    certain = [each for each in details if each.get("Evaluation") != "Dynamic"]
    targets = [each["Target"] for each in certain or details]
    return ResourceChange(
        response["Action"],
        response["LogicalResourceId"],
        response.get("PhysicalResourceId", ""),
        response["ResourceType"],
        response.get("Replacement", ""),
        response.get("PolicyAction", ""),
        tuple(dict.fromkeys(target.get("Name") or target["Attribute"] for target in targets)),
        bool(certain) or not details,
        tuple(
            DriftedValue(target["Path"], target["Drift"]["ActualValue"])
            for target in targets
            if "ActualValue" in target.get("Drift", {})
        ),
    )
