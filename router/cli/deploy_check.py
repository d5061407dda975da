"""The end of `router deploy`: compares what is deployed with the config, as `router check --live` does."""

from collections.abc import Mapping
from pathlib import Path

import click

from router.aws.stacks import Stacks
from router.change.versions import ConfigVersion
from router.check.ignore import ignore_findings
from router.check.rule import LIVE
from router.check.run import RULE_FAILED, examine
from router.cli.report import count_findings, show_findings
from router.model import Finding
from router.ops.live import LiveComparison

_TASK_ROLE = "TaskRole"


def compare_deployed(config: Path, env: Mapping[str, str], function: str, role: str = "") -> tuple[Finding, ...]:
    """Return the errors and warnings about what is deployed, without those that the config ignores.

    `env` has the values that the function or worker has. The permissions are those of the function or of the role.
    """
    report = examine(config, env, LiveComparison(function, role=role), rules=())
    # Those about the config itself were shown before the deployment.
    about = [each for each in report.findings if each.code.id.startswith(LIVE) or each.code == RULE_FAILED]
    return tuple(each for each in about if each.code.severity != "info")


def compare_running(version: ConfigVersion, function: str) -> tuple[Finding, ...]:
    """Return the errors and warnings about what is deployed, beside a config that a package has.

    `function` is its name, with the alias that is called, if there is one. Those that the config ignores are left out.
    """
    loaded = version.loaded
    known = set(loaded.findings)
    LiveComparison(function)(loaded)
    ignored = {each.finding for each in ignore_findings(loaded, frozenset(), live=True)}
    about = [each for each in loaded.findings if each not in known and each not in ignored]
    return tuple(version.relabel(each) for each in about if each.code.severity != "info")


def role_of_worker(stacks: Stacks, stack_id: str, partition: str, account: str) -> str:
    """Return the ARN of the role of the worker's tasks, or "" if the stack has none."""
    names = [each.physical_id for each in stacks.resources(stack_id) if each.logical_id == _TASK_ROLE]
    return f"arn:{partition}:iam::{account}:role/{names[0]}" if names else ""


def show_comparison(findings: tuple[Finding, ...]) -> None:
    """Print the findings, and how many there are, to standard error."""
    show_findings(findings, err=True)
    click.echo(f"compared what is deployed with the config: {count_findings(findings)}", err=True)


def has_errors(findings: tuple[Finding, ...]) -> bool:
    """Return whether a finding is an error."""
    return any(each.code.severity == "error" for each in findings)
