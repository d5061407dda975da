"""Deploys the resources of a config, correct but for the changes of a test; and a server with scripted responses."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from router.tools.control_plane.clients import control_plane_clients
from router.tools.control_plane.live import SERVICES, Live
from tests.support.check import check
from tests.support.dev import REGION, LocalAws
from tests.support.ops import LiveComparison


def queue_policy(*senders: Mapping[str, Any]) -> str:
    """The policy that a template gives a queue: nobody without TLS, and what such statements allow."""
    everybody = {"Principal": "*", "Action": "sqs:*", "Resource": "*"}
    tls = {"Effect": "Deny", **everybody, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    allowed = [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", **each} for each in senders]
    return json.dumps({"Version": "2012-10-17", "Statement": [*allowed, tls]})


@dataclass(frozen=True)
class Stack:
    """The resources for the config of test_cases.py; each default is correct, and None leaves a part out."""

    key: Mapping[str, str] = field(default_factory=lambda: {"pk": "S", "sk": "N"})
    table: Mapping[str, Any] | None = field(default_factory=lambda: {"BillingMode": "PAY_PER_REQUEST"})
    ttl: str = "expires"
    queue: Mapping[str, str] | None = field(default_factory=dict)
    letters: Mapping[str, str] | None = field(default_factory=dict)
    redrive: Mapping[str, Any] | None = field(default_factory=lambda: {"maxReceiveCount": 5})
    timeout: int = 60
    reserved: int | None = None
    mappings: tuple[Mapping[str, Any] | None, ...] = ({},)
    """The differences of each mapping; for None a function without a queue is made."""
    allowed: str = "*"
    raw: bool | None = None
    """Whether a topic delivers raw messages; None for no topic."""


class Deployer:
    """Makes stacks on a server."""

    def __init__(self, server: LocalAws) -> None:
        session: Any = boto3.session.Session("local", "local", region_name=REGION)
        self.clients: dict[str, Any] = {
            service: session.client(service, endpoint_url=server.endpoint)
            for service in ("dynamodb", "sqs", "sns", "lambda", "iam", "sts")
        }
        self.account = self.clients["sts"].get_caller_identity()["Account"]

    def deploy(self, otherwise: Mapping[str, Any], name: str) -> None:
        """Make a stack that is sound but for what is said; its parts are named for `name`."""
        stack = Stack(**otherwise)
        if stack.table is not None:
            self._table(stack, name)
        if stack.letters is not None:
            self._queue(f"{name}-dlq", {"MessageRetentionPeriod": "1209600", **stack.letters})
        if stack.queue is not None:
            arn = self._queue(f"{name}", {"VisibilityTimeout": "360", **stack.queue})
            self._redrive(stack, name, arn)
            if stack.raw is not None:
                topic = self.clients["sns"].create_topic(Name=name)["TopicArn"]
                raw = {"RawMessageDelivery": str(stack.raw).lower()}
                self.clients["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
            for number, mapping in enumerate(stack.mappings):
                self._mapping(stack, f"{name}-{number}", arn, mapping)

    def _table(self, stack: Stack, name: str) -> None:
        roles = zip(stack.key, ("HASH", "RANGE"), strict=False)
        indexes = (stack.table or {}).get("GlobalSecondaryIndexes", ())
        used = {part["AttributeName"] for index in indexes for part in index["KeySchema"]}
        extra = [{"AttributeName": each, "AttributeType": "S"} for each in sorted(used - stack.key.keys())]
        self.clients["dynamodb"].create_table(
            TableName=name,
            KeySchema=[{"AttributeName": attribute, "KeyType": role} for attribute, role in roles],
            AttributeDefinitions=[
                *({"AttributeName": attribute, "AttributeType": kind} for attribute, kind in stack.key.items()),
                *extra,
            ],
            **(stack.table or {}),
        )
        if stack.ttl:
            self.clients["dynamodb"].update_time_to_live(
                TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": stack.ttl}
            )

    def _queue(self, name: str, attributes: Mapping[str, str]) -> str:
        sqs = self.clients["sqs"]
        kind = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        correct = {"MaximumMessageSize": "262144", "Policy": queue_policy()}
        given = {key: value for key, value in {**correct, **kind, **attributes}.items() if value}
        url = sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    def _redrive(self, stack: Stack, name: str, arn: str) -> None:
        if stack.redrive is None:
            return
        target = stack.redrive.get("target", f"{name}-dlq").replace("NAME", name)
        if stack.letters is None or "target" in stack.redrive:
            self._queue(target, {"MessageRetentionPeriod": "1209600"})
        policy = {
            "deadLetterTargetArn": f"{arn.rpartition(':')[0]}:{target}",
            "maxReceiveCount": stack.redrive["maxReceiveCount"],
        }
        sqs = self.clients["sqs"]
        url = sqs.get_queue_url(QueueName=f"{name}")["QueueUrl"]
        # moto forgets a policy that is not set again.
        kept = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy), **kept})
        if stack.redrive.get("gone"):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=target)["QueueUrl"])

    def _mapping(self, stack: Stack, function: str, arn: str, mapping: Mapping[str, Any] | None) -> None:
        role = self._role(stack, function)
        self.clients["lambda"].create_function(
            FunctionName=function,
            Runtime="python3.13",
            Role=role,
            Handler="router.lambda_handler.handler",
            Code={"ZipFile": _package()},
            Timeout=stack.timeout,
        )
        if stack.reserved is not None:
            self.clients["lambda"].put_function_concurrency(
                FunctionName=function, ReservedConcurrentExecutions=stack.reserved
            )
        if mapping is not None:
            self.clients["lambda"].create_event_source_mapping(
                **{
                    "FunctionName": function,
                    "EventSourceArn": arn,
                    "FunctionResponseTypes": ["ReportBatchItemFailures"],
                    **mapping,
                }
            )

    def _role(self, stack: Stack, name: str) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = {"Version": "2012-10-17", "Statement": [trust]}
        made = self.clients["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
        rights = {"Effect": "Allow", "Action": stack.allowed, "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [rights]}
        self.clients["iam"].put_role_policy(RoleName=name, PolicyName="router", PolicyDocument=json.dumps(policy))
        return str(made["Role"]["Arn"])


def _package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("router/lambda_handler.py", "def handler(event, context): ...")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def deployer(server: LocalAws) -> Deployer:
    return Deployer(server)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller has all permissions, as on ministack; moto does not simulate policies."""
    monkeypatch.setattr(Live, "caller", lambda self: "")


@contextmanager
def environment(endpoint: str) -> Iterator[None]:
    """The environment of a process that knows that server only."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(LocalAws(endpoint).environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@cache
def clients_of(endpoint: str) -> Mapping[str, Any]:
    """boto3's clients of a server; making them takes longer than all calls of a case."""
    with environment(endpoint):
        return control_plane_clients(SERVICES)


def connection(endpoint: str) -> Live:
    """A new reader of a server."""
    return Live(clients_of(endpoint))


@pytest.fixture
def ask() -> Callable[[str], Live]:
    """Makes a reader of a server."""
    return connection


Checked = Callable[..., str]


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checked:
    """The findings of a check against a server beyond those of the config."""
    monkeypatch.chdir(tmp_path)

    def run(endpoint: str, config: str, function: str = "") -> str:
        (tmp_path / "routes.yaml").write_text(config, encoding="utf-8")
        findings = check(Path("routes.yaml"), {}, LiveComparison(function, lambda: connection(endpoint)))
        return "".join(f"{finding}\n" for finding in findings if finding.code.id.startswith("RT7"))

    return run


@pytest.fixture(scope="session")
def live(server: LocalAws) -> Live:
    """The reader of the server."""
    return connection(server.endpoint)


class Answers:
    """The response to each operation: JSON, a text of XML, or a function of the request."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.by_operation: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []

    def answer(self, operation: str, asked: Any) -> tuple[int, bytes]:
        """Status and body; `{"__type": …}` is an error, and so is an operation that a test does not name."""
        self.asked.append((operation, asked))
        value = self.by_operation.get(operation, {"__type": "AccessDeniedException"})
        if callable(value):
            value = value(asked)
        if isinstance(value, str):
            return (403 if "<Error>" in value else 200), value.encode()
        return (400 if "__type" in value else 200), json.dumps(value).encode()


LAMBDA = {
    "event-source-mappings": "ListEventSourceMappings",
    "configuration": "GetFunctionConfiguration",
    "concurrency": "GetFunctionConcurrency",
}


@pytest.fixture
def answers(answering: Answers) -> Answers:
    """A server with the responses of the test by operation."""
    answering.by_operation = {}
    answering.asked = []
    return answering


@pytest.fixture(scope="session")
def answering() -> Iterator[Answers]:
    """That server, for all tests: clients for it are made once."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            operation = LAMBDA[address.path.rstrip("/").rpartition("/")[2]]
            self._answer(operation, {key: values[0] for key, values in parse_qs(address.query).items()})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            target = self.headers.get("X-Amz-Target")
            if target:
                self._answer(target.rpartition(".")[2], json.loads(body))
            else:
                form = {key: values[0] for key, values in parse_qs(body).items()}
                self._answer(form.pop("Action"), form)

        def _answer(self, operation: str, asked: Any) -> None:
            status, body = script.answer(operation, asked)
            self.send_response(status)
            if status != 200:
                self.send_header("x-amzn-ErrorType", "AccessDeniedException")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        script = Answers(f"http://127.0.0.1:{http.server_address[1]}")
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield script
        http.shutdown()
        thread.join()
