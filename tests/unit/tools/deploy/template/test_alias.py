"""The alias of the function and its version: cfn-lint finds nothing, and versions are published when due."""

from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from msgspec import structs

from router.errors import UsageError
from router.tools.deploy.template import limits
from router.tools.deploy.template.alias import (
    add_alias,
    add_probe,
    function_reference,
    has_alias,
    has_function,
    mark_of,
    needs_alias,
    probe_id,
    version_id,
    with_alias,
    with_version_id,
)
from router.tools.deploy.template.document import Document, as_json, make_document, read_for_deployment

ROOT = Path(__file__).parents[5]


@pytest.fixture(scope="module")
def document() -> Document:
    """The template of the sample."""
    return make_document(read_for_deployment(ROOT / "routes.yaml", {}))


def test_is_sound(document: Document) -> None:
    """cfn-lint finds nothing, informational findings included."""
    aliased = with_alias(document)
    named = structs.replace(aliased, body=with_version_id(aliased.body, {}))

    found = lint(as_json(named), config=ManualArgs(regions=["us-east-1"], include_checks=["I"]))

    assert [f"{each.rule.id} {each.message} {each.path}" for each in found] == []


def test_mappings_call_the_alias(document: Document) -> None:
    """All of them; the rest of the template is as it was."""
    resources = with_alias(document).body["Resources"]

    called = {
        str(each["Properties"]["FunctionName"])
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::EventSourceMapping"
    }
    others = {name: each for name, each in resources.items() if document.body["Resources"].get(name) == each}
    mappings = [each for each in document.body["Resources"].values() if each["Type"].endswith("EventSourceMapping")]
    assert called == {str({"Ref": "FunctionAlias"})}
    assert len(others) == len(document.body["Resources"]) - len(mappings)


def test_the_alias_waits_for_the_probe(document: Document) -> None:
    """It waits longer than an invocation takes, and begins when all that a plugin may read is there."""
    template = with_version_id(with_alias(document).body, {})
    resources = template["Resources"]

    probe = resources[probe_id(template)]
    seconds = resources["Function"]["Properties"]["Timeout"]
    stores = [name for name, each in resources.items() if each["Type"] in ("AWS::SQS::Queue", "AWS::DynamoDB::Table")]
    assert resources["FunctionAlias"]["DependsOn"] == [probe_id(template)]
    assert probe == {
        "Type": "AWS::CloudFormation::WaitCondition",
        "DependsOn": [version_id(template), *stores],
        "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": f"PT{seconds + 120}S"}},
    }


def test_a_stack_without_an_alias_gets_one(document: Document) -> None:
    """At first without a probe, since it runs already; going back to it, with one."""
    template = with_version_id(add_alias(document.body, probed=False), {})

    probed = add_probe(template)

    assert (has_alias(template), probe_id(template), "DependsOn" in template["Resources"]["FunctionAlias"]) == (
        True,
        "",
        False,
    )
    assert probe_id(probed).removeprefix("FunctionProbe") == version_id(template).removeprefix("FunctionVersion")
    assert (add_probe(probed), add_probe(document.body)) == (probed, document.body)
    assert [needs_alias(document.body, template), needs_alias(template, template), needs_alias({}, template)] == [
        True,
        False,
        False,
    ]


def version(template: Any, mark: str = "", **values: str) -> str:
    """The logical id of the version in a template, which its alias and the function name."""
    named = with_version_id(template, values, mark)
    assert mark_of(named) == mark
    id_ = version_id(named)
    resources = named["Resources"]
    assert resources["FunctionAlias"]["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [id_, "Version"]}
    assert f"({id_.removeprefix('FunctionVersion')})" in resources["Function"]["Properties"]["Description"]
    return id_


def test_a_version_for_each_function(document: Document) -> None:
    """Another package, setting or variable of the function is another version; what it does not have is none."""
    template = with_alias(document).body
    function = template["Resources"]["Function"]
    slower = {**function, "Properties": {**function["Properties"], "Timeout": 1}}
    later = {**function, "DependsOn": []}
    first = version(template, CodeKey="a", AlarmTopic="x")

    ids = [
        version(template, CodeKey="a", AlarmTopic="y"),
        version({**template, "Resources": {**template["Resources"], "Function": later}}, CodeKey="a"),
        version(template, CodeKey="b", AlarmTopic="x"),
        version({**template, "Resources": {**template["Resources"], "Function": slower}}, CodeKey="a"),
    ]

    assert ([each == first for each in ids], len(set(ids))) == ([True, True, False, False], 3)


def test_a_hidden_value(document: Document) -> None:
    """Another mark, which stands for hidden values that may have changed, is another version."""
    template = with_alias(document).body

    ids = [version(template, mark, CodeKey="a") for mark in ("", "1", "2", "1")]

    assert (ids[1] == ids[3], len(set(ids))) == (True, 3)


def test_without_an_alias(document: Document) -> None:
    """A template without one stays as it is."""
    assert (with_version_id(document.body, {}), has_alias(document.body)) == (document.body, False)
    assert function_reference("flows", document.body) == "flows"
    assert function_reference("flows", with_alias(document).body) == "flows:live"
    assert (has_function(document.body), has_function({"Resources": {}})) == (True, False)


def test_limits(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resources of the alias count, too."""
    monkeypatch.setattr(limits, "MAX_RESOURCES", len(document.body["Resources"]) + 2)

    with pytest.raises(UsageError, match=r"resources, and CloudFormation accepts"):
        with_alias(document)
