"""The steps of `router deploy`: prepare, create the change set, show it, confirm, upload, execute, report."""

import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import click
from msgspec import Struct, structs
from rich.console import Console

from router.aws.artifacts import Artifacts
from router.aws.control_plane import ServiceClient, caller_account, count_items, count_messages, read_table
from router.aws.stacks import Stack, StackEvent, Stacks
from router.cli.deploy_canary import why_not_side_by_side
from router.cli.deploy_check import compare_deployed, has_errors, role_of_worker, show_comparison
from router.cli.deploy_report import as_record, describe_key, explain_failure, show_changes, show_result
from router.cli.report import finding_record
from router.cli.terminal import confirm, confirm_by_typing, literal, output
from router.dev.compare import to_json
from router.errors import UsageError
from router.model import Finding
from router.ops.archive import Archive
from router.ops.build import build
from router.ops.changes import PlannedChange, kind_of, resource_name
from router.ops.deployment import FOLDER, Deployment, make_deployment, package_key, read_package, tables_by_name
from router.ops.history import keep_version
from router.ops.property_changes import TemplateVersion
from router.ops.stack import (
    DeploymentResult,
    PreparedChange,
    create_change_set,
    discard,
    execute,
    is_about_stack,
    is_in_progress,
    must_create,
    read_result,
    require_own,
)
from router.ops.template.canary import ALIAS_NAME, Canary, has_alias, with_alias
from router.ops.template.document import DeployableConfig, make_document, read_for_deployment
from router.ops.template.expressions import variables_of
from router.ops.template.policies import MAX_ATTACHED
from router.printable import printable_lines


def watch(console: Console, events: Iterator[StackEvent], stack_id: str, what: str) -> list[StackEvent]:
    """Print a line for each event; return the events."""
    seen: list[StackEvent] = []
    latest: dict[str, tuple[str, str]] = {}
    with console.status(what):
        for event in events:
            seen.append(event)
            # AWS reports the start of an operation twice.
            if latest.get(event.logical_id) != (event.status, event.type):
                console.print(_line(event, stack_id))
            latest[event.logical_id] = (event.status, event.type)
    return seen


def _line(event: StackEvent, stack_id: str) -> str:
    whole = is_about_stack(event, stack_id)
    name = event.logical_id if whole else resource_name(event.type, event.logical_id, event.physical_id)
    reason = f"  {literal(event.reason)}" if event.reason and event.status.endswith("_FAILED") else ""
    status = f"[{_colour(event.status)}]{event.status:<20}[/]"
    time = f"{event.at.astimezone(UTC):%H:%M:%SZ}"
    return f"{time}  {status}  {kind_of(event.type):<20}  {literal(name)}{reason}"


def _colour(status: str) -> str:
    if "FAILED" in status:
        return "bold red"
    if "ROLLBACK" in status:
        return "yellow"
    return "dim" if is_in_progress(status) else "green"


class ChangeOptions(Struct, frozen=True, kw_only=True):
    """The options of each command that changes a stack."""

    stack: str
    bucket: str
    dry_run: bool
    allow_destructive: bool
    yes: bool
    as_json: bool


class DeployOptions(ChangeOptions, frozen=True, kw_only=True):
    """The options of `router deploy`."""

    package: Path | None
    worker: bool
    allowed: tuple[str, ...]
    canary: Canary | None


class StackRun(ABC):
    """The steps that all commands share which change a stack: show the changes, confirm, execute, report."""

    def __init__(self, options: ChangeOptions, services: Mapping[str, ServiceClient]) -> None:
        self._options = options
        self._console = output(stderr=True)
        self._services = services
        self._stacks = Stacks(services["cloudformation"])
        self._account, self._partition = caller_account(services["sts"])
        bucket = options.bucket or f"{FOLDER}-{self._account}-{self._stacks.region}"
        owner = "" if options.bucket else self._account
        self._artifacts = Artifacts(services["s3"], bucket, owner, self._partition)

    def _change(self, deployment: Deployment, old: TemplateVersion, stack: Stack | None) -> int:
        """Change a stack, which is `old` now, and return the exit code; `stack` is None for a new one."""
        with self._console.status("creating the change set"):
            template = deployment.upload_template(self._artifacts)
            prepared = create_change_set(self._stacks, deployment.stack, template, deployment.parameters)
        if prepared.changes is None:
            self._log(f"the stack '{prepared.stack}' is up to date: nothing to change")
            return self._report(deployment, (), self._compare(deployment, prepared))
        planned = self._count(deployment.describe(prepared.changes, old))
        if (policies := deployment.policies_beside(old.body)) > MAX_ATTACHED:
            self._log(
                f"the role has {policies} managed policies during this change: AWS refuses over {MAX_ATTACHED}, "
                "unless the quota of the account is higher; change fewer routes at a time"
            )
        try:
            code = self._decide(deployment, planned)
            if code is None:
                self._upload(deployment)
                if stack and not prepared.creates:
                    keep_version(self._artifacts, stack, old.body)
        except BaseException:
            discard(self._stacks, prepared)
            raise
        if code is not None:
            discard(self._stacks, prepared)
            return self._report(deployment, planned, code)
        result = self._execute(prepared)
        return self._report(deployment, planned, self._finish(deployment, prepared, result), result)

    @abstractmethod
    def _compare(self, deployment: Deployment, prepared: PreparedChange) -> int:
        """Compare what is deployed with what is to be, and return the exit code."""

    def _more(self) -> Mapping[str, Any]:
        """Return what else is in the JSON."""
        return {}

    def _finish(self, deployment: Deployment, prepared: PreparedChange, result: DeploymentResult) -> int:
        """Show the result, and compare what is deployed with the config; return the exit code."""
        if not result.succeeded:
            self._log(explain_failure(result, prepared.stack, prepared.creates))
            return 1
        if not self._options.as_json:
            resources = self._stacks.resources(prepared.stack_id)
            show_result(result, resources, prepared.stack, self._stacks.region, self._partition)
        return self._compare(deployment, prepared)

    def _decide(self, deployment: Deployment, planned: tuple[PlannedChange, ...]) -> int | None:
        """Show the changes; return None if they are to be made, else the exit code."""
        options = self._options
        if not options.as_json:
            show_changes(planned)
        for name, (before, after) in deployment.changes.items():
            self._log(f"parameter {name}: {before or 'empty'} → {after or 'empty'}")
        lost = [each for each in planned if each.loses]
        if options.dry_run:
            self._log("this was a dry run: nothing is changed")
            return 0
        if lost and not options.allow_destructive:
            what = "; ".join(f"'{each.name}': {each.warning}" for each in lost)
            self._log(f"refused without --allow-destructive: {what}")
            return 1
        question = f"Change the stack '{options.stack}'?"
        sentence = "Messages or items are lost."
        if not options.yes and not (confirm_by_typing(options.stack, sentence) if lost else confirm(question)):
            self._log("nothing was changed")
            return 1
        return None

    def _count(self, planned: tuple[PlannedChange, ...]) -> tuple[PlannedChange, ...]:
        """Return the changes with the number of messages or items of what may lose them, or leaves the stack."""
        return tuple(structs.replace(each, stored=self._stored(each)) if each.is_counted else each for each in planned)

    def _stored(self, planned: PlannedChange) -> int | None:
        if planned.kind == "queue":
            return count_messages(self._services["sqs"], planned.physical_id)
        return count_items(self._services["dynamodb"], planned.physical_id)

    def _upload(self, deployment: Deployment) -> None:
        package = deployment.package
        if package is None:
            return
        with self._console.status(f"uploading the package: {package.size / 1e6:.1f} MB"):
            uploaded = deployment.upload_package(self._artifacts)
        where = f"s3://{self._artifacts.bucket}/{package_key(package)}"
        self._log(f"uploaded the package to {where}" if uploaded else f"the package is already at {where}")

    def _execute(self, prepared: PreparedChange) -> DeploymentResult:
        what = f"{'creating' if prepared.creates else 'updating'} {prepared.stack}"
        try:
            events = watch(self._console, execute(self._stacks, prepared), prepared.stack_id, what)
        except KeyboardInterrupt:
            self._log(f"AWS continues to change the stack '{prepared.stack}'; deploy again to see the result")
            raise
        return read_result(self._stacks, prepared, events)

    def _report(
        self,
        deployment: Deployment,
        planned: tuple[PlannedChange, ...],
        code: int,
        result: DeploymentResult | None = None,
    ) -> int:
        if self._options.as_json:
            record = as_record(self._options.stack, self._stacks.region, planned, deployment.changes, result)
            click.echo(to_json({**record, **self._more()}, indent=2))
        return code

    def _log(self, sentence: str) -> None:
        click.echo(printable_lines(sentence), err=True)


class DeployRun(StackRun):
    """One run of `router deploy`."""

    def __init__(
        self,
        options: DeployOptions,
        services: Mapping[str, ServiceClient],
        config: Path,
        given: Mapping[str, str],
        env: Mapping[str, str],
    ) -> None:
        super().__init__(options, services)
        self._deploys, self._path, self._given, self._env = options, config, given, env
        self._known = env
        self._findings: tuple[Finding, ...] | None = None

    def run(self) -> int:
        """Deploy, and return the exit code; raises ConfigError for a config with errors."""
        # Checked before the build, which takes long.
        stack = self._stacks.find(self._options.stack)
        creates = must_create(stack)
        require_own(self._stacks, stack)
        old = TemplateVersion({})
        if stack and not creates:
            old = TemplateVersion(self._stacks.template(stack.id), stack.parameters)
        # A variable that is not set keeps its value: as a parameter, and where the template has its value.
        known = {name: value for name, value in self._env.items() if value or name in self._given}
        self._known = variables_of(old.body, old.values) | known
        config = read_for_deployment(self._path, self._known)
        with tempfile.TemporaryDirectory(prefix="router-deploy-") as folder:
            deployment = self._prepare(config, Path(folder), old)
            if self._deploys.canary and has_alias(old.body):
                refusal = why_not_side_by_side(deployment.stack, self._path, self._known)
                if refusal:
                    self._log(refusal)
                    return self._report(deployment, (), 1)
            self._look_at_imports(deployment, old)
            return self._change(deployment, old, stack)

    def _compare(self, deployment: Deployment, prepared: PreparedChange) -> int:
        """Compare what is deployed with the config, and show the findings; return the exit code."""
        if self._options.dry_run:
            return 0
        role = ""
        if self._deploys.worker:
            role = role_of_worker(self._stacks, prepared.stack_id, self._partition, self._account)
        with self._console.status("comparing what is deployed with the config"):
            env = {**self._known, **deployment.variables}
            # The event source mappings call the alias, if there is one.
            alias = f":{ALIAS_NAME}" if has_alias(json.loads(deployment.body)) else ""
            function = "" if self._deploys.worker else f"{prepared.stack}{alias}"
            self._findings = compare_deployed(self._path, env, function, role)
        show_comparison(self._findings)
        return int(has_errors(self._findings))

    def _look_at_imports(self, deployment: Deployment, old: TemplateVersion) -> None:
        """Say which existing tables will be imported; raises UsageError for one with another key."""
        tables = tables_by_name(json.loads(deployment.body))
        known = tables_by_name(old.body)
        for name, key in tables.items():
            found = None if name in known else read_table(self._services["dynamodb"], name)
            if found and found.key != key:
                raise UsageError(
                    f"the table '{name}' exists with the key {describe_key(found.key)}, and the config says "
                    f"{describe_key(key)}: give the table of the config another name, or the key that it has"
                )
            if found:
                ttl = f"items expire by '{found.ttl}'" if found.ttl else "no time to live"
                capacity = "provisioned capacity" if found.is_provisioned else "on-demand capacity"
                size = f"about {found.items} items, {found.indexes} secondary indexes"
                self._log(f"the table '{name}' exists and is imported as it is: {size}, {capacity}, {ttl}")

    def _prepare(self, config: DeployableConfig, folder: Path, old: TemplateVersion) -> Deployment:
        package = None if self._deploys.worker else self._package(folder)
        document = make_document(config, self._deploys.worker)
        if self._deploys.canary or has_alias(old.body):
            document = with_alias(document, self._deploys.canary)
        if self._deploys.canary and not has_alias(old.body):
            self._log("the stack has no alias yet: this deployment makes it, and shifts nothing; the next one does")
        stack, bucket = self._options.stack, self._artifacts.bucket
        return make_deployment(stack, document, package, bucket, self._given, self._env, old.values)

    def _package(self, folder: Path) -> Archive:
        if self._deploys.package:
            return read_package(self._deploys.package, self._path, self._known)
        with self._console.status("building the package") as status:
            built = build(
                self._path,
                folder / "lambda.zip",
                env=self._known,
                report=status.update,
                allowed=self._deploys.allowed,
            )
        package = built.archive
        if package.over:
            raise UsageError(f"the package is too large for Lambda: {package.over}; 'router build' shows its content")
        without = f", without bytecode: {built.no_bytecode}" if built.no_bytecode else ""
        self._log(f"built the package for {built.target}: {package.size / 1e6:.1f} MB{without}")
        return package

    def _more(self) -> Mapping[str, Any]:
        findings = None if self._findings is None else list(map(finding_record, self._findings))
        return {"findings": findings}
