"""Which parameters are hidden, where references to secrets stand, and that no hidden value is part of anything else."""

import json
import re
from typing import Any

import pytest

from router.errors import UsageError

CONFIG = """\
owner: "${V_FILE_OWNER}"
tags: {all: "${V_FILE_TAG}"}
owners: {us: {alarm_topic: "arn:aws:sns:eu-west-1:123456789012:${V_TOPIC}"}}
function: {log_retention: "${V_DAYS:-30d}", environment: {AA: "a-${V_ENVIRONMENT}", ROUTER_SERVICE: "${V_SERVICE}"}}
worker: {environment: {AA: "a-${V_WORKER}"}}
queues:
  q:
    name: "q-${V_QUEUE}"
    dead_letter: "q-${V_LETTERS}"
    kms_key: "arn:aws:kms:eu-west-1:123456789012:key/${V_KEY}"
    description: "${V_DESCRIPTION}"
    retention: "${V_RETENTION:-4d}"
    tags: {cost: "${V_TAG}"}
    redact: ["${V_REDACT:-note}"]
    match: "${V_MATCH:-all}"
    outlast: "${V_OUTLAST:-12h}"
tables:
  things: {name: "t-${V_TABLE}", key: {id: S}, ttl: "${V_TTL:-at}"}
  keys: {key: {id: S}}
routes:
  r:
    queue: q
    table: things
    when: "id != '${V_WHEN}'"
    schema:
      type: object
      required: [id]
      properties: {id: {type: string, pattern: "${V_PATTERN:-a}"}, note: {type: string}}
    item:
      id: id
      text: {value: "${V_VALUE}"}
      both: {template: "${V_QUEUE}"}
    owner: us
    tests: [{message: {id: "${V_TEST}"}}]
"""
AT_RUN_TIME = {
    *("V_ENVIRONMENT", "V_WORKER", "V_REDACT", "V_MATCH", "V_WHEN", "V_PATTERN", "V_VALUE", "V_TEST"),
    "ROUTER_REDACT_KEY",
}


@pytest.mark.parametrize("worker", [False, True])
def test_what_is_hidden(make: Any, worker: bool) -> None:
    """A variable that only running code reads; a part of a name, a key, a description, a setting or a file is not."""
    document = make(CONFIG, worker=worker)

    parameters = document.body["Parameters"]
    hidden = {name for name, parameter in document.variables.items() if parameters[parameter].get("NoEcho")}
    named = set(re.findall(r"\$\{(V_[A-Z_]+)", CONFIG)) | {"ROUTER_REDACT_KEY"}
    assert (hidden, set(document.variables)) == (AT_RUN_TIME & named, named & set(document.variables))


@pytest.mark.parametrize("worker", [False, True])
def test_hidden_values_are_nowhere_else(make: Any, worker: bool) -> None:
    """The template refers to them in the environment only: not in names, outputs, conditions, alarms or dashboards."""
    body = make(CONFIG, worker=worker).body

    for resource in body["Resources"].values():
        properties = resource["Properties"]
        properties.pop("Environment", None)
        for container in properties.get("ContainerDefinitions", ()):
            container.pop("Environment")
    hidden = [name for name, declared in body["Parameters"].items() if declared.get("NoEcho")]
    rest = json.dumps({name: part for name, part in body.items() if name != "Parameters"})
    assert len(hidden) >= len(AT_RUN_TIME) - 1
    assert [name for name in hidden if name in rest] == []


FLOW = """\
queues: {q: {dead_letter: letters}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: things, item: {id: id, text: {value: "${API_TOKEN}"}}}}
"""
SECRET = "{{resolve:secretsmanager:${STAGE:-dev}/api:SecretString:token}}"


@pytest.mark.parametrize(("section", "worker"), [("function", False), ("worker", True)])
def test_a_reference_in_place_of_a_parameter(make: Any, section: str, worker: bool) -> None:
    """A variable of the config whose value is a reference to a secret has no parameter."""
    document = make(f"{section}: {{environment: {{API_TOKEN: '{SECRET}'}}}}\n{FLOW}", worker=worker)

    text = json.dumps(document.body)
    assert ("VariableApiToken" in text, sorted(document.variables)) == (False, ["STAGE"])
    assert json.dumps("{{resolve:secretsmanager:${VariableStage}/api:SecretString:token}}") in text


def test_a_reference_of_the_other_section(make: Any) -> None:
    """That of the worker is none of the function, which has a parameter then."""
    document = make(f"worker: {{environment: {{API_TOKEN: '{SECRET}'}}}}\n{FLOW}")

    assert "API_TOKEN" in document.variables


def test_a_reference_elsewhere(make: Any) -> None:
    """What CloudFormation would resolve by chance is refused."""
    with pytest.raises(UsageError) as raised:
        make(FLOW.replace("letters}", "letters, description: '{{resolve:ssm:/x}}'}"))

    assert "has '{{resolve:', which CloudFormation would replace" in str(raised.value)


def test_too_many_references(make: Any) -> None:
    """A template has sixty at most."""
    variables = ", ".join(f"A{number}: '{{{{resolve:ssm:/x}}}}'" for number in range(61))

    with pytest.raises(UsageError, match="the template has 61 dynamic references, and CloudFormation accepts 60"):
        make(f"function: {{environment: {{{variables}}}}}\n{FLOW}")
