"""The steps of `router rollback`: find what the stack was before, compare, then change it as a deployment does."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import click

from router.aws.artifacts import Artifacts
from router.aws.stacks import Stack
from router.change.compare import compare_versions
from router.change.report import DiffReport
from router.change.versions import ConfigVersion, open_package
from router.cli.deploy_run import StackRun
from router.cli.diff_report import render
from router.errors import UsageError
from router.ops.deployed_code import find_stack, read_environment, read_package_of
from router.ops.deployment import Deployment
from router.ops.history import StackVersion, as_deployment, previous_version
from router.ops.property_changes import TemplateVersion
from router.ops.stack import PreparedChange, must_create
from router.ops.template.expressions import variables_of
from router.ops.template.resources import CODE_BUCKET, CODE_KEY


class RollbackRun(StackRun):
    """One run of `router rollback`."""

    _diff: DiffReport | None = None

    def run(self) -> int:
        """Roll back, and return the exit code; raises UsageError if there is nothing to return to."""
        stack = find_stack(self._stacks, self._options.stack)
        must_create(stack)  # raises UsageError for a stack that cannot be changed now
        bucket = self._options.bucket or stack.parameters.get(CODE_BUCKET, self._artifacts.bucket)
        if bucket != self._artifacts.bucket:
            self._artifacts = Artifacts(self._services["s3"], bucket, "", self._partition)
        template = self._stacks.template(stack.id)
        before = previous_version(self._artifacts, stack, template)
        if before is None:
            raise UsageError(
                f"nothing is known of what the stack '{stack.name}' was before: s3://{self._artifacts.bucket} has only "
                "what router deploy changed; --bucket names another bucket"
            )
        self._log(f"the stack returns to what it was until {before.until}")
        self._diff = self._compare_configs(stack, template, before)
        if self._diff and not self._options.as_json:
            click.echo(render(self._diff, "text", show_ignored=False))
        return self._change(as_deployment(stack, before), TemplateVersion(template, stack.parameters), stack)

    def _compare_configs(self, stack: Stack, template: Mapping[str, Any], before: StackVersion) -> DiffReport | None:
        """Return the comparison of the config that runs with the one before; None for workers, which are images."""
        if CODE_KEY not in stack.parameters or CODE_KEY not in before.parameters:
            self._log("the configs are not compared: those of a worker are in its images")
            return None
        now = StackVersion(template, stack.parameters)
        env = read_environment(stack, self._services["lambda"])
        with ExitStack() as closing:
            old, new = (self._open(label, each, env, closing) for label, each in (("now", now), ("before", before)))
            return compare_versions(old, new)

    def _open(self, label: str, version: StackVersion, env: Mapping[str, str], closing: ExitStack) -> ConfigVersion:
        package = read_package_of(version.parameters, self._services["s3"])
        return open_package(label, package, {**env, **variables_of(version.template, version.parameters)}, closing)

    def _compare(self, deployment: Deployment, prepared: PreparedChange) -> int:
        return 0

    def _more(self) -> Mapping[str, Any]:
        return {"diff": json.loads(render(self._diff, "json", show_ignored=False)) if self._diff else None}
