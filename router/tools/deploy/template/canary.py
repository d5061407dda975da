"""A gradual shift to a new version of the function: an alias that CodeDeploy moves, and alarms that stop it.

As DeploymentPreference of AWS SAM makes it:
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import yaml
from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.deliver.telemetry import NAMESPACE, QUEUE, SERVICE
from router.tools.deploy.template import fill
from router.tools.deploy.template.document import Document
from router.tools.deploy.template.expressions import Expression, Json, attribute, ref, resource, sub
from router.tools.deploy.template.monitoring import alarm
from router.tools.deploy.template.resources import FUNCTION

ALIAS = "FunctionAlias"
ALIAS_NAME = "live"
_MARK = "HiddenValues"
_VERSION = "FunctionVersion"
_MAPPING = "AWS::Lambda::EventSourceMapping"
_GIVEN = re.compile(r"(\d{1,2})%?(?:/(\d{1,4}))?")
DEFAULT_MINUTES = 10
MAX_MINUTES = 2880
"""Two days: a deployment of CodeDeploy and the update of a stack wait for the end of the shift."""
_SHARED_ALARMS = ("ConfigurationAlarm", "ErrorsAlarm")
_ALARMS = {
    "CanaryRejectionsAlarm": ("router_messages_rejected_total", "CanaryRejections", "Messages are rejected"),
    "CanaryConflictsAlarm": ("router_conflicts_total", "CanaryConflicts", "Messages conflict with stored items"),
}
"""Alarms by logical id: the metric, the parameter with the threshold, and why it is an alarm."""


class Canary(Struct, frozen=True):
    """How much of the messages the new version gets at first, in percent, and for how many minutes."""

    percent: int
    minutes: int = DEFAULT_MINUTES


def read_canary(text: str) -> Canary:
    """Return what `PERCENT[/MINUTES]` says; raises UsageError."""
    found = _GIVEN.fullmatch(text)
    canary = Canary(int(found[1]), int(found[2] or DEFAULT_MINUTES)) if found else Canary(0)
    if not canary.percent or not 1 <= canary.minutes <= MAX_MINUTES:
        raise UsageError(
            f"--canary is '{text}'; give PERCENT or PERCENT/MINUTES, from 1 to 99 percent and to {MAX_MINUTES} "
            "minutes, such as 10%/15"
        )
    return canary


def with_alias(document: Document, canary: Canary | None) -> Document:
    """Return a template whose event source mappings call an alias of the function, instead of its newest code.

    With a `canary`, CodeDeploy moves the alias to a new version; otherwise CloudFormation does, at once.
    """
    body = document.body
    alias = resource(
        "Lambda::Alias",
        {"Name": ALIAS_NAME, "FunctionName": ref(FUNCTION), "FunctionVersion": attribute(_VERSION, "Version")},
    )
    version = resource("Lambda::Version", {"FunctionName": ref(FUNCTION)})
    resources = {name: _to_alias(each) for name, each in body["Resources"].items()}
    resources |= {_VERSION: version, ALIAS: alias}
    outputs = {**body["Outputs"], ALIAS: {"Value": ref(ALIAS)}}
    if canary is None:
        return structs.replace(document, body={**body, "Resources": resources, "Outputs": outputs})
    part: Json = yaml.safe_load(fill("canary.yaml", percent=canary.percent, minutes=canary.minutes))
    alarms = {name: _alarm(body["Resources"], *settings) for name, settings in _ALARMS.items()}
    watched = [{"Name": ref(name)} for name in (*_SHARED_ALARMS, *alarms)]
    part["Resources"]["CanaryGroup"]["Properties"]["AlarmConfiguration"] = {"Enabled": True, "Alarms": watched}
    names = {"ApplicationName": ref("CanaryApplication"), "DeploymentGroupName": ref("CanaryGroup")}
    resources[ALIAS]["UpdatePolicy"] = {"CodeDeployLambdaAliasUpdate": names}
    changed = {
        **body,
        "Parameters": {**body["Parameters"], **part["Parameters"]},
        "Resources": {**resources, **alarms, **part["Resources"]},
        "Outputs": outputs,
    }
    return structs.replace(document, body=changed)


def has_alias(template: Mapping[str, Any]) -> bool:
    """Return whether the event source mappings of a template call an alias: it stays when the stack is changed."""
    return ALIAS in template.get("Resources", {})


def function_reference(stack: str, template: Mapping[str, Any]) -> str:
    """Return what the event source mappings of a stack call: its function, by the alias if there is one."""
    return f"{stack}:{ALIAS_NAME}" if has_alias(template) else stack


def without_shift(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template whose alias moves at once."""
    resources = dict(template["Resources"])
    if ALIAS in resources:
        resources[ALIAS] = {name: each for name, each in resources[ALIAS].items() if name != "UpdatePolicy"}
    return {**template, "Resources": resources}


def with_version_id(template: Mapping[str, Any], values: Mapping[str, str], mark: str = "") -> dict[str, Any]:
    """Return a template in which another function has another version: its logical id depends on the function's.

    `values` are those of parameters that AWS tells. For the others there is a `mark`, which differs if one changes.
    Lambda publishes a version when the resource is created: https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
    """
    if _VERSION not in template["Resources"]:
        return dict(template)
    text = json.dumps(template["Resources"][FUNCTION])
    used = {name: value for name, value in values.items() if name in text}
    parts = [text, used, mark] if mark else [text, used]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    id_ = f"{_VERSION}{digest}"
    resources = {id_ if name == _VERSION else name: each for name, each in template["Resources"].items()}
    if mark:
        resources[id_] = {**resources[id_], "Metadata": {_MARK: mark}}
    properties = {**resources[ALIAS]["Properties"], "FunctionVersion": attribute(id_, "Version")}
    return {**template, "Resources": {**resources, ALIAS: {**resources[ALIAS], "Properties": properties}}}


def mark_of(template: Mapping[str, Any]) -> str:
    """Return the mark of the hidden values in a template, or ""."""
    marks = [
        str(each["Metadata"].get(_MARK, "")) for each in template.get("Resources", {}).values() if "Metadata" in each
    ]
    return next(filter(None, marks), "")


def _to_alias(each: Json) -> Json:
    if each["Type"] != _MAPPING:
        return each
    return {**each, "Properties": {**each["Properties"], "FunctionName": ref(ALIAS)}}


def _alarm(resources: Json, metric: str, threshold: str, why: str) -> Json:
    """Return an alarm for a metric of all queues together: a query, since an expression has ten metrics at most."""
    (dimension,) = resources["ConfigurationAlarm"]["Properties"]["Dimensions"]
    source = f"SCHEMA({NAMESPACE}, {QUEUE}, {SERVICE})"
    query = f"SELECT SUM({metric}) FROM {source} WHERE {SERVICE} = '{_text(dimension)}'"  # noqa: S608 — of CloudWatch
    measured = {"Metrics": [{"Id": "messages", "Expression": sub(query), "Period": 60, "ReturnData": True}]}
    return alarm(f"{why} while a new version of the function gets its first messages", measured, ref(threshold), 1)


def _text(dimension: Mapping[str, Expression]) -> str:
    """Return the value of a dimension as a text of `Fn::Sub`."""
    value = dimension["Value"]
    return value.replace("${", "${!") if isinstance(value, str) else str(value["Fn::Sub"])
