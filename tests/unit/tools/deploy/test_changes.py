"""What a change set would do, in words, and whether something would be lost by it."""

import json
from typing import Any

import pytest

from router.tools.deploy.changes import (
    PlannedChange,
    PreviousKeys,
    TemplateVersion,
    compare_properties,
    describe_changes,
    kind_of,
    resource_name,
    short_name,
)
from tests.support.aws import DriftedValue, ResourceChange

NO_TEMPLATES = (TemplateVersion({}), TemplateVersion({}), PreviousKeys())
QUEUE, TABLE, ROLE = "AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::IAM::Role"


def change(action: str, type_: str, **more: Any) -> ResourceChange:
    """A change of the resource `X`."""
    return ResourceChange(action, "X", "", type_, **more)


@pytest.mark.parametrize(
    ("given", "verb", "warning"),
    [
        (change("Add", QUEUE), "add", ""),
        (change("Import", TABLE), "import", ""),
        (change("Modify", QUEUE, replacement="False"), "modify", ""),
        (change("Modify", QUEUE, replacement="False", certain=False), "may modify", ""),
        (change("Modify", QUEUE, replacement="True"), "replace", "REPLACES the queue with an empty one"),
        (change("Modify", TABLE, replacement="True"), "replace", "REPLACES the table with an empty one"),
        (change("Modify", TABLE, replacement="Conditional"), "may replace", "MAY REPLACE the table with an empty one"),
        (change("Modify", ROLE, replacement="True"), "replace", ""),
        (change("Modify", ROLE, replacement="Conditional", certain=False), "may modify", ""),
        (
            change("Modify", TABLE, replacement="Conditional", certain=False),
            "may replace",
            "MAY REPLACE the table with an empty one",
        ),
        (change("Remove", QUEUE, policy="Delete"), "remove", "DELETES the queue and its messages"),
        # An older region does not tell the policy: nothing says that it stays.
        (change("Remove", TABLE), "remove", "DELETES the table and its items"),
        (change("Remove", TABLE, policy="Retain"), "retain", ""),
        (change("Remove", ROLE, policy="Delete"), "remove", ""),
        (change("Dynamic", QUEUE), "unknown", "AWS does not say what happens to the queue"),
        (change("Dynamic", ROLE), "unknown", ""),
    ],
)
def test_verbs(given: ResourceChange, verb: str, warning: str) -> None:
    """Each action of AWS's has its verb; what loses messages or items has its warning."""
    (planned,) = describe_changes([given], {}, {}, *NO_TEMPLATES)

    assert (planned.verb, planned.warning, planned.loses) == (verb, warning, bool(warning))


def test_order_names_and_flows() -> None:
    """What loses comes first; names are those of the template, else those in AWS, else the logical id."""
    given = [
        ResourceChange("Add", "New", "", QUEUE),
        ResourceChange("Modify", "Kept", "https://sqs.eu-west-1.amazonaws.com/1/orders", QUEUE, "False", "", ("Tags",)),
        ResourceChange("Remove", "Old", "https://sqs.eu-west-1.amazonaws.com/1/old", QUEUE, "", "Delete"),
        ResourceChange("Add", "Unnamed", "", ROLE),
    ]

    planned = describe_changes(given, {"New": "users", "Kept": "orders, order-lines"}, {"New": "users"}, *NO_TEMPLATES)

    assert planned == (
        PlannedChange("remove", "Old", "old", "queue", "", True, physical_id=given[2].physical_id),
        PlannedChange(
            "modify",
            "Kept",
            "orders",
            "queue",
            "orders, order-lines",
            False,
            ("Tags",),
            physical_id=given[1].physical_id,
        ),
        PlannedChange("add", "New", "users", "queue", "users"),
        PlannedChange("add", "Unnamed", "Unnamed", "role"),
    )


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("AWS::SQS::Queue", "queue"),
        ("AWS::Lambda::EventSourceMapping", "event source mapping"),
        ("AWS::Logs::LogGroup", "log group"),
        ("AWS::ECS::Service", "service"),
        ("AWS::KMS::Key", "key"),
        ("AWS::EC2::VPCEndpoint", "VPC endpoint"),
    ],
)
def test_kinds(type_: str, kind: str) -> None:
    """A type is reported in words."""
    assert kind_of(type_) == kind


def test_resource_names() -> None:
    """A resource is reported by a name that people know, else by its logical id."""
    given = [("AWS::SQS::Queue", "https://x/1/orders"), ("AWS::SQS::Queue", ""), ("AWS::IAM::Role", "flows-Role-1X2Y")]

    assert [resource_name(type_, "Logical", physical_id) for type_, physical_id in given] == [
        "orders",
        "Logical",
        "Logical",
    ]


@pytest.mark.parametrize(
    ("physical_id", "name"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", "orders"),
        ("arn:aws:iam::123456789012:role/router", "role/router"),
        ("orders", "orders"),
        ("", ""),
    ],
)
def test_short_names(physical_id: str, name: str) -> None:
    """A resource is reported by its name."""
    assert short_name(physical_id) == name


PROTECTED = {
    "DeletionProtectionEnabled": True,
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
}


@pytest.mark.parametrize(
    ("attributes", "properties", "warning"),
    [
        ({"DeletionPolicy": "Delete"}, {}, "LETS AWS delete the table with its items: DeletionPolicy is Delete"),
        ({"UpdateReplacePolicy": None}, {}, "LETS AWS delete the table with its items: UpdateReplacePolicy is Delete"),
        ({}, {"DeletionProtectionEnabled": False}, "ALLOWS the table to be deleted: it has no deletion protection"),
        ({}, {"DeletionProtectionEnabled": None}, "ALLOWS the table to be deleted: it has no deletion protection"),
        (
            {},
            {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False}},
            "DELETES the backups of point-in-time recovery",
        ),
        (
            {},
            {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": "true", "RecoveryPeriodInDays": 9}},
            "",
        ),
        ({}, {"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}}, ""),
    ],
)
def test_what_protects_a_table(attributes: Any, properties: Any, warning: str) -> None:
    """A patch may take it away: that is a loss."""

    def template(attributes: Any, properties: Any) -> TemplateVersion:
        resource = {"Type": TABLE, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", **attributes}
        given = {name: each for name, each in {**PROTECTED, **properties}.items() if each is not None}
        known = {name: each for name, each in resource.items() if each is not None}
        return TemplateVersion({"Resources": {"X": {**known, "Properties": given}}})

    changed = change("Modify", TABLE, replacement="False", details=(*attributes, *properties))

    (planned,) = describe_changes([changed], {}, {}, template({}, {}), template(attributes, properties), PreviousKeys())

    assert (planned.loses, planned.warning.startswith(warning)) == (bool(warning), True)


def by_hand(path: str, actual: str, **more: Any) -> ResourceChange:
    """A change that returns what somebody changed by hand."""
    details = (path.split("/")[2],)
    return change("Modify", QUEUE, replacement="False", details=details, drift=(DriftedValue(path, actual),), **more)


def template(**properties: Any) -> TemplateVersion:
    """A template with one queue."""
    return TemplateVersion({"Resources": {"X": {"Type": QUEUE, "Properties": properties}}})


@pytest.mark.parametrize(
    ("given", "before", "warning"),
    [
        (
            by_hand("/Properties/MessageRetentionPeriod", "1209600"),
            1_209_600,
            "DELETES messages older than 4 days; they are kept for 14 days now",
        ),
        (by_hand("/Properties/MessageRetentionPeriod", "60"), 60, ""),
        (
            by_hand("/Properties/KmsMasterKeyId", "alias/k"),
            "alias/k",
            "CHANGES the KMS key: stored messages need the previous one, alias/k: set it as kms_key_previous (RT791)",
        ),
        (by_hand("/Properties/RedrivePolicy/maxReceiveCount", "3"), {"maxReceiveCount": 3, "to": "a"}, ""),
        (by_hand("/Properties/VisibilityTimeout", "30"), 30, ""),
    ],
)
def test_what_was_changed_by_hand(given: ResourceChange, before: Any, warning: str) -> None:
    """It is compared as it is, not as the old template has it: what the old value kept is lost with it."""
    same = template(MessageRetentionPeriod=345_600, RedrivePolicy={"maxReceiveCount": 10, "to": "a"})

    (planned,) = describe_changes([given], {}, {}, same, same, PreviousKeys())

    assert (planned.verb, planned.warning, planned.by_hand) == ("modify", warning, True)
    assert [value.before for value in planned.values] == [before]
    assert warning or planned.remark == "changed by hand"


def test_what_is_in_a_list_has_only_its_name() -> None:
    """AWS writes one value of it, not the list."""
    same = template(Tags=[{"Key": "a", "Value": "b"}])

    (planned,) = describe_changes([by_hand("/Properties/Tags/0/Value", "c")], {}, {}, same, same, PreviousKeys())

    assert (planned.details, planned.values, planned.by_hand) == (("Tags",), (), True)


def test_what_the_template_says_already() -> None:
    """AWS notes that it is no drift any more; nothing is changed or lost."""
    (planned,) = describe_changes([change("SyncWithActual", QUEUE)], {}, {}, *NO_TEMPLATES)

    assert (planned.verb, planned.loses, planned.remark) == ("note", False, "by hand it is what the template says now")


def test_tags_of_aws_beside_those_changed_by_hand() -> None:
    """CloudFormation's own tags, which AWS tells of a resource, are no change; they cannot be given."""
    tags = [
        {"Key": "aws:cloudformation:stack-name", "Value": "flows"},
        {"Key": "AWS:servicecatalog:x", "Value": "y"},
        {"Key": "owner", "Value": "me"},
    ]
    template = TemplateVersion(
        {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"Tags": [{"Key": "owner", "Value": "shop"}]}}}}
    )
    drift = [DriftedValue("/Properties/Tags", json.dumps(tags))]

    (changed,) = compare_properties(template, template, "Q", drift)

    assert changed.before == [{"Key": "owner", "Value": "me"}]
    drift = [DriftedValue("/Properties/Tags", json.dumps([*tags[:2], {"Key": "owner", "Value": "shop"}]))]
    assert compare_properties(template, template, "Q", drift) == ()
