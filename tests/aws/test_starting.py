"""A function that cannot start, on ministack: it gets no message, and the stack returns to the version before.

The package has the compiled config and the plugin; ministack runs it with the router that is installed here.
"""

import json
import platform
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from types import ModuleType
from typing import Any

import boto3
import pytest
from click.testing import Result

from router.tools.control_plane import clients as control_plane
from router.tools.control_plane.clients import control_plane_clients
from tests.aws.projects import PLUGIN, Inside, StackProject
from tests.support.aws import Stacks
from tests.support.cli import stack_run
from tests.support.dev import ACCOUNT, LocalAws
from tests.support.ops import PreparedChange, execute, parts, precompile
from tests.support.program import COMPILED_NAME

pytestmark = pytest.mark.usefixtures("kept_clients")

SECONDS = 60
"""For what takes a moment, on a machine that has much else to do."""
NEEDS_A_MODULE = f"import of_the_laptop\n{PLUGIN}"
FAILS_AT_START = f"""{PLUGIN}

@hookimpl
def router_start(router):
    raise RuntimeError("there is no connection")
"""
NEEDS_A_FILE = f"""{PLUGIN}

@hookimpl
def router_start(router):
    open("{{file}}").close()
"""
# Of an ELF header: 64 bits, little endian; a shared object; for AArch64, or, where this runs on that, for x86-64.
OTHER_MACHINE = b"\xb7\x00" if platform.machine() != "aarch64" else b"\x3e\x00"
BINARY = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + OTHER_MACHINE + bytes(44)


class RunningProject(StackProject):
    """A project whose function runs, unless it cannot start; its package has more `files`."""

    files: Mapping[str, bytes] = {}

    def write_package(self, plugin: str) -> None:
        """Write the package without a module of the router."""
        with zipfile.ZipFile(self.package, "w") as archive:
            archive.writestr(COMPILED_NAME, precompile(self.config, {"STAGE": self.stack}))
            archive.writestr("plugins/marks.py", plugin)
            for name, content in self.files.items():
                archive.writestr(name, content)


class Account:
    """What there is in the account, and what happens there."""

    def __init__(self) -> None:
        make: Any = boto3.client
        self._cloudformation, self._dynamodb = make("cloudformation"), make("dynamodb")
        self.function, self._sqs = make("lambda"), make("sqs")

    def status(self, stack: str) -> str:
        """The status of a stack, "" if there is none."""
        stacks = self._cloudformation.get_paginator("describe_stacks").paginate()
        found = {each["StackName"]: each["StackStatus"] for page in stacks for each in page["Stacks"]}
        return str(found.get(stack, ""))

    def change_description(self, stack: str) -> None:
        """Change the description of the template of a stack, with the parameters that it has."""
        template = self._cloudformation.get_template(StackName=stack)["TemplateBody"]
        (found,) = self._cloudformation.describe_stacks(StackName=stack)["Stacks"]
        kept = [{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in found["Parameters"]]
        body = json.dumps({**template, "Description": f"{template['Description']}, changed"})
        more = {"Parameters": kept, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
        self._cloudformation.update_stack(StackName=stack, TemplateBody=body, **more)
        waiter = self._cloudformation.get_waiter("stack_update_complete")
        waiter.wait(StackName=stack, WaiterConfig={"Delay": 1})

    def version(self, stack: str) -> str:
        """The version that the alias of a stack names."""
        return str(self.function.get_alias(FunctionName=stack, Name="live")["FunctionVersion"])

    def called(self, stack: str) -> list[str]:
        """The functions that event source mappings call, of one stack."""
        pages = self.function.get_paginator("list_event_source_mappings").paginate()
        listed = [each["FunctionArn"] for page in pages for each in page["EventSourceMappings"]]
        names = [arn.partition(":function:")[2] for arn in listed]
        return [name for name in names if name.partition(":")[0] == stack]

    def send(self, stack: str, *ids: str) -> None:
        """Send a message for each id."""
        url = self._sqs.get_queue_url(QueueName=f"{stack}-orders")["QueueUrl"]
        for id_ in ids:
            self._sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"id": id_, "total": 1}))

    def ids(self, stack: str) -> set[str]:
        """The ids of the items."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=f"{stack}-orders", ConsistentRead=True)
        return {item["id"]["S"] for page in pages for item in page["Items"]}

    def wait_for(self, stack: str, *ids: str) -> set[str]:
        """The ids of the items, once those are among them."""
        end = time.monotonic() + SECONDS
        while not self.ids(stack) >= set(ids) and time.monotonic() < end:
            time.sleep(0.05)
        return self.ids(stack)

    def wait_for_all(self, stack: str, ids: list[str]) -> set[str]:
        """Those of the ids that are stored, and of those that are not, as many as messages are in flight."""
        url = self._sqs.get_queue_url(QueueName=f"{stack}-orders")["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        end = time.monotonic() + SECONDS
        while True:
            counts = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            waiting, in_flight = (int(counts[name]) for name in names)
            missing = sorted(set(ids) - self.ids(stack))
            if (not waiting and len(missing) == in_flight) or time.monotonic() > end:
                return self.ids(stack) | set(missing[:in_flight])
            time.sleep(0.05)


@pytest.fixture(scope="module")
def account(guarded: LocalAws, inside: Inside) -> Account:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return Account()


FAULTS = {
    "module": (NEEDS_A_MODULE, {}, "No module named 'of_the_laptop'"),
    "variable": (NEEDS_A_MODULE, {"of_the_laptop.py": b"import os\nos.environ['ONLY_HERE']"}, "ONLY_HERE"),
    "syntax": (NEEDS_A_MODULE, {"of_the_laptop.py": b"this is no Python"}, "invalid syntax"),
    "machine": (NEEDS_A_MODULE, {"of_the_laptop.so": BINARY}, "of_the_laptop.so: "),
    "router_start": (FAILS_AT_START, {}, "plugin 'marks': router_start raised RuntimeError"),
    "handler": (PLUGIN, {"router/__init__.py": b"", "router/lambda_handler.py": b""}, "no attribute 'handler'"),
}


@pytest.fixture(scope="module")
def laptop() -> Iterator[None]:
    """Give this machine a module that a plugin may import, and the function does not have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "of_the_laptop", ModuleType("of_the_laptop"))
        yield


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, inside: Inside, guarded: LocalAws, kept_clients: None, laptop: None
) -> RunningProject:
    """A project that is deployed, and whose function starts."""
    made = RunningProject(tmp_path_factory.mktemp("running"), inside, guarded)
    made.deploy()
    return made


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws, laptop: None) -> RunningProject:
    """A project that is not deployed yet."""
    return RunningProject(tmp_path, inside, guarded)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_new_version_that_cannot_start(running: RunningProject, account: Account, fault: str) -> None:
    """It gets no message: the alias names the version before, whatever it is that the new one lacks."""
    plugin, running.files, reason = FAULTS[fault]
    running.write(plugin=plugin)
    before = account.version(running.stack)

    done = running.try_to_deploy("--yes", "--allow-breaking")

    sentence = f"the stack '{running.stack}' could not be updated: RT794 the function cannot start: "
    assert (done.exit_code, sentence in done.stderr, reason in done.stderr) == (1, True, True), done.output
    assert account.status(running.stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert (account.version(running.stack), account.called(running.stack)) == (before, [f"{running.stack}:live"])


@contextmanager
def sending(account: Account, stack: str, sent: list[str]) -> Iterator[None]:
    """Send messages all the time, and list their ids."""
    stop = Event()

    def send() -> None:
        while not stop.is_set():
            sent.append(f"m{len(sent)}")
            account.send(stack, sent[-1])
            stop.wait(0.05)

    thread = Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_messages_during_a_deployment_that_fails(project: RunningProject, account: Account) -> None:
    """Messages that come before, during and after it are handled by the version before."""
    project.deploy()
    project.write(plugin=FAILS_AT_START)
    sent: list[str] = []

    with sending(account, project.stack, sent):
        done = project.try_to_deploy("--yes", "--allow-breaking")

    assert (done.exit_code, "RT794" in done.stderr, len(sent) > 2) == (1, True, True), done.output
    assert account.wait_for(project.stack, *sent) == set(sent)


def test_a_new_version_that_starts(project: RunningProject, account: Account) -> None:
    """It answers an invocation without records, and then it gets the messages."""
    first = project.deploy()
    project.write(plugin=f"{PLUGIN}# another version\n")
    second = project.deploy("--json")
    account.send(project.stack, "after")

    sentence = "the new version of the function starts: it answered an invocation without records"
    assert [sentence in done.stderr.splitlines() for done in (first, second)] == [True, True]
    assert (json.loads(second.stdout)["cause"], account.version(project.stack)) == (None, "2")
    assert account.wait_for(project.stack, "after") == {"after"}


def test_a_first_version_that_cannot_start(project: RunningProject, account: Account) -> None:
    """No mapping is ever made, and the stack is deleted again, but for the table."""
    project.write(plugin=FAILS_AT_START)

    done = project.try_to_deploy("--yes", "--json")

    cause = json.loads(done.stdout)["cause"]
    assert (done.exit_code, cause["type"]) == (1, "AWS::CloudFormation::WaitCondition")
    assert cause["reason"].startswith("RT794 the function cannot start: "), done.output
    assert (account.status(project.stack), account.called(project.stack)) == ("", [])
    assert f"the tables {project.stack}-orders are kept, and the next deployment imports them" in done.stderr


def test_nothing_is_tried_twice(running: RunningProject, account: Account) -> None:
    """A change that leaves the function as it is publishes no version."""
    running.files = {}
    running.write()
    running.deploy()
    before = account.version(running.stack)

    done = running.deploy("--parameter", "OldestMessageSeconds=60")

    assert ("it answered" in done.stderr, account.version(running.stack)) == (False, before), done.output


def deploy_as_before(project: RunningProject) -> None:
    """Deploy without an alias, as earlier versions of the router did, and `router template` with other tools."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "with_alias", lambda document: document)
        project.deploy()


def repair_mappings(account: Account, stack: str) -> None:
    """Do what ministack's CloudFormation leaves out when a mapping gets another function: deliver to it."""
    for mapping in account.function.list_event_source_mappings(FunctionName=stack)["EventSourceMappings"]:
        account.function.update_event_source_mapping(UUID=mapping["UUID"], FunctionName=mapping["FunctionArn"])


def mapping_ids(account: Account, stack: str) -> list[str]:
    """The ids of the mappings of a stack."""
    listed = account.function.list_event_source_mappings(FunctionName=stack)["EventSourceMappings"]
    return sorted(each["UUID"] for each in listed)


def test_a_stack_without_an_alias(project: RunningProject, account: Account) -> None:
    """Its mappings stay, and call an alias of what runs before anything else changes; no message is lost."""
    deploy_as_before(project)
    before = (account.called(project.stack), mapping_ids(account, project.stack))
    sent: list[str] = []
    with sending(account, project.stack, sent):
        project.write(plugin=f"{PLUGIN}# another version\n")
        project.deploy()

    assert before[0] == [project.stack]
    assert (account.called(project.stack), mapping_ids(account, project.stack)) == (
        [f"{project.stack}:live"],
        before[1],
    )
    assert account.version(project.stack) == "2"
    # ministack ends invocations of a function that changes: their messages come again after the visibility timeout.
    assert account.wait_for_all(project.stack, sent) == set(sent)


def test_a_stack_without_an_alias_and_a_fault(project: RunningProject, account: Account) -> None:
    """The alias is there, and names what ran; to go back is to go to what was before that."""
    deploy_as_before(project)
    project.write(plugin=FAILS_AT_START)

    done = project.try_to_deploy("--yes", "--allow-breaking")
    repair_mappings(account, project.stack)
    account.send(project.stack, "after")
    back = project.run("rollback", "--stack", project.stack, "--yes")

    assert (done.exit_code, "RT794" in done.stderr) == (1, True), done.output
    assert (account.version(project.stack), account.called(project.stack)) == ("1", [f"{project.stack}:live"])
    assert account.wait_for(project.stack, "after") == {"after"}
    known = f"router: nothing is known of what the stack '{project.stack}' was before"
    assert (back.exit_code, known in back.stderr) == (2, True), back.output


def test_two_who_change_a_stack_without_an_alias(
    project: RunningProject, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody else deploys between the two steps is not overwritten."""
    deploy_as_before(project)
    project.write(plugin=f"{PLUGIN}# another version\n")

    def overtaken(stacks: Stacks, prepared: PreparedChange) -> Iterator[Any]:
        yield from execute(stacks, prepared)
        account.change_description(project.stack)

    monkeypatch.setattr(stack_run, "execute", overtaken)

    done = project.try_to_deploy("--yes", "--allow-breaking")

    sentence = f"router: another deployment has changed the stack '{project.stack}' meanwhile; "
    assert (done.exit_code, sentence in done.stderr) == (2, True), done.output
    assert (account.version(project.stack), account.called(project.stack)) == ("1", [f"{project.stack}:live"])


def test_back_to_a_version_without_an_alias(project: RunningProject, account: Account) -> None:
    """The version of before is tried, and the alias names it; a second rollback returns."""
    deploy_as_before(project)
    project.write(plugin=f"{PLUGIN}# another version\n")
    project.deploy()

    done = [project.run("rollback", "--stack", project.stack, "--yes") for _ in range(2)]

    sentence = "the new version of the function starts: it answered an invocation without records"
    assert [(each.exit_code, sentence in each.stderr) for each in done] == [(0, True)] * 2, done[0].output
    assert (account.version(project.stack), account.called(project.stack)) == ("4", [f"{project.stack}:live"])


def test_back_to_a_version_that_cannot_start(project: RunningProject, account: Account) -> None:
    """As when it needs what is gone: the stack stays as it is."""
    project.write(plugin=NEEDS_A_FILE.format(file=project.folder / "needed"))
    (project.folder / "needed").write_text("")
    project.deploy()
    project.write()
    project.deploy()
    (project.folder / "needed").unlink()

    done = project.run("rollback", "--stack", project.stack, "--yes")

    assert (done.exit_code, "RT794 the function cannot start" in done.stderr) == (1, True), done.output
    assert (account.status(project.stack), account.version(project.stack)) == ("UPDATE_ROLLBACK_COMPLETE", "2")


class Operator:
    """A user who may do everything but what `denied` says, and runs commands."""

    def __init__(self, project: RunningProject, denied: Mapping[str, Any]) -> None:
        self._project = project
        make: Any = boto3.client
        iam = make("iam")
        # The bucket that the router makes takes nothing without TLS.
        make("s3").create_bucket(Bucket=project.stack)
        iam.create_user(UserName=project.stack)
        key = iam.create_access_key(UserName=project.stack)["AccessKey"]
        statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", **denied}]
        policy = {"Version": "2012-10-17", "Statement": statements}
        iam.put_user_policy(UserName=project.stack, PolicyName="p", PolicyDocument=json.dumps(policy))
        self._keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def deploy(self) -> Result:
        """Deploy with the package that is there."""
        given = ("--stack", self._project.stack, "-c", str(self._project.config), "--yes")
        package = ("--package", str(self._project.package), "--bucket", self._project.stack)
        return self._project.run("deploy", *given, *package, STAGE=self._project.stack, **self._keys)


@pytest.fixture
def operator_who_may_not(
    project: RunningProject, inside: Inside, guarded: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Operator]:
    """Makes an operator; each command has clients of its own."""
    monkeypatch.setattr(control_plane, "control_plane_clients", control_plane_clients)

    def make(action: str, **where: Any) -> Operator:
        with inside(guarded):
            return Operator(project, {"Action": action, **where})

    return make


def test_who_may_not_invoke(
    project: RunningProject, account: Account, operator_who_may_not: Callable[..., Operator]
) -> None:
    """It is not known whether the function starts, so that it gets no message: the sentence names the permission."""
    done = operator_who_may_not("lambda:InvokeFunction", Resource="*").deploy()

    sentence = f"the stack '{project.stack}' could not be created: RT795 the function could not be invoked: "
    denied = "these credentials may not do lambda:InvokeFunction"
    assert (done.exit_code, f"{sentence}{denied}" in done.stderr) == (1, True), done.output
    assert (account.status(project.stack), account.called(project.stack)) == ("", [])


def test_who_may_invoke_versions_of_this_function(
    project: RunningProject, operator_who_may_not: Callable[..., Operator]
) -> None:
    """No more than the versions of this function has to be permitted."""
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{project.stack}:*"

    done = operator_who_may_not("lambda:InvokeFunction", NotResource=arn).deploy()

    assert done.exit_code == 0, done.output
