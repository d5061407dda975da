"""What a change of a config does to its stack, and whether both versions may write at the same time."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from router.change.compare import compare_versions
from router.change.consequences import CREATE_ONLY
from router.change.report import DiffReport
from tests.support.ops import make_document, read_for_deployment
from tests.unit.change.conftest import Diff, Open, config_of

SAMPLE = Path(__file__).parents[3] / "routes.yaml"
DEAD = {"dead_letter": "dead"}
ADDED = {"item": {"id": "id", "n": "n"}}
VERSIONED: dict[str, Any] = {
    "item": {"id": "id", "at": {"from": "at", "type": "N"}},
    "write": {"mode": "newest", "version": "at"},
}


def of_stack(report: DiffReport) -> list[tuple[str, str]]:
    """The changes of permissions and resources, without alarms."""
    found = [(each.change.code.id, each.change.sentence) for each in report.findings]
    return sorted(each for each in found if each[0] >= "RT94" and "alarm" not in each[1])


def test_permissions_and_resources_of_a_new_mode(diff: Diff) -> None:
    """The template differs by a policy of the role only, which is reported as its permissions."""
    queues = {"things": DEAD}

    report = diff(
        config_of({"main": {}}, queues=queues), config_of({"main": {"write": {"mode": "insert"}}}, queues=queues)
    )

    table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/things"
    assert of_stack(report) == [
        ("RT940", f"the role needs dynamodb:PutItem on {table}"),
        ("RT940", f"the role no longer needs dynamodb:BatchWriteItem on {table}"),
    ]


def test_settings_of_a_queue(diff: Diff) -> None:
    """With the values before and after; messages that wait may be too old for a shorter retention."""
    old, new = (config_of({"main": {}}, queues={"things": {**DEAD, "retention": each}}) for each in ("4d", "1d"))

    report = diff(old, new)

    assert of_stack(report) == [
        ("RT942", "CloudFormation modifies queue 'things': MessageRetentionPeriod 345600 → 86400"),
        ("RT944", "queue 'things' keeps messages for 86400 s, and kept them for 345600 s"),
    ]
    assert [each.place.line for each in report.findings] == [1, 1]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            {"things": {"key": {"id": "S"}}},
            {"things": {"key": {"id": "N"}}},
            [("RT941", "CloudFormation replaces table 'things'"), ("RT917", "")],
        ),
        (
            {"things": {"key": {"id": "S"}}},
            {"things": {"name": "others", "key": {"id": "S"}}},
            [("RT942", "CloudFormation adds table 'others'"), ("RT942", "CloudFormation retains"), ("RT916", "")],
        ),
    ],
)
def test_another_table(diff: Diff, old: dict[str, Any], new: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """A new key replaces the table; a new name adds one, and the stack retains the one before."""
    report = diff(*(config_of({"main": {}}, queues={"things": DEAD}) | {"tables": each} for each in (old, new)))

    shown = [(each.change.code.id, each.change.sentence) for each in report.findings]
    assert all(any(code == id_ and text in sentence for id_, sentence in shown) for code, text in found)


def test_a_queue_that_is_gone(diff: Diff) -> None:
    """The stack deletes it with its messages."""
    routes = {"main": {}, "other": {"queue": "others"}}
    queues = {"things": DEAD, "others": DEAD}

    report = diff(config_of(routes, queues=queues), config_of({"main": {}}, queues={"things": DEAD}))

    assert [each for each in of_stack(report) if each[0] == "RT941"] == [
        ("RT941", "CloudFormation deletes queue 'others'"),
    ]


def test_a_config_without_a_template(diff: Diff) -> None:
    """The rest is compared all the same."""
    too_long = {"queue": "q" * 78}

    report = diff(config_of({"main": too_long}), config_of({"main": {**too_long, "item": {"id": "id", "n": "n"}}}))

    assert [each.change.code.id for each in report.findings] == ["RT912", "RT943"]


def test_the_stack_of_the_worker(open_config: Open) -> None:
    """Its settings are compared with --worker."""
    configs = [config_of({"main": {}}, queues={"things": DEAD}, worker={"memory": each}) for each in (1024, 2048)]
    old, new = (open_config(each, f"worker{index}") for index, each in enumerate(configs))

    found = [len(of_stack(compare_versions(old, new, as_worker=each))) for each in (False, True)]

    assert found[0] == 0
    assert found[1] > 0


def create_only(type_: str) -> Iterator[str]:
    """The properties whose change replaces a resource, by AWS's own schemas; conditional ones too."""
    schema: Mapping[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_).schema
    for key in ("createOnlyProperties", "conditionalCreateOnlyProperties"):
        yield from (pointer.split("/")[2] for pointer in schema.get(key, ()))


def test_what_replaces_a_resource_is_what_aws_says() -> None:
    """Of all types and properties that templates have."""
    config = read_for_deployment(SAMPLE, {})
    used: dict[str, set[str]] = {}
    for as_worker in (False, True):
        for resource in make_document(config, as_worker).body["Resources"].values():
            used.setdefault(resource["Type"], set()).update(resource.get("Properties", {}))

    # By AWS's documentation this one replaces a table too, where the definition of its key is edited.
    used["AWS::DynamoDB::Table"].discard("AttributeDefinitions")
    wrong = {
        name: CREATE_ONLY.get(name, frozenset()) & names ^ set(create_only(name)) & names
        for name, names in used.items()
    }

    assert wrong == {name: set() for name in used}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ({}, {"item": {"id": "id", "n": "n"}}, None),
        ({}, {"item": {"id": "other"}}, "one message writes two items"),
        ({"write": {"mode": "update"}}, {}, "undo each other"),
        ({**VERSIONED}, {"item": VERSIONED["item"]}, "undo each other"),
        (
            VERSIONED,
            {"item": {**VERSIONED["item"], "n": "n"}, "write": {"mode": "newest", "version": "n"}},
            "items have their version in 'at' or in 'n'",
        ),
        (VERSIONED, {**VERSIONED, "item": {"id": "id", "at": {"meta": "sent_at"}}}, "do not compare"),
        (
            {**ADDED, "write": {"mode": "update", "add": ["n"], "once": "marks"}},
            {**ADDED, "write": {"mode": "update", "add": ["n"], "once": "marks", "once_key": "n"}},
            "is added twice",
        ),
        ({"table": "things"}, {"table": "marks"}, None),
    ],
)  # fmt: skip
def test_two_versions_side_by_side(diff: Diff, old: dict[str, Any], new: dict[str, Any], reason: str | None) -> None:
    """They must not, where one undoes or repeats what the other writes."""
    tables = {"things": {"key": {"id": "S"}}, "marks": {"key": {"id": "S"}}}

    report = diff(*(config_of({"main": each}, tables=tables, queues={"things": DEAD}) for each in (old, new)))

    conflicts = [each.change.sentence for each in report.findings if each.change.code.id == "RT930"]
    assert (len(report.conflicts), len(conflicts)) == ((1, 1) if reason else (0, 0))
    assert all(str(reason) in each for each in conflicts)
