"""The template as a whole, within the limits of AWS."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml
from msgspec import Struct, structs

from router.errors import ConfigError, UsageError
from router.model import Finding
from router.runtime.config.environment import RT005, Reference, split_references
from router.runtime.config.findings import describe
from router.runtime.config.secret_values import DYNAMIC_REFERENCE
from router.runtime.program.load import Loaded, Program, without_garbage_collector
from router.runtime.program.precompiled import File
from router.tools.check.run import examine_loaded, load_to_examine
from router.tools.check.variables import is_read_at_run_time
from router.tools.deploy.precompile import read_files
from router.tools.deploy.template import alarms, load_part, monitoring, resources, worker
from router.tools.deploy.template.expressions import (
    Json,
    Resources,
    Substitutions,
    ref,
    value_at,
)
from router.tools.deploy.template.limits import (
    MAX_RESOURCES,
    environments,
    require_limits,
    require_size,
)
from router.tools.deploy.template.plan import PlannedResource, make_plan
from router.tools.deploy.template.policies import make_policies

if TYPE_CHECKING:
    from yaml import SafeDumper as _FastestDumper
else:
    _FastestDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


MOST_ARNS = 150
"""The most outputs with the ARNs of queues and tables: cfn-lint warns of 180 of the 200 that a stack can have."""


class Document(Struct, frozen=True):
    """A template: its body, and the parameter of each variable of the config.

    By logical id: the routes of each queue, table and policy, and the previous KMS keys of queues and tables as texts.
    """

    body: Json
    routes: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, str]
    previous_keys: Mapping[str, str] = {}


class DeployableConfig(Struct, frozen=True):
    """A checked config and the text of its files; `findings` are those that it does not ignore."""

    path: Path
    program: Program
    loaded: Loaded
    files: tuple[File, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of its environment variables."""
        return tuple(Substitutions(self.files).variables)


def read_for_deployment(
    path: Path,
    env: Mapping[str, str] = os.environ,
    require: Callable[[DeployableConfig], object] | None = None,
) -> DeployableConfig:
    """Check and read a config for a template; variables in texts may be unset.

    `require` may refuse it before the rules of the check are run, which can take seconds. Raises ConfigError if it has
    errors, UsageError for a number from a variable that has no value.
    """
    with without_garbage_collector():
        loaded = load_to_examine(path, env, "warning")
        if require and loaded.program is not None:
            require(_deployable(path, loaded, loaded.program))
        report = examine_loaded(loaded)
    errors = tuple(finding for finding in report.findings if finding.code.severity == "error")
    if errors or loaded.program is None:
        # A variable that is not set may be the cause.
        raise ConfigError(
            tuple(each for each in report.findings if each in errors or each.code.id == RT005.id)
        )
    config = _deployable(path, loaded, loaded.program)
    for file in config.files:
        _require_values(file, env)
    return structs.replace(config, findings=report.findings)


def _deployable(path: Path, loaded: Loaded, program: Program) -> DeployableConfig:
    return DeployableConfig(path, program, loaded, read_files(path, program.config.include))


def _require_values(file: File, env: Mapping[str, str]) -> None:
    for typed in file.typed:
        if is_read_at_run_time(typed.path):
            continue
        for piece in split_references(value_at(typed.path, file.data)):
            if isinstance(piece, Reference) and piece.default is None and not env.get(piece.name):
                raise UsageError(
                    f"{describe(typed.path)} has the value of the variable {piece.name}, which has none: give it a "
                    f"default, as in ${{{piece.name}:-10}}, or pass a value by --env-file"
                )


def make_document(config: DeployableConfig, as_worker: bool = False) -> Document:
    """Return the template of a config; raises UsageError if it exceeds limits, with all of them."""
    plan = make_plan(config.program, Substitutions(config.files), as_worker)
    shared = load_part("monitoring.yaml")
    policies = make_policies(plan, resources.place_in(plan), "TaskRole" if as_worker else "Role")
    part = (worker.worker_part if as_worker else resources.function_part)(plan, policies)
    planned = (*plan.queues.values(), *plan.tables.values())
    made = [each for each in planned if each.made]
    scaling: Resources = {}
    for table in plan.tables.values():
        if table.made:
            scaling |= resources.scaling_resources(table)
    others = _distinct(resources.stored_resources(plan), scaling, part["Resources"])
    dashboards = monitoring.dashboard_resources(plan)
    room = MAX_RESOURCES - len(others) - len(dashboards)
    body: Json = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Message Router: the routes of {config.path.name}",
        "Parameters": {
            **part["Parameters"],
            **shared["Parameters"],
            **plan.substitutions.parameters([each.name for each in made], plan.section),
        },
        "Conditions": {
            **part["Conditions"],
            **shared["Conditions"],
            **alarms.conditions(plan),
        },
        "Resources": _distinct(others, alarms.alarm_resources(plan, room), dashboards),
        "Outputs": {
            **part["Outputs"],
            "LogGroupName": {"Value": ref(resources.LOG_GROUP)},
            "DashboardName": {"Value": ref("Dashboard")},
            **_outputs(made),
        },
    }
    _check_references(body)
    require_limits(body)
    variables = plan.substitutions.variables.values()
    return Document(
        body,
        {**{each.id: each.routes for each in made}, **policies.routes},
        {each.name: each.parameter for each in variables if each.parameter in body["Parameters"]},
        {each.id: each.kms_key_previous for each in made if each.kms_key_previous},
    )


def _outputs(made: Sequence[PlannedResource]) -> Json:
    """Return the ARNs of the queues and tables that the stack creates; none if they are too many."""
    if len(made) > MOST_ARNS:
        return {}
    return {f"{each.id}Arn": {"Value": each.arn_expression} for each in made}


def as_json(document: Document) -> str:
    """Return the template as JSON; raises UsageError if it is too long."""
    return require_size(
        msgspec.json.format(msgspec.json.encode(document.body), indent=2).decode() + "\n"
    )


def as_yaml(document: Document) -> str:
    """Return the template as YAML with the long forms of functions; raises UsageError if it is too long."""
    return require_size(
        yaml.dump(document.body, Dumper=_Plain, sort_keys=False, width=10_000, allow_unicode=True)
    )


class _Plain(_FastestDumper):
    """Writes equal values in full instead of using aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Disable aliases."""
        return True


def _check_references(body: Json) -> None:
    """Raise UsageError for a dynamic reference that CloudFormation would resolve by chance."""
    for id_, each in body["Resources"].items():
        in_environment = json.dumps(environments(each)).count(DYNAMIC_REFERENCE)
        if json.dumps(each).count(DYNAMIC_REFERENCE) > in_environment:
            raise UsageError(
                f"a text of the config in the resource {id_} has '{DYNAMIC_REFERENCE}', which CloudFormation would "
                "replace; a reference to a secret or parameter belongs into function.environment or worker.environment"
            )


def _distinct(*parts: Resources) -> Resources:
    """Return all resources; raises UsageError if two have one logical id."""
    found: Resources = {}
    for part in parts:
        for logical_id, resource in part.items():
            if logical_id in found:
                raise UsageError(
                    f"two resources of the config have the logical id {logical_id} in the template; rename one of them"
                )
            found[logical_id] = resource
    return found
