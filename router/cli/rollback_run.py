"""The steps of `router rollback`: find what the stack was before, compare, then change it as a deployment does."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import click

from router.aws.artifacts import Artifacts
from router.aws.stacks import Stack
from router.change.versions import ConfigVersion, open_package
from router.cli.diff_report import render
from router.cli.stack_run import StackRun
from router.errors import UsageError
from router.ops.deployment import Deployment
from router.ops.stack import PreparedChange, must_create
from router.ops.stack_versions import (
    StackVersion,
    as_deployment,
    find_stack,
    previous_version,
    read_environment,
    read_package_of,
)
from router.ops.template.expressions import variables_of
from router.ops.template.resources import CODE_BUCKET, CODE_KEY


class RollbackRun(StackRun):
    """One run of `router rollback`."""

    _how = "instead of rolling back, deploy the configuration of before and "

    def _run(self, closing: ExitStack) -> int:
        """Roll back; raises UsageError if there is nothing to return to."""
        stack = find_stack(self._stacks, self._options.stack)
        must_create(stack)  # raises UsageError for a stack that cannot be changed now
        bucket = self._options.bucket or stack.parameters.get(CODE_BUCKET, self._artifacts.bucket)
        if bucket != self._artifacts.bucket:
            self._artifacts = Artifacts(self._services["s3"], bucket, "", self._partition)
        old = self._version(stack)
        before = previous_version(self._artifacts, stack, old.body)
        if before is None:
            raise UsageError(
                f"nothing is known of what the stack '{stack.name}' was before: s3://{self._artifacts.bucket} has only "
                "what router deploy changed; --bucket names another bucket"
            )
        self._log(f"the stack returns to what it was until {before.until}")
        self._open_versions(stack, StackVersion(old.body, stack.parameters), before, closing)
        report = self._compare_routes()
        if report and not self._options.as_json:
            click.echo(render(report, "text", show_ignored=False))
        deployment = as_deployment(stack, before, self._pseudo)
        return self._change(self._with_routes(deployment, old), old, stack)

    def _open_versions(self, stack: Stack, now: StackVersion, before: StackVersion, closing: ExitStack) -> None:
        """Read the config that runs and the one before; those of workers are in images."""
        if CODE_KEY not in stack.parameters or CODE_KEY not in before.parameters:
            self._unread = "those of a worker are in its images"
            return
        env = read_environment(stack, self._services["lambda"])
        self._versions = self._open("now", now, env, closing), self._open("before", before, env, closing)

    def _open(self, label: str, version: StackVersion, env: Mapping[str, str], closing: ExitStack) -> ConfigVersion:
        package = read_package_of(version.parameters, self._services["s3"])
        return open_package(label, package, {**env, **variables_of(version.template, version.parameters)}, closing)

    def _review(self) -> Sequence[str]:
        # The comparison was shown before the change set. Who goes back is in a hurry, and what is broken ran before.
        return ()

    def _compare(self, deployment: Deployment, prepared: PreparedChange) -> int:
        return self._compare_running(1, deployment.template.body)
