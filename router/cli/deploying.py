"""The course of `router deploy`: prepare, propose, show, ask, upload, execute, tell."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from router.aws.artifacts import Artifacts
from router.aws.control_plane import ServiceClient, caller_account
from router.aws.stacks import Stacks
from router.cli.deploy_report import explain_failure, show_changes, show_made, told
from router.cli.prompt import confirmed
from router.cli.stack_events import watch
from router.dev.display import to_json
from router.errors import UsageError
from router.ops.build import build
from router.ops.change_set import Proposal, propose, withdraw
from router.ops.changes import Planned
from router.ops.deployment import Deployment, make_deployment
from router.ops.execution import Ended, conclude, execute
from router.ops.ownership import refuse_foreign
from router.ops.package import FOLDER, Package, read_package
from router.ops.stack_status import must_create
from router.ops.template.document import Config, make_document

if TYPE_CHECKING:
    from router.cli.deploy import Options


class Deploying:
    """One deployment, from the command line's side: what is said, asked and shown."""

    def __init__(
        self,
        options: "Options",
        services: Mapping[str, ServiceClient],
        console: Console,
        config: Config,
        given: Mapping[str, str],
        env: Mapping[str, str],
    ) -> None:
        self._options, self._services, self._console = options, services, console
        self._config = config
        self._given, self._env = given, env
        self._stacks = Stacks(services["cloudformation"])
        self._account, self._partition = caller_account(services["sts"])

    def run(self) -> int:
        """Do it; the exit code."""
        # Before there is any work: nobody waits for a build that cannot be deployed.
        stack = self._stacks.find(self._options.stack)
        must_create(stack)
        refuse_foreign(self._stacks, stack)
        with tempfile.TemporaryDirectory(prefix="router-deploy-") as folder:
            deployment = self._prepare(Path(folder))
            with self._console.status("asking AWS what would change"):
                template = deployment.put_template(self._artifacts())
                proposal = propose(self._stacks, deployment.stack, template, deployment.parameters)
            if proposal.changes is None:
                self._say(f"the stack '{proposal.stack}' is up to date: nothing to change")
                return self._end(proposal, (), 0)
            planned = deployment.describe(proposal.changes)
            try:
                code = self._decide(proposal, planned)
                if code is None:
                    self._upload(deployment)
            except BaseException:
                withdraw(self._stacks, proposal)
                raise
            if code is not None:
                withdraw(self._stacks, proposal)
                return self._end(proposal, planned, code)
            ended = self._execute(proposal, len(planned))
        return self._conclude(proposal, planned, ended)

    def _prepare(self, folder: Path) -> Deployment:
        options = self._options
        package = None if options.worker else self._package(folder)
        document = make_document(self._config, options.worker)
        return make_deployment(options.stack, document, package, self._bucket, self._given, self._env)

    def _package(self, folder: Path) -> Package:
        if self._options.package:
            return read_package(self._options.package, self._options.config, self._env)
        with self._console.status("building the package") as status:
            built = build(self._options.config, folder / "lambda.zip", None, self._env, status.update)
        if built.over:
            raise UsageError(f"the package is too large for Lambda: {built.over}; 'router build' shows what is in it")
        self._say(f"built the package for {built.target}: {built.size / 1e6:.1f} MB")
        return Package(built.path, built.size, built.sha256)

    @property
    def _bucket(self) -> str:
        own = f"{FOLDER}-{self._account}-{self._stacks.region}"
        return self._options.bucket or own

    def _artifacts(self) -> Artifacts:
        owner = "" if self._options.bucket else self._account
        return Artifacts(self._services["s3"], self._bucket, owner, self._partition)

    def _decide(self, proposal: Proposal, planned: tuple[Planned, ...]) -> int | None:
        """Show what would be done; the exit code if it is not to be done, None if it is."""
        if not self._options.as_json:
            show_changes(planned)
        lost = [each for each in planned if each.loses]
        if self._options.dry_run:
            self._say("this was a dry run: nothing is changed")
            return 0
        if lost and not self._options.allow_destructive:
            what = "; ".join(f"'{each.name}': {each.warning}" for each in lost)
            self._say(f"refused without --allow-destructive: {what}")
            return 1
        if not self._options.yes and not confirmed(f"Change the stack '{proposal.stack}'?"):
            self._say("nothing was changed")
            return 1
        return None

    def _upload(self, deployment: Deployment) -> None:
        package = deployment.package
        if package is None:
            return
        with self._console.status(f"uploading the package: {package.size / 1e6:.1f} MB"):
            put = deployment.put_package(self._artifacts())
        where = f"s3://{self._bucket}/{package.key}"
        self._say(f"uploaded the package to {where}" if put else f"the package is at {where} already")

    def _execute(self, proposal: Proposal, total: int) -> Ended:
        what = f"{'creating' if proposal.creates else 'updating'} {proposal.stack}"
        try:
            events = watch(self._console, execute(self._stacks, proposal), proposal.stack_id, what, total)
        except KeyboardInterrupt:
            self._say(f"AWS goes on with the stack '{proposal.stack}', unwatched; deploy again to see how it ended")
            raise
        return conclude(self._stacks, proposal, events)

    def _conclude(self, proposal: Proposal, planned: tuple[Planned, ...], ended: Ended) -> int:
        if not ended.succeeded:
            self._say(explain_failure(ended, proposal.stack, proposal.creates))
        elif not self._options.as_json:
            resources = self._stacks.resources(proposal.stack_id)
            show_made(ended, resources, proposal.stack, self._stacks.region, self._partition)
        return self._end(proposal, planned, int(not ended.succeeded), ended)

    def _end(self, proposal: Proposal, planned: tuple[Planned, ...], code: int, ended: Ended | None = None) -> int:
        if self._options.as_json:
            report = told(proposal.stack, self._stacks.region, planned, ended is not None, ended)
            click.echo(to_json(report, indent=2))
        return code

    def _say(self, sentence: str) -> None:
        click.echo(sentence, err=True)
