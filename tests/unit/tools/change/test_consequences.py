"""What a change of a config does to its stack."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from router.tools.change.compare import compare_versions
from router.tools.change.consequences import CREATE_ONLY
from router.tools.change.report import DiffReport
from tests.support.ops import make_document, read_for_deployment
from tests.unit.tools.change.conftest import Diff, DiffTexts, Open, config_of

SAMPLE = Path(__file__).parents[4] / "routes.yaml"
DEAD = {"dead_letter": "dead"}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"


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

    assert of_stack(report) == [
        ("RT940", "the role needs dynamodb:PutItem on table 'things'"),
        ("RT940", "the role no longer needs dynamodb:BatchWriteItem on table 'things'"),
    ]


def test_settings_of_a_queue(diff: Diff) -> None:
    """With the values before and after; messages that wait may be too old for a shorter retention."""
    old, new = (config_of({"main": {}}, queues={"things": {**DEAD, "retention": each}}) for each in ("4d", "1d"))

    report = diff(old, new)

    assert of_stack(report) == [
        ("RT942", "CloudFormation modifies queue 'things': MessageRetentionPeriod: 345600 → 86400"),
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
    sentence = report.findings[1].change.sentence
    assert re.fullmatch(r"there is no template of one of the configs: .*q{78}.*", sentence)


def test_the_stack_of_the_worker(open_config: Open) -> None:
    """Its settings are compared with --worker."""
    configs = [config_of({"main": {}}, queues={"things": DEAD}, worker={"memory": each}) for each in (1024, 2048)]
    old, new = (open_config(each, f"worker{index}") for index, each in enumerate(configs))

    function, worker = (compare_versions(old, new, as_worker=each) for each in (False, True))

    assert of_stack(function) == []
    assert of_stack(worker)
    assert {each.change.path for each in worker.findings} == {("worker",)}


def test_the_stack_of_the_function(open_config: Open) -> None:
    """Its settings are compared without --worker."""
    configs = [config_of({"main": {}}, queues={"things": DEAD}, function={"memory": each}) for each in (1024, 2048)]
    old, new = (open_config(each, f"function{index}") for index, each in enumerate(configs))

    function, worker = (compare_versions(old, new, as_worker=each) for each in (False, True))

    assert {each.change.path for each in function.findings} == {("function",)}
    assert of_stack(worker) == []


KEY, OTHER, THIRD = (
    f"arn:aws:kms:eu-west-1:123456789012:key/{each}234abcd-12ab-34cd-56ef-1234567890ab" for each in (1, 2, 3)
)


@pytest.mark.parametrize(
    ("old", "new", "previous"),
    [
        ({"kms_key": KEY}, {"kms_key": OTHER}, [KEY]),
        ({"kms_key": KEY}, {}, [KEY]),
        ({"kms_key": KEY}, {"kms_key": OTHER, "kms_key_previous": KEY}, []),
        ({"kms_key": KEY}, {"kms_key_previous": KEY}, []),
        ({"kms_key": KEY}, {"kms_key": "${KEY:-" + KEY + "}"}, []),
        ({}, {"kms_key": KEY}, []),
        ({"kms_key": KEY, "managed": False}, {"kms_key": OTHER, "managed": False}, [KEY]),
    ],
)
@pytest.mark.parametrize(("section", "what"), [("queues", "messages"), ("tables", "items")])
def test_another_kms_key(
    diff: Diff, section: str, what: str, old: dict[str, str], new: dict[str, str], previous: list[str]
) -> None:
    """What is stored needs the key of before, unless the new config names it; a deployment without is refused, too."""
    settings: Mapping[str, Mapping[str, Any]] = {"queues": DEAD, "tables": {"key": {"id": "S"}}}

    report = diff(
        *(
            {**config_of({"main": {}}, queues={"things": DEAD}), section: {"things": {**settings[section], **each}}}
            for each in (old, new)
        )
    )

    kind, refused = section.removesuffix("s"), "router deploy refuses it without (RT791)"
    assert [
        (each.change.sentence, each.change.suggestion, each.change.path, each.risk)
        for each in report.findings
        if each.change.code.id == "RT945"
    ] == [
        (
            f"{kind} 'things' has another KMS key, or none: its {what} are encrypted with the previous one",
            f"set kms_key_previous: {key} until nothing is left that needs it; {refused}",
            (section, "things", "kms_key"),
            "breaking",
        )
        for key in previous
    ]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"things": {**DEAD, "kms_key": KEY}}, {}, [("routes", "main", "queue")]),
        (
            {"things": {**DEAD, "kms_key": KEY}},
            {"things": {**DEAD, "kms_key": OTHER}},
            [("queues", "things", "kms_key")],
        ),
        (
            {"things": DEAD, "dead": {"kms_key": KEY}},
            {"things": {**DEAD, "kms_key": OTHER, "kms_key_previous": OTHER}},
            [("queues", "things", "dead_letter")],
        ),
    ],
)
def test_a_kms_key_of_a_queue_without_settings(
    diff: Diff, old: dict[str, Any], new: dict[str, Any], found: list[tuple[str, ...]]
) -> None:
    """Once, where the new config names the queue."""
    report = diff(*(config_of({"main": {}}, queues=each) for each in (old, new)))

    assert [each.change.path for each in report.findings if each.change.code.id == "RT945"] == found


@pytest.mark.parametrize(
    ("new", "removed"),
    [
        ({"kms_key": OTHER}, [KEY]),
        ({"kms_key": THIRD, "kms_key_previous": OTHER}, [KEY]),
        ({"kms_key": OTHER, "kms_key_previous": KEY}, []),
        ({"kms_key": KEY, "kms_key_previous": OTHER}, []),
    ],
)
@pytest.mark.parametrize(("section", "what"), [("queues", "messages"), ("tables", "items")])
def test_a_previous_kms_key(diff: Diff, section: str, what: str, new: dict[str, str], removed: list[str]) -> None:
    """What was stored before the key changed needs it, and a deployment refuses it while messages wait."""
    settings: Mapping[str, Mapping[str, Any]] = {"queues": DEAD, "tables": {"key": {"id": "S"}}}
    old, kind = {"kms_key": OTHER, "kms_key_previous": KEY}, section.removesuffix("s")

    report = diff(
        *(
            {**config_of({"main": {}}, queues={"things": DEAD}), section: {"things": {**settings[section], **each}}}
            for each in (old, new)
        )
    )

    assert [
        (each.change.sentence, each.change.suggestion, each.change.path, each.risk)
        for each in report.findings
        if each.change.code.id == "RT946"
    ] == [
        (
            f"{kind} 'things' no longer names the previous KMS key {key}: {what} encrypted with it cannot be read",
            f"remove it when no {what} need it any more",
            (section, "things", "kms_key_previous"),
            "risky",
        )
        for key in removed
    ]


def test_kms_keys_beside_new_queues(diff: Diff) -> None:
    """What has come has no key of before; those after it are compared all the same."""
    queues = {"things": {**DEAD, "kms_key": KEY}}
    old = config_of({"main": {}}, queues=queues)
    new = config_of({"first": {"queue": "come"}, "main": {}}, queues={"come": DEAD, "things": DEAD})

    report = diff(old, new)

    assert [each.change.path for each in report.findings if each.change.code.id == "RT945"] == [
        ("queues", "things", "kms_key")
    ]


def test_a_previous_kms_key_of_another_queue(diff: Diff) -> None:
    """The role may still decrypt with it, for whichever queue."""
    more = {"dead_letter": "others", "kms_key": KEY}
    old = {"things": {**DEAD, "kms_key": OTHER, "kms_key_previous": KEY}, "more": more}
    new = {"things": {**DEAD, "kms_key": OTHER}, "more": more}
    routes: dict[str, Any] = {"main": {}, "second": {"queue": "more"}}

    report = diff(*(config_of(routes, queues=each) for each in (old, new)))

    assert {each.change.code.id for each in report.findings} & {"RT943", "RT946"} == set()


def test_another_setting_of_a_queue_with_a_retention(diff: Diff) -> None:
    """Messages are kept as long as before."""
    queues = [{"things": {**DEAD, "retention": "4d", **more}} for more in ({}, {"kms_key": KEY})]

    found = of_stack(diff(*(config_of({"main": {}}, queues=each) for each in queues)))

    assert {code for code, _ in found} == {"RT940", "RT942"}


def test_permissions_for_the_bucket_of_a_later_queue(diff: Diff) -> None:
    """They are named, whatever the queues before need."""
    pointers = {"envelope": ["s3_pointer"], "s3_pointer": {"buckets": ["payloads"]}}
    routes: dict[str, Any] = {"main": {}, "second": {"queue": "more"}}
    queues = [{"things": DEAD, "more": {"dead_letter": "others", **more}} for more in ({}, pointers)]

    found = of_stack(diff(*(config_of(routes, queues=each) for each in queues)))

    assert [sentence for code, sentence in found if code == "RT940"] == [
        "the role needs s3:GetObject on the objects of bucket 'payloads'",
        "the role needs s3:ListBucket on bucket 'payloads'",
    ]


def places(report: DiffReport, code: str) -> dict[str, tuple[int, int]]:
    """The lines in the new and the old config of the findings with a code, by their sentences."""
    return {
        each.change.sentence.partition(": ")[0]: (each.place.line, each.old_place.line)
        for each in report.findings
        if each.change.code.id == code
    }


PLACES = """\
version: 1
queues:
  things:
    dead_letter: dead
    max_receive_count: 9
    envelope: [s3_pointer]
    s3_pointer:
      buckets: [payloads]
  dead: {}
tables:
  things: {key: {id: S}}
  marks: {key: {id: S}}
routes:
  main: {queue: things, table: things, item: {id: id}}
  side: {queue: others, table: things, item: {id: id}}
"""


def test_places_and_names_of_what_a_stack_needs(diff_texts: DiffTexts) -> None:
    """Of the queue, table or route that a permission or resource is about, in both configs; names instead of ARNs."""
    after = "# a line more\n" + PLACES.replace("buckets: [payloads]", "buckets: [uploads]").replace(
        "count: 9", f"count: 8\n    kms_key: {KEY}"
    ).replace("table: things, item: {id: id}}\n  side", "table: marks, item: {id: id}}\n  side").replace(
        "dead: {}", "dead: {deletion_policy: retain}"
    ).replace("queue: others", "queue: elsewhere")

    report = diff_texts(PLACES, after)

    read = "sqs:ChangeMessageVisibility, sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:GetQueueUrl, sqs:ReceiveMessage"
    write = "dynamodb:BatchWriteItem, dynamodb:DescribeTable"
    send = "kms:Decrypt, kms:GenerateDataKey"
    assert places(report, "RT940") == {
        f"the role needs {send} on KMS key '1234abcd-12ab-34cd-56ef-1234567890ab' of queue 'things'": (7, 4),
        "the role needs s3:GetObject on the objects of bucket 'uploads'": (10, 8),
        "the role needs s3:ListBucket on bucket 'uploads'": (10, 8),
        "the role no longer needs s3:GetObject on the objects of bucket 'payloads'": (10, 8),
        "the role no longer needs s3:ListBucket on bucket 'payloads'": (10, 8),
        f"the role needs {read} on queue 'elsewhere'": (17, 15),
        f"the role no longer needs {read} on queue 'others'": (17, 15),
        f"the role needs {write} on table 'marks'": (14, 12),
    }
    assert places(report, "RT942") == {
        "CloudFormation modifies queue 'things'": (4, 3),
        "CloudFormation modifies queue 'dead'": (11, 9),
        "CloudFormation modifies queue policy AccessDead": (11, 9),
        "CloudFormation deletes queue policy AccessOthers": (17, 15),
        "CloudFormation deletes queue policy AccessOthersDlq": (17, 15),
        "CloudFormation adds queue policy AccessElsewhere": (17, 15),
        "CloudFormation adds queue policy AccessElsewhereDlq": (17, 15),
        "CloudFormation deletes event source mapping MappingOthers": (17, 15),
        "CloudFormation deletes alarm AgeAlarmOthers": (17, 15),
        "CloudFormation deletes alarm RetriesAlarmOthers": (17, 15),
        "CloudFormation deletes alarm StalledAlarmOthers": (17, 15),
        "CloudFormation deletes alarm InFlightAlarmOthers": (17, 15),
        "CloudFormation deletes alarm LettersAlarmOthersDlq": (17, 15),
        "CloudFormation adds queue 'elsewhere'": (17, 15),
        "CloudFormation adds queue 'elsewhere-dlq'": (17, 15),
        "CloudFormation adds event source mapping MappingElsewhere": (17, 15),
        "CloudFormation adds alarm AgeAlarmElsewhere": (17, 15),
        "CloudFormation adds alarm RetriesAlarmElsewhere": (17, 15),
        "CloudFormation adds alarm StalledAlarmElsewhere": (17, 15),
        "CloudFormation adds alarm InFlightAlarmElsewhere": (17, 15),
        "CloudFormation adds alarm LettersAlarmElsewhereDlq": (17, 15),
    }
    assert places(report, "RT941") == {
        "CloudFormation deletes queue 'others'": (17, 15),
        "CloudFormation deletes queue 'others-dlq'": (17, 15),
    }


def test_the_whole_of_what_differs(diff: Diff) -> None:
    """By its path, and not cut; of policies too, and never what may be a secret."""
    shared: dict[str, Any] = {"routes": {"main": {}}, "owners": {"team": {"alarm_topic": TOPIC}}}
    old = config_of(
        **shared, queues={"things": DEAD}, function={"environment": {"MODE": "m" * 99 + "a", "API_TOKEN": "one"}}
    )
    new = config_of(
        **shared,
        queues={"things": {**DEAD, "owner": "team"}, "dead": {"deletion_policy": "retain"}},
        function={"memory": 1024, "environment": {"MODE": "m" * 99 + "b", "API_TOKEN": "two"}},
    )

    report = diff(old, new)

    parameter = '{"Fn::If":["HasAlarmTopic","${AlarmTopic}","${AWS::NoValue}"]}'
    alarms = [f"{each}[0]: {parameter} → {TOPIC}" for each in ("AlarmActions", "OKActions")]
    found = {each.change.sentence for each in report.findings if each.change.code.id == "RT942"}
    (dead,), (function,), (age,) = ([each for each in found if what in each] for what in ("'dead'", "function", "AgeA"))
    assert dead.partition(": ")[2] == (
        "DeletionPolicy: Delete → Retain; UpdateReplacePolicy: Delete → Retain; Tags.owner: not set → team"
    )
    assert function == (
        "CloudFormation modifies the function: MemorySize: 512 → 1024; "
        f"Environment.Variables.MODE: {'m' * 99}a → {'m' * 99}b; "
        "Environment.Variables.API_TOKEN: (not shown) → (another, not shown)"
    )
    assert age.partition("; ")[2] == "; ".join(alarms)


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
        name: names.intersection(CREATE_ONLY.get(name, ())) ^ set(create_only(name)) & names
        for name, names in used.items()
    }

    assert wrong == {name: set() for name in used}
