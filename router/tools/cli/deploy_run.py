"""The steps of `router deploy` and `router rollback`.

A deployment prepares the template and the package, changes the stack, and compares. A rollback finds what the stack was
before, and compares first; then it changes the stack as a deployment does.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
from msgspec import structs

from router.errors import PluginError, RouterError, UsageError
from router.model import Finding
from router.runtime.config.environment import RT005
from router.tools.change.compare import refusal
from router.tools.change.versions import STACK, ConfigVersion, open_package, open_versions
from router.tools.check.rule import LIVE
from router.tools.check.rules.queues import NOBODY_SENDS
from router.tools.check.run import RULE_FAILED, examine
from router.tools.cli.deploy_place import DeployedFolder
from router.tools.cli.deploy_report import breaking_changes, breaking_sentence, show_routes
from router.tools.cli.diff_report import render
from router.tools.cli.options import Repeated
from router.tools.cli.stack_run import ChangeOptions, StackRun
from router.tools.control_plane.artifacts import Artifacts
from router.tools.control_plane.clients import ServiceClient
from router.tools.control_plane.stacks import Stack, StackSettings
from router.tools.deploy.archive import Archive
from router.tools.deploy.build import build, pack_config
from router.tools.deploy.changes import TemplateVersion
from router.tools.deploy.deployed_places import AccountRegion
from router.tools.deploy.deployment import Deployment, make_deployment, read_package
from router.tools.deploy.hidden_values import Previous
from router.tools.deploy.preconditions import require_codedeploy
from router.tools.deploy.stack import PreparedChange, must_create, require_own
from router.tools.deploy.stack_versions import (
    OtherPackageError,
    StackVersion,
    as_deployment,
    find_stack,
    hidden_variables,
    not_restored,
    previous_of,
    previous_version,
    read_environment,
    read_package_of,
    require_kept,
)
from router.tools.deploy.template.alarms import silent_alarms
from router.tools.deploy.template.alias import has_function
from router.tools.deploy.template.canary import Canary, with_canary
from router.tools.deploy.template.document import (
    DeployableConfig,
    Document,
    read_for_deployment,
)
from router.tools.deploy.template.expressions import hidden_parameters, variables_of
from router.tools.deploy.template.options import TemplateOptions, with_options
from router.tools.deploy.template.parts import make_fitting, make_template, require_room
from router.tools.deploy.template.resources import CODE_BUCKET, CODE_KEY
from router.tools.deploy.template.tags import given_tags, kept_tags, own_tags
from router.tools.deploy.template.worker import (
    IMAGE,
    has_worker,
    rolling,
    with_rolling,
)
from router.tools.dev.compare import Difference
from router.tools.dev.run_tests import Suite, Verdict

_DIGEST = "@sha256:"
"""What is between the repository and the digest of an image."""
_REPLACED = (
    "the function and the worker write side by side while one replaces the other: "
    "deploy this change to what runs first"
)
"""What to do where a function must not replace a worker, or the reverse."""


class DeployOptions(ChangeOptions, frozen=True, kw_only=True):
    """The options of `router deploy`."""

    package: Path | None
    worker: bool
    allowed: Repeated
    allow_breaking: bool
    allow_failing: Repeated
    revert_drift: bool
    canary: Canary | None
    template: TemplateOptions
    role: str


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
        self._reverts_drift = options.revert_drift
        self._template = options.template
        self._known: Mapping[str, str] = {}
        self._previous: Previous | None = None
        self._hidden: set[str] = set()
        self._unsent: Sequence[Finding] = ()
        place = AccountRegion(self._account, self._stacks.region)
        self._folder = DeployedFolder(config.parent, options, place, self._log)

    def _run(self, closing: ExitStack) -> int:
        deploys = self._deploys
        # Checked before the build, which takes long.
        if not self._folder.is_confirmed():
            self._log("nothing was changed")
            return self._report(Deployment(deploys.stack), (), 1)
        stack = self._stacks.find(deploys.stack)
        creates = must_create(stack)
        require_own(self._stacks, stack)
        old = self._version(stack) if stack and not creates else TemplateVersion({})
        # A variable that is not set keeps its value: as a parameter, and where the template has its value.
        known = {name: value for name, value in self._env.items() if value or name in self._given}
        if stack and old.body:
            environment = self._hidden_values(stack, old.body)
            self._previous = previous_of(stack, old.body, environment)
            self._known = hidden_variables(old.body, environment)
            self._hidden |= self._known.keys()
        self._known = {**self._known, **variables_of(old.body, old.values), **known}
        fits = partial(require_room, make=make_template(deploys.worker))
        config = read_for_deployment(self._path, self._known, fits)
        self._unsent = [each for each in config.findings if each.code.id == NOBODY_SENDS.id]
        given = deploys.template.tags
        kept = kept_tags(config, stack.tags) if stack and old.body and not given else {}
        self._template = structs.replace(deploys.template, kept=kept)
        tags = {**kept, **config.program.config.tags, **given}
        self._stacks.settings = StackSettings(tags or None, deploys.role)
        self._artifacts.tags = tags
        if not self._passes_tests(config):
            return self._report(Deployment(deploys.stack), (), 1)
        folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="router-deploy-"))
        deployment = self._prepare(config, Path(folder), old)
        if deploys.worker and _DIGEST not in deployment.values[IMAGE]:
            self._log(
                f"the image {deployment.values[IMAGE]} is named by a tag, which may name another image later: name it "
                f"by its digest (REPOSITORY{_DIGEST}…), so that what runs has the configuration that is kept"
            )
        if old.body:
            self._open_versions(closing)
        if why := self._why_not_side_by_side(old):
            self._log(why)
            return self._report(deployment, (), 1)
        if deploys.canary:
            require_codedeploy(self._services["codedeploy"])
        if has_worker(old.body) and deploys.worker:
            deployment = self._replace_tasks(deployment, old)
        return self._change(self._with_routes(deployment, old), old, stack)

    def _open_versions(self, closing: ExitStack) -> None:
        """Read what the function or the worker of the stack runs."""
        try:
            where = f"{STACK}{self._options.stack}"
            old, new = open_versions(where, str(self._path), self._path, self._known, closing)
            self._versions = old.hiding(self._hidden), new.hiding(self._hidden)
        except RouterError as error:
            self._unread = str(error)
            self._drift = self._unread if isinstance(error, OtherPackageError) else ""

    def _passes_tests(self, config: DeployableConfig) -> bool:
        """Run the tests of the routes, show those that fail, and return whether the deployment goes on."""
        unset = [str(each) for each in config.loaded.findings if each.code.id == RT005.id]
        if unset:
            # The deployment asks for a value, unless the stack keeps one that nobody can read.
            self._log(f"the tests of the routes are not run without all variables: {unset[0]}")
            return True
        with self._console.status("running the tests of the routes"):
            suite = Suite(self._path, self._known, loaded=config.loaded)
            verdicts = [
                _run_test(suite, route, name, index) for route, name, index in suite.names()
            ]
        failed = [each for each in verdicts if not each.passed]
        for each in failed:
            self._log(f"FAIL  {each.label}\n{each.text}")
        if verdicts:
            self._log(
                f"tests of the routes: {len(verdicts) - len(failed)} passed, {len(failed)} failed"
            )
        refused = [each.label for each in failed if each.label not in self._deploys.allow_failing]
        if refused:
            options = " ".join(f"--allow-failing '{each}'" for each in refused)
            self._log(f"refused: tests of the routes fail; to go on in spite of them: {options}")
        return not refused

    def _why_not_side_by_side(self, old: TemplateVersion) -> str:
        """Return why what runs and the config must not write at the same time, if they would for a while, or ""."""
        if not self._deploys.canary or not has_function(old.body):
            replaced = has_worker(old.body) != self._deploys.worker
            return refusal(self._versions, _REPLACED) if replaced else ""
        if self._versions is None:
            return f"refused: it is not known whether two versions may write side by side: {self._unread}"
        return refusal(
            self._versions,
            "with --canary both versions write for a while: deploy without it, when few messages come",
        )

    def _replace_tasks(self, deployment: Deployment, old: TemplateVersion) -> Deployment:
        """Return a deployment whose old tasks stop first if both versions must not write at the same time.

        Raises UsageError for the image that runs, named by its digest, with another config: it has the one of before.
        """
        image = old.values.get(IMAGE, "")
        kept = old.values.get(CODE_KEY, "")
        new = deployment.values
        same_config = new[CODE_KEY] == kept
        if kept and not same_config and _DIGEST in image and new[IMAGE] == image:
            raise UsageError(
                f"the image {image} runs already, with another configuration or for another version of the router: "
                f"build an image of this configuration, push it, and name it by --parameter {IMAGE}=…"
            )
        if same_config and new[IMAGE] == image:
            return deployment.with_body(with_rolling(deployment.template.body, rolling(old.body)))
        return self._stop_first(deployment)

    def _review(self, deployment: Deployment) -> Sequence[str]:
        """Show the verdict about each route; a change that breaks something is refused where nobody is asked."""
        if silent := silent_alarms(deployment.template.body, deployment.values):
            self._log(
                f"warning: nobody is notified by {len(silent)} of the alarms: give --parameter AlarmTopic=ARN of a "
                "topic, or an alarm_topic to the owners"
            )
        for each in self._unsent:
            self._log(f"warning: {each.sentence}; {each.suggestion} ({each.code.id})")
        report = self._compare_routes()
        if report is None:
            return ()
        if not self._options.as_json:
            show_routes(report, self._options.stack)
        breaking = breaking_changes(report)
        if not breaking or not self._options.yes or self._deploys.allow_breaking:
            return ()
        what = "; ".join(map(breaking_sentence, breaking))
        return [f"refused with --yes and without --allow-breaking: {what}"]

    def _warning(self) -> str:
        report = self._compare_routes() if self._versions else None
        return "Some changes break something. " if report and breaking_changes(report) else ""

    def _compare(self, deployment: Deployment, prepared: PreparedChange) -> int:
        self._folder.remember()
        comparison = self._live_comparison(deployment.template.body)
        with self._console.status("comparing what is deployed with the config"):
            env = {**self._known, **deployment.variables}
            # The value of a hidden variable, which stays, need not be known: no resource depends on it.
            report = examine(self._path, env, comparison, "warning", rules=())
        # Those about the config itself were shown before the deployment.
        about = [
            each
            for each in report.findings
            if each.code.id.startswith(LIVE) or each.code == RULE_FAILED
        ]
        code = self._show_findings(about)
        if code and prepared.changes is None and not self._reverts_drift:
            self._log("--revert-drift repairs what was changed by hand, where AWS can")
        return code

    def _prepare(self, config: DeployableConfig, folder: Path, old: TemplateVersion) -> Deployment:
        # What is too large for a stack is reported before the build, which takes long.
        document = make_fitting(config, make_template(self._deploys.worker))
        hidden = hidden_parameters(document.body)
        self._hidden |= {name for name, each in document.variables.items() if each in hidden}
        if self._deploys.canary:
            document = with_canary(document, self._deploys.canary)
            if not has_function(old.body):
                self._log("no version runs yet: this deployment shifts nothing; the next one does")
        self._tell_of_tags(document)
        document = with_options(document, config, self._template, self._stacks.region)
        if self._deploys.worker:
            package = pack_config(self._path, folder, self._known, self._deploys.allowed)
        else:
            package = self._package(folder)
        stack = self._options.stack
        bucket = self._artifacts.bucket
        return make_deployment(
            stack, document, package, bucket, self._given, self._env, self._previous, self._pseudo
        )

    def _tell_of_tags(self, document: Document) -> None:
        kept = self._template.kept
        if not kept:
            return
        own = own_tags(document)
        again = [name for name in kept if name in own]
        beside = f"; what has {', '.join(again)} among its own tags has these" if again else ""
        self._log(
            f"the stack keeps its tags {', '.join(kept)}, which the config does not have; --tag gives others{beside}"
        )

    def _package(self, folder: Path) -> Archive:
        if self._deploys.package:
            self._untested = "it was given by --package"
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
            raise UsageError(
                f"the package is too large for Lambda: {package.over}; 'router build' shows its content"
            )
        without = f", without bytecode: {built.no_bytecode}" if built.no_bytecode else ""
        self._log(f"built the package for {built.target}: {package.size / 1e6:.1f} MB{without}")
        if built.smoke_test and built.smoke_test.reason:
            self._untested = built.smoke_test.reason
            self._log(f"the import of the package was not tested on this machine: {self._untested}")
        return package


def _run_test(suite: Suite, route: str, name: str, index: int) -> Verdict:
    """Run a test; it fails if plugins cannot start here."""
    try:
        return suite.run_one(route, index)
    except PluginError as error:
        return Verdict(route, name, (Difference("plugins", "they start", str(error)),), index)


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
        if before.tags != given_tags(stack.tags):
            self._stacks.settings = StackSettings(before.tags)
        deployment = as_deployment(stack, before, self._pseudo)
        self._log(f"the stack returns to what it was until {before.until}")
        self._not_restored = not_restored(before)
        for name in self._not_restored:
            self._log(
                f"the value of '{name}' is not restored, since CloudFormation does not tell what it was: it stays as "
                f"it is now; router deploy with --parameter {name}=… changes it"
            )
        self._open_versions(stack, StackVersion(old.body, stack.parameters), before, closing)
        workers = has_worker(old.body), has_worker(before.template)
        why = refusal(self._versions, _REPLACED) if workers[0] != workers[1] else ""
        if why:
            self._log(why)
            return self._report(deployment, (), 1)
        if all(workers):
            deployment = self._stop_first(deployment)
        report = self._compare_routes()
        if report and not self._options.as_json:
            click.echo(render(report, "text", show_ignored=False))
        return self._change(self._with_routes(deployment, old), old, stack)

    def _open_versions(
        self, stack: Stack, now: StackVersion, before: StackVersion, closing: ExitStack
    ) -> None:
        """Read the config that runs and the one before, if both were kept."""
        try:
            for version in (now, before):
                require_kept(stack.name, version.parameters)
        except UsageError as error:
            self._unread = str(error)
            return
        env = read_environment(stack, self._services)
        self._versions = (
            self._open("now", now, env, closing),
            self._open("before", before, env, closing),
        )

    def _open(
        self, label: str, version: StackVersion, env: Mapping[str, str], closing: ExitStack
    ) -> ConfigVersion:
        package = read_package_of(version.parameters, self._services["s3"])
        known = {**env, **variables_of(version.template, version.parameters)}
        return open_package(label, package, known, closing).hiding(
            hidden_variables(version.template, env)
        )

    def _review(self, deployment: Deployment) -> Sequence[str]:
        # The comparison was shown before the change set. Who goes back is in a hurry, and what is broken ran before.
        return ()

    def _compare(self, deployment: Deployment, prepared: PreparedChange) -> int:
        return self._compare_running(1, deployment.template.body)
