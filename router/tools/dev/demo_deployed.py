"""Runs a demo through a deployed stack: package, template, and the function on the embedded AWS."""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.aws.references import is_name
from router.runtime.program.load import Program
from router.tools.control_plane.artifacts import Artifacts
from router.tools.control_plane.clients import ServiceClient
from router.tools.control_plane.stacks import StackResource, Stacks
from router.tools.deploy.build import build
from router.tools.deploy.deployment import Deployment, make_deployment
from router.tools.deploy.stack import create_change_set, execute, read_result
from router.tools.deploy.targets import ARCHES, PYTHONS, Target
from router.tools.deploy.template.document import make_document, read_for_deployment
from router.tools.dev.demo import run_samples
from router.tools.dev.demo_results import DemoResult, LogLine, MessageLog, read_log
from router.tools.dev.demo_tests import DemoRound
from router.tools.dev.emulator import ACCOUNT, LocalAws, clients_of, for_embedded_aws
from router.tools.dev.provision import provision

STACK = "demo"
_BUCKET = "demo-packages"
_LOG_GROUP = f"/aws/lambda/{STACK}"
_OF_LAMBDA = ("START RequestId", "END RequestId", "REPORT RequestId")
_METRICS = "_aws"
"""The member that marks a line as metrics for CloudWatch."""


class DeployedDemo(Struct, frozen=True):
    """The result of a demo, the resources of its stack, and the function's log without metrics."""

    result: DemoResult
    resources: tuple[StackResource, ...]
    log: tuple[LogLine, ...]


def run_deployed(
    demo: DemoRound,
    config: Path,
    local: LocalAws,
    report: Callable[[str], object],
) -> DeployedDemo:
    """Build, deploy, send the messages, and wait until the queues are empty; raises UsageError."""
    env = {**os.environ, **demo.env}
    _refuse_real_accounts(demo.program)
    make = clients_of(local)
    with _temporary_files_in(local.directory):
        target = this_machine()
        built = build(config, Path(local.directory, "lambda.zip"), lambda _: target, env, report)
        report("deploying the stack")
        document = make_document(read_for_deployment(config, env))
        document = structs.replace(document, body=for_embedded_aws(document.body))
        deployment = make_deployment(STACK, document, built.archive, _BUCKET, {}, env)
        # The template only refers to the others.
        made = set(deployment.names.values())
        provision(demo.program, local, tables=made, queues=made)
        resources = _deploy(deployment, make)
    report(f"routing {demo.count} messages")
    function = DemoFunction(make("logs"))
    result = run_samples(demo, local, lambda: nullcontext(function))
    return DeployedDemo(result, resources, function.lines())


@contextmanager
def _temporary_files_in(directory: str) -> Iterator[None]:
    """Put temporary files, also of child processes, into a directory that is removed with the
    embedded AWS.
    """
    variable = os.environ.get("TMPDIR")
    own = tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = directory
    try:
        yield
    finally:
        tempfile.tempdir = own
        os.environ.pop("TMPDIR")
        if variable is not None:
            os.environ["TMPDIR"] = variable


def this_machine() -> Target:
    """Return the Lambda target that this machine can run; raises UsageError if there is none."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    targets = [Target(arch, running) for arch in ARCHES if running in PYTHONS]
    found = next((each for each in targets if each.machine == platform.machine()), None)
    if found is None or sys.platform != "linux":
        raise UsageError(
            f"the package runs on Linux, on {' or '.join(ARCHES)}, with Python {PYTHONS[0]} to {PYTHONS[-1]}; "
            f"this is Python {running} on {sys.platform}, {platform.machine()}; "
            "'router demo' runs the same routes without a package"
        )
    return found


def _refuse_real_accounts(program: Program) -> None:
    """Raise UsageError if the config names a queue or table outside the account of the embedded
    AWS.
    """
    references = {table.name or name for name, table in program.config.tables.items()}
    for queue in program.engine.queues.values():
        references |= {queue.reference, queue.dead_letter}
    for reference in sorted(references):
        if reference and not is_name(reference):
            raise UsageError(
                f"'{reference}' is in another account, which a function on the embedded AWS cannot reach; "
                "'router demo' supports such routes"
            )


def _deploy(deployment: Deployment, make: Callable[[str], Any]) -> tuple[StackResource, ...]:
    """Deploy as `router deploy` does, and return the resources of the stack."""
    artifacts = Artifacts(ServiceClient("s3", make("s3")), _BUCKET, ACCOUNT)
    stacks = Stacks(ServiceClient("cloudformation", make("cloudformation")))
    template = deployment.upload_template(artifacts)
    prepared = create_change_set(stacks, STACK, template, deployment.parameters)
    deployment.upload_package(artifacts)
    result = read_result(stacks, prepared, list(execute(stacks, prepared)))
    if not result.succeeded:
        why = result.status
        if result.cause:
            why = f"{result.cause.logical_id}: {result.cause.reason}"
        raise UsageError(f"the stack could not be created on the embedded AWS: {why}")
    return stacks.resources(prepared.stack_id)


class DemoFunction:
    """The deployed function, observed by its log."""

    def __init__(self, logs: Any) -> None:
        self._logs = logs

    def log(self) -> MessageLog:
        """Return what its log says about messages."""
        return read_log(self.lines())

    def finish(self) -> MessageLog:
        """Return its log, which is complete: an invocation is logged before its messages leave
        their queue.
        """
        return self.log()

    def lines(self) -> tuple[LogLine, ...]:
        """Return the lines of its log by time, without those of Lambda itself and without metrics."""
        found = []
        for page in self._logs.get_paginator("filter_log_events").paginate(logGroupName=_LOG_GROUP):
            for event in page["events"]:
                line = _read_line(event["message"])
                if line:
                    found.append(line)
        return tuple(sorted(found, key=lambda line: line.get("time", "")))


def _read_line(text: str) -> LogLine:
    """Return the fields of a line; a line that is not JSON, such as a traceback, is a `message`."""
    if text.startswith(_OF_LAMBDA):
        return {}
    try:
        line = json.loads(text)
    except ValueError:
        line = {"message": text}
    return line if isinstance(line, dict) and _METRICS not in line else {}
