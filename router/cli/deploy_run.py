"""The steps of `router deploy`: prepare, create the change set, show it, confirm, upload, execute, report."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
from msgspec import Struct

from router.aws.artifacts import Artifacts
from router.aws.control_plane import ServiceClient, caller_account
from router.aws.stacks import Stacks
from router.cli.deploy_report import as_record, explain_failure, show_changes, show_result
from router.cli.stack_progress import watch
from router.cli.terminal import confirm, diagnostics
from router.dev.display import to_json
from router.errors import UsageError
from router.ops.build import build
from router.ops.change_set import DeploymentResult, PreparedChange, create_change_set, discard, execute, read_result
from router.ops.changes import PlannedChange
from router.ops.deployment import FOLDER, Deployment, Package, make_deployment, read_package
from router.ops.stack_status import must_create, require_own
from router.ops.template.document import DeployableConfig, make_document


class DeployOptions(Struct, frozen=True):
    """The options of `router deploy`."""

    stack: str
    bucket: str
    package: Path | None
    worker: bool
    dry_run: bool
    allow_destructive: bool
    yes: bool
    as_json: bool


class DeployRun:
    """One run of `router deploy`."""

    def __init__(
        self,
        options: DeployOptions,
        services: Mapping[str, ServiceClient],
        config: DeployableConfig,
        given: Mapping[str, str],
        env: Mapping[str, str],
    ) -> None:
        self._options, self._config, self._given, self._env = options, config, given, env
        self._console = diagnostics()
        self._stacks = Stacks(services["cloudformation"])
        account, self._partition = caller_account(services["sts"])
        self._bucket = options.bucket or f"{FOLDER}-{account}-{self._stacks.region}"
        owner = "" if options.bucket else account
        self._artifacts = Artifacts(services["s3"], self._bucket, owner, self._partition)

    def run(self) -> int:
        """Deploys; returns the exit code."""
        # Checked before the build, which takes long.
        stack = self._stacks.find(self._options.stack)
        must_create(stack)
        require_own(self._stacks, stack)
        with tempfile.TemporaryDirectory(prefix="router-deploy-") as folder:
            deployment = self._prepare(Path(folder))
            with self._console.status("creating the change set"):
                template = deployment.upload_template(self._artifacts)
                prepared = create_change_set(self._stacks, deployment.stack, template, deployment.parameters)
            if prepared.changes is None:
                self._log(f"the stack '{prepared.stack}' is up to date: nothing to change")
                return self._report((), 0)
            planned = deployment.describe(prepared.changes)
            try:
                code = self._decide(planned)
                if code is None:
                    self._upload(deployment)
            except BaseException:
                discard(self._stacks, prepared)
                raise
            if code is not None:
                discard(self._stacks, prepared)
                return self._report(planned, code)
            result = self._execute(prepared, len(planned))
        if not result.succeeded:
            self._log(explain_failure(result, prepared.stack, prepared.creates))
        elif not self._options.as_json:
            resources = self._stacks.resources(prepared.stack_id)
            show_result(result, resources, prepared.stack, self._stacks.region, self._partition)
        return self._report(planned, int(not result.succeeded), result)

    def _prepare(self, folder: Path) -> Deployment:
        package = None if self._options.worker else self._package(folder)
        document = make_document(self._config, self._options.worker)
        return make_deployment(self._options.stack, document, package, self._bucket, self._given, self._env)

    def _package(self, folder: Path) -> Package:
        if self._options.package:
            return read_package(self._options.package, self._config.path, self._env)
        with self._console.status("building the package") as status:
            built = build(self._config.path, folder / "lambda.zip", None, self._env, status.update)
        if built.over:
            raise UsageError(f"the package is too large for Lambda: {built.over}; 'router build' shows its content")
        self._log(f"built the package for {built.target}: {built.size / 1e6:.1f} MB")
        return Package(built.path, built.size, built.sha256)

    def _decide(self, planned: tuple[PlannedChange, ...]) -> int | None:
        """Shows the changes; returns None if they are to be made, else the exit code."""
        options = self._options
        if not options.as_json:
            show_changes(planned)
        lost = [each for each in planned if each.loses]
        if options.dry_run:
            self._log("this was a dry run: nothing is changed")
            return 0
        if lost and not options.allow_destructive:
            what = "; ".join(f"'{each.name}': {each.warning}" for each in lost)
            self._log(f"refused without --allow-destructive: {what}")
            return 1
        if not options.yes and not confirm(f"Change the stack '{options.stack}'?"):
            self._log("nothing was changed")
            return 1
        return None

    def _upload(self, deployment: Deployment) -> None:
        package = deployment.package
        if package is None:
            return
        with self._console.status(f"uploading the package: {package.size / 1e6:.1f} MB"):
            uploaded = deployment.upload_package(self._artifacts)
        where = f"s3://{self._bucket}/{package.key}"
        self._log(f"uploaded the package to {where}" if uploaded else f"the package is already at {where}")

    def _execute(self, prepared: PreparedChange, total: int) -> DeploymentResult:
        what = f"{'creating' if prepared.creates else 'updating'} {prepared.stack}"
        try:
            events = watch(self._console, execute(self._stacks, prepared), prepared.stack_id, what, total)
        except KeyboardInterrupt:
            self._log(f"AWS continues to change the stack '{prepared.stack}'; deploy again to see the result")
            raise
        return read_result(self._stacks, prepared, events)

    def _report(self, planned: tuple[PlannedChange, ...], code: int, result: DeploymentResult | None = None) -> int:
        if self._options.as_json:
            click.echo(to_json(as_record(self._options.stack, self._stacks.region, planned, result), indent=2))
        return code

    def _log(self, sentence: str) -> None:
        click.echo(sentence, err=True)
