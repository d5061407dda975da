"""Patches: how they are merged into a template, and what they must not do."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.deploy.template import patch as patches
from router.tools.deploy.template.patch import merge_patch, read_patch, with_patches
from tests.support.ops import Document

PAGE = Path(__file__).parents[5] / "docs" / "deploy.md"
(EXAMPLE,) = re.findall(r"^```yaml title=tracing.yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
CONFIG = """\
queues: {orders: {dead_letter: orders-dlq}}
tables: {orders: {key: {id: S}}}
routes: {orders: {queue: orders, table: orders}}
"""
Patched = Callable[..., Document]


@pytest.fixture
def patched(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patched:
    """The template of the config with patches, whose files are `1.yaml` and so on."""
    document = make(CONFIG)
    monkeypatch.chdir(tmp_path)

    def run(*texts: str) -> Document:
        files = [Path(f"{number}.yaml") for number in range(1, len(texts) + 1)]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        return with_patches(document, tuple(map(read_patch, files)), "eu-west-1")

    return run


@pytest.fixture
def unlinted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where cfn-lint is not installed."""
    monkeypatch.setattr(patches, "find_spec", lambda name: None)


def test_the_example_of_the_page(patched: Patched, make: Any) -> None:
    """It changes the template, and cfn-lint finds no error."""
    assert patched(EXAMPLE).body != make(CONFIG).body


def test_types_and_ids(patched: Patched, unlinted: None) -> None:
    """A type stands for all of its resources; later patches replace what earlier ones say."""
    document = patched(
        "Resources:\n  AWS::SQS::Queue: {Properties: {DelaySeconds: 5}}\n"
        "  QueueOrders: {Properties: {DelaySeconds: 6}}\n",
        "Resources: {QueueOrders: {Properties: {DelaySeconds: 7}}}\nOutputs: {DashboardName: null}\n",
    )

    resources = document.body["Resources"]
    assert [resources[id_]["Properties"]["DelaySeconds"] for id_ in ("QueueOrders", "QueueOrdersDlq")] == [7, 5]
    assert "QueueName" in resources["QueueOrders"]["Properties"]
    assert "DashboardName" not in document.body["Outputs"]


def test_removed_and_added(patched: Patched, unlinted: None) -> None:
    """What routes no messages may go, and what is new has a type."""
    document = patched("Resources:\n  AWS::CloudWatch::Alarm: null\n  T: {Type: 'AWS::SNS::Topic'}\n")

    types = {each["Type"] for each in document.body["Resources"].values()}
    assert ("AWS::CloudWatch::Alarm" in types, "AWS::SNS::Topic" in types) == (False, True)


def test_values_of_functions() -> None:
    """They are no mappings to merge into."""
    target = {"a": {"Fn::Sub": "x"}, "b": {"c": 1}, "d": {"Ref": "E"}}

    assert merge_patch(target, {"a": {"e": {"f": None}}, "b": {"Fn::GetAtt": ["G", "Arn"]}, "d": [None]}) == {
        "a": {"e": {}},
        "b": {"Fn::GetAtt": ["G", "Arn"]},
        "d": [None],
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "1.yaml:1: a patch is a mapping"),
        ("", "1.yaml:1: a patch is a mapping"),
        ("a: [", "1.yaml is not YAML"),
        ("a: !!python/name:os.system x", "1.yaml is not YAML"),
        ("\nDescription: x", "1.yaml:2: a patch has mappings of Resources, Parameters"),
        ("Resources: []", "1.yaml:1: a patch has mappings of Resources, Parameters"),
        ("Resources:\n  A: {}\n  A: {}", "1.yaml:3: the key 'A' is there twice"),
        ("Resources:\n  A: {}", "1.yaml:2: the template has no resource A, and a new one needs a Type"),
        ("Resources:\n  Function: x", "1.yaml:2: the template has no resource Function"),
        ("Resources:\n  AWS::SNS::Topic: {}", "1.yaml:2: the template has no resource of the type AWS::SNS::Topic"),
        ("Resources:\n  QueueOrders: null", "1.yaml:2: a patch cannot remove QueueOrders"),
        ("Resources:\n  Role: {Type: 'AWS::SNS::Topic'}", "1.yaml:2: a patch cannot change the type of Role"),
        (
            "Resources:\n  AWS::Lambda::EventSourceMapping:\n    Properties:\n      FunctionResponseTypes: []",
            "1.yaml:4: without ReportBatchItemFailures, Lambda deletes the messages",
        ),
        (
            "Resources:\n  MappingOrders:\n    Properties: {FilterCriteria: {}}",
            "1.yaml:3: Lambda deletes the messages that a filter of MappingOrders does not match",
        ),
    ],
)
def test_refused(patched: Patched, unlinted: None, text: str, fault: str) -> None:
    """With the file and the line."""
    with pytest.raises(UsageError, match=re.escape(fault)):
        patched(text)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    """It cannot be read."""
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\xff")

    with pytest.raises(UsageError, match=r"cannot read .*x\.yaml as UTF-8 text"):
        read_patch(tmp_path / "x.yaml")


def test_what_cfn_lint_refuses(patched: Patched) -> None:
    """At the line of the value, of the key around what is missing, or of the patch that said it last."""
    first = "Resources:\n  Function:\n    Properties:\n      TracingConfig:\n        Mode: Off\n"
    second = (
        "Resources:\n  AWS::SQS::Queue:\n    Properties:\n      Tags:\n        - Key: a\n        - {Key: b, Value: c}\n"
        "  Topic:\n    Type: AWS::SNS::Topic\n    Properties: {Nam: x}\nOutputs:\n  X: {Value: !Ref Absent}\n"
    )

    with pytest.raises(UsageError) as caught:
        patched(first, second)

    head, *lines = str(caught.value).splitlines()
    assert head == "cfn-lint refuses the patched template:"
    assert {line.partition(" ")[0] for line in lines} == {"1.yaml:5:", "2.yaml:5:", "2.yaml:9:", "2.yaml:11:"}


def test_faults_of_the_config(make: Any, tmp_path: Path) -> None:
    """No patch is to blame for them."""
    (tmp_path / "patch.yaml").write_text("Resources: {Function: {Properties: {MemorySize: 256}}}", encoding="utf-8")
    document = make(f"function: {{vpc: {{subnets: [x], security_groups: [y]}}}}\n{CONFIG}")

    patched = with_patches(document, (read_patch(tmp_path / "patch.yaml"),), "eu-west-1")

    assert patched.body["Resources"]["Function"]["Properties"]["MemorySize"] == 256
