"""The page about Terraform and CDK: what its programs give and read is what the template takes and has."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.ops import make_document, read_for_deployment

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "terraform-and-cdk.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ title=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
FUNCTION = ("FunctionName", "FunctionArn", "RoleArn")
WORKER = ("ClusterName", "ServiceName", "TaskDefinitionArn", "RoleArn")


@pytest.fixture
def templates(tmp_path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The templates of the page's configuration: for the function, and for the worker."""
    config = tmp_path / "routes.yaml"
    config.write_text(FILES["routes.yaml"], encoding="utf-8")
    read = read_for_deployment(config, {})
    return make_document(read).body, make_document(read, as_worker=True).body


def required(template: Mapping[str, Any]) -> set[str]:
    """The parameters that have no default."""
    return {name for name, each in template["Parameters"].items() if "Default" not in each}


def test_terraform(templates: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
    """All required parameters are given, none is unknown, and each output is one."""
    body, _ = templates
    (block,) = re.findall(r"parameters = \{\n(.*?)\n  \}", FILES["main.tf"], re.DOTALL)
    given = set(re.findall(r"^ *(\w+) *=", block, re.MULTILINE))
    outputs = re.findall(r'router\.outputs\["(\w+)"\]', FILES["main.tf"])

    assert required(body) <= given <= set(body["Parameters"])
    assert outputs
    assert set(outputs) <= set(body["Outputs"])
    # CAPABILITY_IAM is for roles and policies without names of their own.
    named = [
        id_ for id_, each in body["Resources"].items() if {"RoleName", "ManagedPolicyName"} & {*each["Properties"]}
    ]
    assert named == []


def test_cdk(templates: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
    """The same of the program for CDK, with the logical ids that it names."""
    body, _ = templates
    calls = [each for each in ast.walk(ast.parse(FILES["app.py"])) if isinstance(each, ast.Call)]
    (parameters,) = [
        word.value
        for call in calls
        for word in call.keywords
        if word.arg == "parameters" and isinstance(word.value, ast.Dict)
    ]
    given = {ast.literal_eval(key) for key in parameters.keys if key}
    named = {
        (call.func.attr, ast.literal_eval(call.args[0]))
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("get_resource", "get_output")
    }

    assert required(body) <= given <= set(body["Parameters"])
    assert {name for kind, name in named if kind == "get_output"} <= set(body["Outputs"])
    assert {name for kind, name in named if kind == "get_resource"} <= set(body["Resources"])
    assert {kind for kind, _ in named} == {"get_resource", "get_output"}


def test_the_tables_of_the_page(templates: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
    """They have all parameters and outputs."""
    body, worker = templates
    named = set(re.findall(r"`(\w+)`", PAGE))

    assert set(body["Parameters"]) <= named
    stores = {f"{id_}Arn" for id_, each in body["Resources"].items() if each["Type"].endswith(("::Queue", "::Table"))}
    assert set(body["Outputs"]) - stores <= named
    assert stores <= set(body["Outputs"])
    assert len(stores) == 3
    assert set(FUNCTION) <= set(body["Outputs"])
    assert set(WORKER) <= named & set(worker["Outputs"])
    assert {"Image", "Subnets", "SecurityGroups"} == required(worker)
