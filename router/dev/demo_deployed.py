"""The demo's run through the deployed thing: package, template, stack, and the function on the embedded AWS."""

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from router.aws.artifacts import Artifacts
from router.aws.control_plane import ServiceClient
from router.aws.references import is_name, queue_name, table_name
from router.aws.stacks import StackResource, Stacks
from router.dev.demo_run import play
from router.dev.emulator_quirks import for_embedded_aws
from router.dev.provision import QueueSpec, TableSpec, clients_of, create_queues, create_tables
from router.dev.results import Played, Said
from router.dev.samples import Sending
from router.dev.server import ACCOUNT, LocalAws
from router.errors import UsageError
from router.ops.build import build
from router.ops.change_set import propose
from router.ops.deployment import Deployment, make_deployment
from router.ops.execution import conclude, execute
from router.ops.package import Package
from router.ops.targets import ARCHES, PYTHONS, Target
from router.ops.template.document import make_document, read_for_deployment
from router.program.load import Program

STACK = "demo"
_BUCKET = "demo-packages"
_LOG_GROUP = f"/aws/lambda/{STACK}"
_OF_LAMBDA = ("START RequestId", "END RequestId", "REPORT RequestId")
_METRICS = "_aws"
"""The member by which CloudWatch knows that a line is metrics."""
_SETTLE_SECONDS = 5
"""How long the log of the last invocation may take after its messages are gone."""


class Shown(Struct, frozen=True):
    """What the demo came to, what the stack is made of, and what the function logged, metrics aside."""

    played: Played
    resources: tuple[StackResource, ...]
    log: tuple[Said, ...]


def play_deployed(
    program: Program,
    config: Path,
    sendings: Sequence[Sending],
    local: LocalAws,
    tell: Callable[[str], object],
    more: Mapping[str, str],
) -> Shown:
    """Build, deploy, send the messages, wait until the queues are empty; raises UsageError.

    `more` are variables that the deployment gets too: those of the tests that the messages are of.
    """
    env = {**os.environ, **more}
    _refuse_real_accounts(program)
    make = clients_of(local)
    with _temporary_files_in(local.directory):
        built = build(config, Path(local.directory, "lambda.zip"), this_machine(), env, tell)
        tell("deploying the stack")
        document = make_document(read_for_deployment(config, env))
        document = structs.replace(document, body=for_embedded_aws(document.body))
        package = Package(built.path, built.size, built.sha256)
        deployment = make_deployment(STACK, document, package, _BUCKET, {}, env)
        _provide(program, deployment, local)
        resources = _deploy(deployment, make)
    tell(f"routing {len(sendings)} messages")
    function = Function(make("logs"))
    played = play(program, sendings, local, lambda: _deployed(function))
    return Shown(played, resources, function.lines())


@contextmanager
def _temporary_files_in(directory: str) -> Iterator[None]:
    """Have temporary files of this program and of those that it starts go with the AWS, even if it is killed."""
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = directory
    try:
        yield
    finally:
        os.environ.pop("TMPDIR")
        if before[0] is not None:
            os.environ["TMPDIR"] = before[0]
        tempfile.tempdir = before[1]


def this_machine() -> Target:
    """Lambda's runtime that is like this machine; raises UsageError if there is none."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = next((each for each in _targets() if each.python == running and each.machine == platform.machine()), None)
    if found is None or sys.platform != "linux":
        raise UsageError(
            f"the package runs on Linux, on {' or '.join(ARCHES)}, with Python {PYTHONS[0]} to {PYTHONS[-1]}; "
            f"this is Python {running} on {sys.platform}, {platform.machine()}; "
            "'router demo' shows the same flows without a package"
        )
    return found


def _targets() -> Iterator[Target]:
    for arch in ARCHES:
        for python in PYTHONS:
            yield Target(arch, python)


def _refuse_real_accounts(program: Program) -> None:
    """Raise UsageError if the config names what is not in the account of the embedded AWS."""
    read = program.engine.queues.values()
    references = {each for queue in read for each in (queue.reference, queue.dead_letter) if each}
    references |= {table.name or name for name, table in program.config.tables.items()}
    for reference in sorted(references):
        if not is_name(reference):
            raise UsageError(
                f"'{reference}' is in an account of its own, to which a function on the embedded AWS has no way; "
                "'router demo' shows such flows"
            )


def _provide(program: Program, deployment: Deployment, local: LocalAws) -> None:
    """Make what the config names and the template only refers to."""
    config, read = program.config, program.engine.queues.values()
    made = set(deployment.names.values())
    make = clients_of(local)
    tables = [
        TableSpec(table.name or name, tuple(table.key.items()), table.ttl)
        for name, table in config.tables.items()
        if table_name(table.name or name) not in made
    ]
    create_tables(make("dynamodb"), tables)
    queues = [
        QueueSpec(queue.reference, queue.dead_letter) for queue in read if queue_name(queue.reference) not in made
    ]
    create_queues(make("sqs"), queues)


def _deploy(deployment: Deployment, make: Callable[[str], Any]) -> tuple[StackResource, ...]:
    """Deploy as `router deploy` does; what the stack is made of."""
    artifacts = Artifacts(ServiceClient("s3", make("s3")), _BUCKET, ACCOUNT)
    stacks = Stacks(ServiceClient("cloudformation", make("cloudformation")))
    template = deployment.put_template(artifacts)
    proposal = propose(stacks, STACK, template, deployment.parameters)
    deployment.put_package(artifacts)
    ended = conclude(stacks, proposal, list(execute(stacks, proposal)))
    if not ended.succeeded:
        why = f"{ended.cause.resource}: {ended.cause.reason}" if ended.cause else ended.status
        raise UsageError(f"the stack could not be made on the embedded AWS: {why}")
    return stacks.resources(proposal.stack_id)


class Function:
    """The function, as far as its log tells of it."""

    def __init__(self, logs: Any) -> None:
        self._logs = logs

    def said(self) -> Mapping[str, Said]:
        """The last line that it logged about each message; none says that it was written."""
        return {line["message_id"]: line for line in self.lines() if "outcome" in line and "message_id" in line}

    def finish(self) -> Mapping[str, Said]:
        """Wait until its log says no more; all that it said."""
        end = time.monotonic() + _SETTLE_SECONDS
        before, said = None, self.said()
        while said != before and time.monotonic() < end:
            time.sleep(0.2)
            before, said = said, self.said()
        return said

    def lines(self) -> tuple[Said, ...]:
        """The lines of its log in the order of time, without Lambda's own and without metrics."""
        found = []
        for page in self._logs.get_paginator("filter_log_events").paginate(logGroupName=_LOG_GROUP):
            for event in page["events"]:
                line = _read_line(event["message"])
                if line:
                    found.append(line)
        return tuple(sorted(found, key=lambda line: line.get("time", "")))


def _read_line(text: str) -> Said:
    """The fields of a line; one that is no JSON, a traceback for example, is a `message`."""
    if text.startswith(_OF_LAMBDA):
        return {}
    try:
        line = json.loads(text)
    except ValueError:
        line = {"message": text}
    return line if isinstance(line, dict) and _METRICS not in line else {}


@contextmanager
def _deployed(function: Function) -> Iterator[Function]:
    """The function is there as long as its AWS is."""
    yield function
