"""The steps of each command that changes a stack: create the change set, show it, confirm, execute, report."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Literal

from msgspec import Struct, structs

from router.model import Finding
from router.runtime.printable import printable_lines
from router.tools.change.compare import compare_versions, side_by_side
from router.tools.change.consequences import LeftQueue, left_queues
from router.tools.change.deployments import routes_by_resource
from router.tools.change.report import DiffReport
from router.tools.change.versions import ConfigVersion
from router.tools.check.run import finding_record, ignore_findings
from router.tools.cli.deploy_report import (
    as_record,
    explain_failure,
    show_changes,
    show_parameters,
    show_result,
    watch,
)
from router.tools.cli.diff_report import as_diff_record
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.options import Repeated
from router.tools.cli.report import count_findings, show_findings
from router.tools.cli.steps_before import StepsBefore
from router.tools.cli.terminal import Answers, output
from router.tools.cli.version_probe import VersionProbe
from router.tools.control_plane.artifacts import Artifacts
from router.tools.control_plane.clients import (
    AwsCallError,
    ServiceClient,
    caller_account,
    count_items,
    count_messages,
    find_queue,
)
from router.tools.control_plane.stacks import Stack, Stacks, StackTemplate
from router.tools.deploy.changes import (
    PlannedChange,
    TemplateVersion,
    confirmation_words,
    in_order,
    leave_queue,
)
from router.tools.deploy.deleted_queues import (
    deleted_queues,
    wait_for_names,
)
from router.tools.deploy.deployment import FOLDER, Deployment, package_key
from router.tools.deploy.index_updates import IndexUpdate, index_updates
from router.tools.deploy.live import LiveComparison
from router.tools.deploy.local_server import enable_expiry
from router.tools.deploy.preconditions import new_stores, require_free_names
from router.tools.deploy.stack import (
    DeploymentResult,
    PreparedChange,
    create_change_set,
    discard,
    execute,
    read_result,
    with_reason,
)
from router.tools.deploy.stack_versions import (
    keep_version,
    may_hide,
    read_environment,
)
from router.tools.deploy.stored_policies import with_lost_grants
from router.tools.deploy.template.alias import function_reference, needs_alias
from router.tools.deploy.template.expressions import hidden_parameters
from router.tools.deploy.template.policies import MAX_ATTACHED
from router.tools.deploy.template.worker import (
    START_FIRST,
    STOP_FIRST,
    TASK_ROLE,
    has_worker,
    with_rolling,
)

PlannedChanges = tuple[PlannedChange, ...]


class ChangeOptions(Struct, frozen=True, kw_only=True):
    """The options of each command that changes a stack."""

    stack: str
    bucket: str
    dry_run: bool
    allow_destructive: bool
    confirmed: Repeated
    yes: bool
    as_json: bool


class StackRun(ABC):
    """The steps that all commands share which change a stack: show the changes, confirm, execute, report."""

    _versions: tuple[ConfigVersion, ConfigVersion] | None = None
    """The config that runs and the one that is to run; None if one of them cannot be read."""
    _unread = ""
    """Why there are no `_versions`."""
    _drift = ""
    """What says that the function has another package than the stack names; "" if it has that one."""
    _reverts_drift = False
    """Whether what was changed by hand is repaired."""
    _untested = ""
    """Why the package was not imported on this machine; "" if it was."""
    _how = ""
    """How advice begins to leave a queue alone, for a command that has no config to change."""
    _diff: DiffReport | None = None
    """The comparison of `_versions`, once it is made."""
    _findings: tuple[Finding, ...] | None = None
    """What the comparison with what is deployed has found; None if nothing was compared."""
    _not_restored: tuple[str, ...] = ()
    """The variables whose values a rollback cannot restore."""

    def __init__(self, options: ChangeOptions, services: Mapping[str, ServiceClient]) -> None:
        self._options = options
        self._console = output(stderr=True)
        self._services = services
        self._stacks = Stacks(services["cloudformation"])
        self._account, self._partition = caller_account(services["sts"])
        bucket = options.bucket or f"{FOLDER}-{self._account}-{self._stacks.region}"
        owner = "" if options.bucket else self._account
        self._artifacts = Artifacts(services["s3"], bucket, owner, self._partition)
        self._pseudo = {
            "AWS::AccountId": self._account,
            "AWS::Partition": self._partition,
            "AWS::Region": self._stacks.region,
            "AWS::StackName": options.stack,
        }

    def run(self) -> int:
        """Change the stack, and return the exit code; raises RouterError."""
        self._log(
            f"account {self._account}, region {self._stacks.region}, stack '{self._options.stack}'"
        )
        with ExitStack() as closing:
            return self._run(closing)

    @abstractmethod
    def _run(self, closing: ExitStack) -> int:
        """Prepare and change the stack; `closing` removes temporary files at the end."""

    def _version(self, stack: Stack) -> TemplateVersion:
        """Return the template of a stack with the values of its parameters, without those that AWS hides."""
        body = self._stacks.template(stack.id)
        hidden = hidden_parameters(body)
        visible = {name: value for name, value in stack.parameters.items() if name not in hidden}
        return TemplateVersion(body, {**self._pseudo, **visible})

    def _hidden_values(self, stack: Stack, template: Mapping[str, Any]) -> dict[str, str]:
        """Return the variables that CloudFormation does not tell, as far as the function or the tasks have them."""
        if not may_hide(template):
            return {}
        try:
            return read_environment(stack, self._services)
        except AwsCallError as error:
            self._log(f"the hidden values of the stack are not known here: {error}")
            return {}

    def _change(self, deployment: Deployment, old: TemplateVersion, stack: Stack | None) -> int:
        """Change a stack, which is `old` now, and return the exit code; `stack` is None for a new one."""
        stores = [*new_stores(old, deployment.template)]
        require_free_names(stores, self._services, self._log, self._how)
        deleted = deleted_queues(self._stacks, deployment.stack, stack)
        updates = index_updates(old, deployment.template)
        with self._console.status("creating the change set"):
            template = deployment.upload_template(self._artifacts)
            prepared = self._propose(deployment, template)
        self._tell_of_drift(prepared)
        if prepared.changes is None and self._drift:
            self._log(f"CloudFormation sees nothing to change, but {self._drift}")
            return self._report(deployment, (), 1)
        if prepared.changes is None:
            self._log(f"the stack '{prepared.stack}' is up to date: nothing to change")
            return self._report(deployment, (), self._complete(deployment, prepared))
        self._tell_updates(updates)
        described = self._with_left(self._count(deployment.describe(prepared.changes, old)))
        planned = self._with_policies(described, deployment, old)
        self._warn_of_policies(deployment.policies_beside(old.body))
        change_sets = [prepared]
        steps = StepsBefore(
            self._stacks, self._artifacts, self._services["dynamodb"], self._console, self._log
        )
        try:
            if (
                stack
                and not self._options.dry_run
                and needs_alias(old.body, deployment.template.body)
            ):
                change_sets.insert(0, steps.propose_alias(stack, old))
            code = self._decide(deployment, planned, old)
            if code is None:
                self._upload(deployment)
                wait_for_names({store.name for store in stores}, deleted, self._log)
                if stack and not prepared.creates:
                    keep_version(self._artifacts, stack, old.body)
        except BaseException:
            # Also after Ctrl-C: a change set that is left would be in the way of the next one.
            self._discard(change_sets)
            raise
        if code is not None:
            self._discard(change_sets)
            return self._report(deployment, planned, code)
        if stack and updates:
            # They were shown, and would be obsolete after a step.
            self._discard(change_sets)
        for step in steps.make(stack, old, updates, change_sets[:-1]):
            result = self._execute(step)
            if not result.succeeded:
                code = self._finish(deployment, prepared, result)
                return self._report(deployment, planned, code, result)
        if steps.before is not None:
            prepared = steps.check(self._propose(deployment, template))
        probe = VersionProbe(self._stacks, old.body, deployment.template.body)
        result = self._execute(prepared, probe)
        return self._report(deployment, planned, self._finish(deployment, prepared, result), result)

    def _propose(self, deployment: Deployment, template: StackTemplate) -> PreparedChange:
        return create_change_set(
            self._stacks,
            deployment.stack,
            template,
            deployment.parameters,
            reverts_drift=self._reverts_drift,
        )

    def _tell_of_drift(self, prepared: PreparedChange) -> None:
        if self._reverts_drift and not prepared.creates and not prepared.reverts_drift:
            self._log(
                "what was changed by hand is named at the end, and stays: no drift-aware change set was made, which "
                "AWS and boto3 have to know"
            )

    def _tell_updates(self, updates: Sequence[IndexUpdate]) -> None:
        if len(updates) > 1:
            self._log(
                f"the indexes change in {len(updates)} updates of the stack, since AWS creates or deletes one index "
                f"of a table at a time: {'; '.join(each.in_words for each in updates)}"
            )

    def _discard(self, change_sets: Sequence[PreparedChange]) -> None:
        for each in change_sets:
            discard(self._stacks, each)

    def _with_routes(self, deployment: Deployment, old: TemplateVersion) -> Deployment:
        """Return a deployment with the routes of what both configs deploy: of what leaves the stack, too."""
        if self._versions is None:
            return deployment
        templates = (old.body, deployment.template.body)
        found = [routes_by_resource(*both) for both in zip(self._versions, templates, strict=True)]
        return structs.replace(deployment, routes={**found[0], **found[1], **deployment.routes})

    def _stop_first(self, deployment: Deployment) -> Deployment:
        """Return a deployment whose service stops its old tasks first if both configs must not write side by side."""
        if self._versions:
            reasons = side_by_side(*self._versions)
        else:
            reasons = (f"it is not known whether both versions may write: {self._unread}",)
        for reason in reasons:
            self._log(f"the old tasks stop before new ones start: {reason}")
        percents = STOP_FIRST if reasons else START_FIRST
        return deployment.with_body(with_rolling(deployment.template.body, percents))

    def _warn_of_policies(self, count: int) -> None:
        if count > MAX_ATTACHED:
            self._log(
                f"the role has {count} managed policies during this change: AWS refuses over {MAX_ATTACHED}, "
                "unless the quota of the account is higher; change fewer routes at a time"
            )

    @abstractmethod
    def _compare(self, deployment: Deployment, prepared: PreparedChange) -> int:
        """Compare what is deployed with what was to be, and return the exit code."""

    @abstractmethod
    def _review(self, deployment: Deployment) -> Sequence[str]:
        """Show what changes for messages, and return why the change is refused."""

    def _compare_routes(self) -> DiffReport | None:
        """Return the comparison of both configs, which is made once; None, with a reason, if one cannot be read."""
        if self._diff is None and self._versions:
            with self._console.status("comparing the routes with those that run"):
                self._diff = compare_versions(*self._versions)
        if self._diff is None and self._unread:
            self._log(f"the routes are not compared with those that run: {self._unread}")
        return self._diff

    def _compare_running(self, which: Literal[0, 1], template: Mapping[str, Any]) -> int:
        """Compare what is deployed with one of the configs, and show what it does not ignore; return the exit code."""
        if self._versions is None:
            self._log(f"what is deployed is not compared with the configuration: {self._unread}")
            return 0
        version = self._versions[which]
        loaded = version.loaded
        known = set(loaded.findings)
        with self._console.status("comparing what is deployed with the config"):
            self._live_comparison(template)(loaded)
        ignored = {each.finding for each in ignore_findings(loaded, frozenset(), live=True)}
        about = [each for each in loaded.findings if each not in known and each not in ignored]
        return self._show_findings(map(version.relabel, about))

    def _live_comparison(self, template: Mapping[str, Any]) -> LiveComparison:
        """Return the comparison with what a template has deployed: with its function, or the role of its tasks."""
        stack = self._options.stack
        if not has_worker(template):
            return LiveComparison(function_reference(stack, template))
        resources = self._stacks.resources(stack)
        (name,) = (each.physical_id for each in resources if each.logical_id == TASK_ROLE)
        return LiveComparison("", role=f"arn:{self._partition}:iam::{self._account}:role/{name}")

    def _show_findings(self, found: Iterable[Finding]) -> int:
        """Print the errors and warnings about what is deployed, and how many there are; return the exit code."""
        self._findings = tuple(each for each in found if each.code.severity != "info")
        show_findings(self._findings, err=True)
        self._log(f"compared what is deployed with the config: {count_findings(self._findings)}")
        return int(any(each.code.severity == "error" for each in self._findings))

    def _finish(
        self, deployment: Deployment, prepared: PreparedChange, result: DeploymentResult
    ) -> int:
        """Show the result, and compare what is deployed with the config; return the exit code."""
        if not result.succeeded:
            self._log(explain_failure(result, prepared.stack, prepared.creates))
            if result.is_about_probe:
                self._explain_probe(prepared)
            return 1
        if not self._options.as_json:
            resources = self._stacks.resources(prepared.stack_id)
            show_result(result, resources, prepared.stack, self._stacks.region, self._partition)
        return self._complete(deployment, prepared)

    def _complete(self, deployment: Deployment, prepared: PreparedChange) -> int:
        """Do what a local AWS leaves out, compare, and return the exit code."""
        dynamodb = self._services["dynamodb"]
        body = deployment.template.body
        for table in enable_expiry(dynamodb, self._stacks, prepared.stack_id, body):
            self._log(f"enabled the time to live of table '{table}', as a local AWS leaves it out")
        return self._compare(deployment, prepared)

    def _explain_probe(self, prepared: PreparedChange) -> None:
        """Say what helps to find why a new version could not start."""
        if self._untested:
            self._log(f"the import of the package was not tested on this machine: {self._untested}")
        if self._untested and self._services["lambda"].is_local:
            self._log("'router local --empty' prints how to build for the Python of this machine")
        if not prepared.creates:
            self._log(
                f"the log of the function: aws logs tail /aws/lambda/{prepared.stack} --since 15m"
            )

    def _decide(
        self, deployment: Deployment, planned: PlannedChanges, old: TemplateVersion
    ) -> int | None:
        """Show the changes; return None if they are to be made, else the exit code."""
        options = self._options
        if not options.as_json:
            show_changes(planned)
        for line in show_parameters(deployment.changes):
            self._log(line)
        refusals = [*self._review(deployment)]
        lost = [each for each in planned if each.loses]
        if options.dry_run:
            # That nothing is changed hides no drift.
            code = self._compare_running(0, old.body) if old.body else 0
            self._log("this was a dry run: nothing is changed")
            return code
        if lost and not options.allow_destructive:
            what = "; ".join(f"'{each.name}': {each.warning}" for each in lost)
            refusals.append(f"refused without --allow-destructive: {what}")
        if refusals:
            for sentence in refusals:
                self._log(sentence)
            return 1
        # Each queue and table that loses something is confirmed by its name.
        words = {word: f"{loss}." for word, loss in confirmation_words(lost).items()}
        warning = "" if options.yes else self._warning()
        answers = Answers(options.yes, options.confirmed)
        if not answers.are_yes(f"Change the stack '{options.stack}'?", words, warning):
            self._log("nothing was changed")
            return 1
        return None

    def _warning(self) -> str:
        """Return what the question begins with."""
        return ""

    def _count(self, planned: PlannedChanges) -> PlannedChanges:
        """Return the changes with the number of messages or items of what may lose them, or leaves the stack."""
        return tuple(
            structs.replace(each, stored=self._stored(each)) if each.is_counted else each
            for each in planned
        )

    def _with_policies(
        self, planned: PlannedChanges, deployment: Deployment, old: TemplateVersion
    ) -> PlannedChanges:
        """Return the changes with what they take away of the policies that queues have now."""
        sqs = self._services["sqs"]
        return in_order(with_lost_grants(planned, old, deployment.template, sqs, self._account))

    def _with_left(self, planned: PlannedChanges) -> PlannedChanges:
        """Return the changes with the queues that are left with messages which nothing reads any more."""
        if self._versions is None:
            return planned
        found = {each.logical_id: each for each in planned}
        for queue in left_queues(*self._versions, self._pseudo):
            stored = self._left_messages(queue)
            if queue.keys and stored == 0:
                continue
            known = found.get(queue.id) or PlannedChange(
                "retain", queue.id, queue.name, "queue", ", ".join(queue.routes)
            )
            found[queue.id] = leave_queue(known, queue.keys, stored)
        return in_order(found.values())

    def _left_messages(self, queue: LeftQueue) -> int | None:
        """Return how many messages are on a queue; None if that is not known, as of that of another account."""
        if f":{self._account}:" not in queue.arn:
            return None
        try:
            url = find_queue(self._services["sqs"], queue.name)
        except AwsCallError:
            return None
        return count_messages(self._services["sqs"], url) if url else 0

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
        self._log(
            f"uploaded the package to {where}" if uploaded else f"the package is already at {where}"
        )

    def _execute(
        self, prepared: PreparedChange, probe: VersionProbe | None = None
    ) -> DeploymentResult:
        """Execute a change set, in which the stack may wait for a probe of its new version."""
        what = f"{'creating' if prepared.creates else 'updating'} {prepared.stack}"
        events = execute(self._stacks, prepared)
        if probe:
            events = probe.follow(events, prepared.stack_id, self._log)
        try:
            seen = watch(self._console, events, prepared.stack_id, what)
        except KeyboardInterrupt:
            until = ""
            if probe and probe.is_due:
                until = ", and rolls it back, since the new version was not tried"
            self._log(
                f"AWS continues to change the stack '{prepared.stack}'{until}; deploy again to see the result"
            )
            raise
        result = read_result(self._stacks, prepared, seen)
        if probe and probe.result and probe.result.failure:
            return with_reason(result, probe.result.failure)
        return result

    def _report(
        self,
        deployment: Deployment,
        planned: PlannedChanges,
        code: int,
        result: DeploymentResult | None = None,
    ) -> int:
        if self._options.as_json:
            stack = self._stacks.find(self._options.stack)
            record = as_record(
                self._options.stack, self._stacks.region, planned, deployment.changes, result, stack
            )
            findings = self._findings
            record |= {
                "account": self._account,
                "diff": self._diff and as_diff_record(self._diff),
                "not_compared": self._unread,
                "findings": None if findings is None else list(map(finding_record, findings)),
            }
            if self._not_restored:
                record["not_restored"] = self._not_restored
            print_json(record)
        return code

    def _log(self, sentence: str) -> None:
        tell(printable_lines(sentence))
