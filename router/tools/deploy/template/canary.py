"""A gradual shift to a new version of the function: CodeDeploy moves the alias, and alarms stop it.

As DeploymentPreference of AWS SAM makes it:
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html
"""

import re

from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.deliver.metrics import NAMESPACE, QUEUE, SERVICE
from router.tools.deploy.table_definitions import Template
from router.tools.deploy.template import load_part
from router.tools.deploy.template.alarms import alarm
from router.tools.deploy.template.alias import ALIAS
from router.tools.deploy.template.document import Document
from router.tools.deploy.template.expressions import Json, ref, sub
from router.tools.deploy.template.limits import require_limits

_GIVEN = re.compile(r"(\d{1,2})%?(?:/(\d{1,4}))?")
DEFAULT_MINUTES = 10
MAX_MINUTES = 2880
"""Two days: a deployment of CodeDeploy and the update of a stack wait for the end of the shift."""
_SHARED_ALARMS = ("ConfigurationAlarm", "ErrorsAlarm")
_ALARMS = {
    "CanaryRejectionsAlarm": (
        "router_messages_rejected_total",
        "CanaryRejections",
        "Messages are rejected",
    ),
    "CanaryConflictsAlarm": (
        "router_conflicts_total",
        "CanaryConflicts",
        "Messages conflict with stored items",
    ),
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


def with_canary(document: Document, canary: Canary) -> Document:
    """Return a template whose alias CodeDeploy moves to a new version; otherwise CloudFormation does, at once."""
    body = document.body
    part = load_part("canary.yaml", percent=canary.percent, minutes=canary.minutes)
    alarms = {name: _alarm(body["Resources"], *settings) for name, settings in _ALARMS.items()}
    watched = [{"Name": ref(name)} for name in (*_SHARED_ALARMS, *alarms)]
    part["Resources"]["CanaryGroup"]["Properties"]["AlarmConfiguration"] = {
        "Enabled": True,
        "Alarms": watched,
    }
    names = {"ApplicationName": ref("CanaryApplication"), "DeploymentGroupName": ref("CanaryGroup")}
    alias = {**body["Resources"][ALIAS], "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": names}}
    changed = {
        **body,
        "Parameters": {**body["Parameters"], **part["Parameters"]},
        "Resources": {**body["Resources"], ALIAS: alias, **alarms, **part["Resources"]},
    }
    require_limits(changed)
    return structs.replace(document, body=changed)


def without_shift(template: Template) -> Json:
    """Return a template whose alias moves at once."""
    resources = dict(template["Resources"])
    if ALIAS in resources:
        alias = dict(resources[ALIAS])
        alias.pop("UpdatePolicy", None)
        resources[ALIAS] = alias
    return {**template, "Resources": resources}


def _alarm(resources: Json, metric: str, threshold: str, why: str) -> Json:
    """Return an alarm for a metric of all queues together: a query, since an expression has ten metrics at most."""
    (dimension,) = resources["ConfigurationAlarm"]["Properties"]["Dimensions"]
    value = dimension["Value"]
    # As a text of `Fn::Sub`.
    service = value.replace("${", "${!") if isinstance(value, str) else value["Fn::Sub"]
    source = f"SCHEMA({NAMESPACE}, {QUEUE}, {SERVICE})"
    query = f"SELECT SUM({metric}) FROM {source} WHERE {SERVICE} = '{service}'"  # noqa: S608 — of CloudWatch
    measured = {
        "Metrics": [{"Id": "messages", "Expression": sub(query), "Period": 60, "ReturnData": True}]
    }
    return alarm(
        f"{why} while a new version of the function gets its first messages",
        measured,
        ref(threshold),
        1,
    )
