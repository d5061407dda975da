"""Templates of configs, and what stands in them with the variables put in."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from router.tools.deploy.template.document import Document, make_document, read_for_deployment

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "flows",
}
NAMES = {"AWS::SQS::Queue": ("sqs", "QueueName"), "AWS::DynamoDB::Table": ("dynamodb", "TableName")}


class Resolved:
    """A template as CloudFormation sees it, with the values of its parameters."""

    def __init__(self, body: Mapping[str, Any], **given: str) -> None:
        self.body = body
        defaults = {name: each.get("Default", "") for name, each in body["Parameters"].items()}
        self._values = {**defaults, **given, **PSEUDO}

    def resources(self, type_: str) -> dict[str, Any]:
        """The properties of all resources of a type, by logical id."""
        found = {
            id_: each
            for id_, each in self.body["Resources"].items()
            if each["Type"] == f"AWS::{type_}" and ("Condition" not in each or self._holds(each["Condition"]))
        }
        return {id_: self.value(each["Properties"]) for id_, each in found.items()}

    def value(self, expression: Any) -> Any:
        """The value of an expression; what has none is left out."""
        match expression:
            case {"Ref": str(name)}:
                return self._values.get(name, name)
            case {"Fn::Sub": str(text)}:
                return self._sub(text, {})
            case {"Fn::Sub": [str(text), variables]}:
                return self._sub(text, self.value(variables))
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self.value(parts))
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return self._arn(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return f"{name}.{attribute}"
            case {"Fn::If": [condition, yes, no]}:
                return self.value(yes if self._holds(condition) else no)
            case dict():
                values = {key: self.value(each) for key, each in expression.items()}
                return {key: each for key, each in values.items() if each != "AWS::NoValue"}
            case list():
                return [each for each in map(self.value, expression) if each != "AWS::NoValue"]
            case _:
                return expression

    def _sub(self, text: str, more: Mapping[str, str]) -> str:
        known = {**self._values, **more}
        return re.sub(r"\$\{(!?)([^}]*)\}", lambda found: f"${{{found[2]}}}" if found[1] else known[found[2]], text)

    def _arn(self, name: str) -> str:
        resource = self.body["Resources"][name]
        service, key = NAMES.get(resource["Type"], ("", ""))
        if not service:
            return f"arn-of:{name}"
        own = self.value(resource["Properties"][key])
        return f"arn:aws:{service}:eu-west-1:123456789012:{'table/' if service == 'dynamodb' else ''}{own}"

    def _holds(self, condition: str) -> bool:
        given = self.body["Conditions"][condition]
        (equals,) = given.get("Fn::Not", [given])
        one, other = self.value(equals["Fn::Equals"])
        return bool(one == other) is ("Fn::Not" not in given)

    def allowed(self, role: str = "Role") -> dict[str, set[str]]:
        """What the role may do, by resource, but for its log, and the network that Lambda puts a function into."""
        properties = self.resources("IAM::Role")[role]
        own = ("Log", "Network")
        documents = [each["PolicyDocument"] for each in properties.get("Policies", ()) if each["PolicyName"] not in own]
        managed = self.resources("IAM::ManagedPolicy").values()
        documents += [each["PolicyDocument"] for each in managed if role in each["Roles"]]
        allowed: dict[str, set[str]] = {}
        for document in documents:
            for statement in document["Statement"]:
                for resource in statement["Resource"]:
                    allowed.setdefault(resource, set()).update(statement["Action"])
        return allowed

    def widgets(self) -> list[dict[str, Any]]:
        """The widgets of all dashboards."""
        bodies = [json.loads(each["DashboardBody"]) for each in self.resources("CloudWatch::Dashboard").values()]
        return [widget for body in bodies for widget in body["widgets"]]


Make = Callable[..., Document]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the template of a config, given from `queues:` on, in an environment; `more` are other files."""

    def run(config: str, worker: bool = False, env: Mapping[str, str] | None = None, **more: str) -> Document:
        for stem, text in more.items():
            (tmp_path / f"{stem}.yaml").write_text(text, encoding="utf-8")
        path = tmp_path / "routes.yaml"
        path.write_text(f"version: 1\n{config}", encoding="utf-8")
        return make_document(read_for_deployment(path, env or {}), worker)

    return run


@pytest.fixture(scope="session")
def resolve() -> Callable[..., Resolved]:
    """A template with the values of its parameters put in."""
    return lambda document, **given: Resolved(document.body, **given)
