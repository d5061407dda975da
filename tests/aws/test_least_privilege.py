"""The role of the template may do what the router does, and nothing else; IAM is enforced by ministack.

The router runs here with the credentials of the deployed function. What AWS does in the role's name (Lambda receives,
deletes, and writes the log; SQS and DynamoDB use keys) is done with them too.
"""

import copy
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from router.runtime.aws.connect import connect as connect_router
from router.runtime.aws.protocols import Aws, AwsFault, Objects, QueueAttributes
from router.tools.control_plane.clients import ServiceClient
from router.tools.control_plane.stacks import Stacks, StackTemplate
from tests.support.deliver import (
    IN_FLIGHT_MOST,
    Delivery,
    FixedDeadline,
    can_postpone,
    postpone,
)
from tests.support.dev import LocalAws, for_embedded_aws, in_batches
from tests.support.ops import create_change_set, execute, make_document, read_for_deployment, read_result
from tests.support.program import Program, load_program

Inside = Callable[..., AbstractContextManager[None]]
Policy = dict[str, Any]

CONFIG = Path(__file__).parent / "privileges" / "routes.yaml"
KEYS = ("KEY", "LETTERS_KEY", "TABLE_KEY")
NAMES = {"PREFIX": "x", **{key: f"arn:aws:kms:us-east-1:000000000000:key/{number}" for number, key in enumerate(KEYS)}}
WAYS = ("put", "insert", "newest", "update", "count", "delete", "dated")
GIVER = """
import os
def handler(event, context):
    return {name: value for name, value in os.environ.items() if name in event}
"""
"""A function that returns the credentials of its role."""
CREDENTIALS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]


def statements() -> list[Policy]:
    """The statements of the role in the template."""
    document = make_document(read_for_deployment(CONFIG, NAMES))
    resources = document.body["Resources"]
    policies = resources["Role"]["Properties"]["Policies"]
    managed = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::IAM::ManagedPolicy"]
    return [statement for policy in (*managed, *policies) for statement in policy["PolicyDocument"]["Statement"]]


class Deployed:
    """The flows as they are deployed, and what happens to a message of each with the function's credentials."""

    def __init__(self, local: LocalAws, inside: Inside, clients: Mapping[str, Any], names: Mapping[str, str]) -> None:
        self.names = names
        self.program: Program = load_program(CONFIG, names)
        self.clients = clients
        self._local, self._inside = local, inside
        self._own: dict[str, Any] = {}
        self._objects: Objects | None = None
        self.role = self._deploy()
        answer = clients["lambda"].invoke(FunctionName=self.stack, Payload=json.dumps(CREDENTIALS))
        self._keys = json.loads(answer["Payload"].read())
        iam = clients["iam"]
        self._embed_policies(iam)
        self._policies = {
            name: iam.get_role_policy(RoleName=self.role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=self.role)["PolicyNames"]
        }

    def _embed_policies(self, iam: Any) -> None:
        """Embed the managed policies in the role, where `allow` changes them."""
        for attached in iam.list_attached_role_policies(RoleName=self.role)["AttachedPolicies"]:
            arn, name = attached["PolicyArn"], attached["PolicyName"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            iam.put_role_policy(RoleName=self.role, PolicyName=name, PolicyDocument=json.dumps(document))
            iam.detach_role_policy(RoleName=self.role, PolicyArn=arn)

    @property
    def stack(self) -> str:
        return self.names["PREFIX"]

    def _deploy(self) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("router/__init__.py", "")
            archive.writestr("router/lambda_handler.py", GIVER)
        bucket = f"{self.stack}-payloads"
        self.clients["s3"].create_bucket(Bucket=bucket)
        self.clients["s3"].create_bucket(Bucket=f"{self.stack}-others")
        self.clients["s3"].put_object(Bucket=bucket, Key="code", Body=code.getvalue())
        self.clients["s3"].put_object(Bucket=bucket, Key="payload", Body=b'{"id": "large"}')
        document = make_document(read_for_deployment(CONFIG, self.names))
        body = for_embedded_aws(document.body)
        # Lambda would take the messages; and a request has room for 51,200 bytes.
        left_out = ("AWS::Lambda::EventSourceMapping", "AWS::CloudWatch::Alarm")
        kept = {id_: each for id_, each in body["Resources"].items() if each["Type"] not in left_out}
        values = {parameter: self.names[name] for name, parameter in document.variables.items()}
        values |= {"CodeBucket": bucket, "CodeKey": "code"}
        stacks = Stacks(ServiceClient("cloudformation", self.clients["cloudformation"]))
        # Without white space: a body has 51,200 bytes at most.
        text = json.dumps({**body, "Resources": kept}, separators=(",", ":"))
        prepared = create_change_set(stacks, self.stack, StackTemplate(text), values)
        result = read_result(stacks, prepared, list(execute(stacks, prepared)))
        assert result.succeeded, result
        return next(each.physical_id for each in stacks.resources(prepared.stack_id) if each.logical_id == "Role")

    def allow(self, change: Callable[[Policy], None]) -> None:
        """Give the role its policies, with a change to each statement."""
        for name, document in self._policies.items():
            changed = copy.deepcopy(document)
            for statement in changed["Statement"]:
                change(statement)
            changed["Statement"] = [each for each in changed["Statement"] if each["Action"] and each["Resource"]]
            if changed["Statement"]:
                self.clients["iam"].put_role_policy(
                    RoleName=self.role, PolicyName=name, PolicyDocument=json.dumps(changed)
                )
            else:
                self.clients["iam"].delete_role_policy(RoleName=self.role, PolicyName=name)

    def connect(self) -> Aws:
        """The router's own connection, with the function's credentials; it knows nothing about a queue or table yet."""
        with self._inside(self._local, **self._keys):
            aws = connect_router(4)
            if self._objects is None:
                # The client of S3 is made when it is first used, and must find these credentials.
                aws.objects.fetch("absent", "k", 0, 60)
                self._objects = aws.objects
        return Aws(aws.tables, aws.queues, self._objects)

    def client(self, service: str) -> Any:
        """A client of AWS with the function's credentials."""
        if service not in self._own:
            with self._inside(self._local, **self._keys):
                # Not the default session, which keeps the credentials that it found first.
                session: Any = boto3.session.Session()
                self._own[service] = session.client(service)
        return self._own[service]

    def run(self) -> dict[str, Any]:
        """What becomes of a message of each kind, and of each thing that AWS does in the role's name."""
        aws, id_ = self.connect(), uuid.uuid4().hex[:8]
        delivery = Delivery(self.program, aws)
        found: dict[str, Any] = {}
        for name, bodies in self._messages(id_).items():
            found[name] = self._route(aws, delivery, name, bodies)
        found["keys"] = [isinstance(aws.tables.key_schema(each, 60), AwsFault) for each in self._tables()]
        found["log"] = self._log(id_)
        found["encryption"] = self._encrypt()
        found["payloads"] = self._list_payloads()
        return found

    def _messages(self, id_: str) -> dict[str, list[Any]]:
        pointer = [
            "software.amazon.payloadoffloading.PayloadS3Pointer",
            {"s3BucketName": f"{self.stack}-payloads", "s3Key": "payload"},
        ]
        several = [{"how": how, "id": f"{how}-{id_}", "v": 1} for how in WAYS]
        return {
            "all-writes": [*several, {"how": "put", "later": True}, {"how": "put"}],
            "together": [{"id": id_}],
            "large": [pointer],
            "senders": [{"id": id_}, {"id": id_, "later": True}],
        }

    def _route(self, aws: Aws, delivery: Delivery, name: str, bodies: list[Any]) -> Any:
        """Receive, deliver, delete and hide, as the worker does: what each came to, and what AWS refused."""
        queue = self.program.engine.queues[name]
        root = self.clients["sqs"]
        root_url = root.get_queue_url(QueueName=queue.reference)["QueueUrl"]
        root.purge_queue(QueueUrl=root_url)
        entries = [{"Id": str(number), "MessageBody": json.dumps(body)} for number, body in enumerate(bodies)]
        root.send_message_batch(QueueUrl=root_url, Entries=entries)
        url = aws.queues.url(queue.reference, 60)
        if isinstance(url, AwsFault):
            return url
        attributes = aws.queues.attributes(url, 60)
        records = aws.queues.receive(url, 10, 0, 30)
        if isinstance(records, AwsFault):
            return records
        delivered = delivery.deliver(queue, records, FixedDeadline(float("inf")))
        done = [(each.record.message_id, each.record.receipt_handle) for each in delivered if each.acknowledged]
        texts = [json.dumps(body) for body in bodies]
        outcomes = sorted((texts.index(each.record.body), each.outcome.kind, each.outcome.reason) for each in delivered)
        failed = len(aws.queues.delete(url, done, 60)), len(delivery.set_visibility(queue, url, delivered, 60))
        if not can_postpone(queue, self.program.config):
            return outcomes, failed, attributes, 0
        postponed = postpone(aws.queues, queue, url, delivered[:1], IN_FLIGHT_MOST + 1, 60, self.program.hash)
        return outcomes, failed, attributes, len(postponed)

    def _tables(self) -> list[str]:
        return [table.name or name for name, table in self.program.config.tables.items()]

    def _log(self, stream: str) -> list[str]:
        """What Lambda does for a log."""
        logs, group = self.client("logs"), f"/aws/lambda/{self.stack}"
        events = [{"timestamp": 1_700_000_000_000, "message": "m"}]
        made = refusal(logs.create_log_stream, logGroupName=group, logStreamName=stream)
        self.clients["logs"].create_log_stream(logGroupName=group, logStreamName=f"{stream}-2")
        written = refusal(logs.put_log_events, logGroupName=group, logStreamName=f"{stream}-2", logEvents=events)
        return [made, written]

    def _encrypt(self) -> list[str]:
        """What SQS does with its keys for who reads and sends, and DynamoDB for who writes."""
        kms, found = self.client("kms"), []
        for name in KEYS:
            secret = self.clients["kms"].encrypt(KeyId=self.names[name], Plaintext=b"m")["CiphertextBlob"]
            found.append(refusal(kms.decrypt, KeyId=self.names[name], CiphertextBlob=secret))
        sending = [self.names[name] for name in ("KEY", "LETTERS_KEY")]
        return found + [refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_256") for key in sending]

    def _list_payloads(self) -> str:
        """What S3 asks for before it tells that an object does not exist; this server tells anybody."""
        return refusal(self.client("s3").list_objects_v2, Bucket=f"{self.stack}-payloads")


def refusal(call: Callable[..., Any], **parameters: Any) -> str:
    """AWS's error code of a call, or ""."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.fixture(scope="module")
def deployed(guarded: LocalAws, inside: Inside) -> Deployed:
    """The flows, deployed once."""
    services = ("cloudformation", "dynamodb", "iam", "kms", "lambda", "logs", "s3", "sqs")
    with inside(guarded):
        make: Any = boto3.client
        clients = {service: make(service) for service in services}
    keys = {name: clients["kms"].create_key()["KeyMetadata"]["Arn"] for name in KEYS}
    return Deployed(guarded, inside, clients, {"PREFIX": f"p{uuid.uuid4().hex[:8]}", **keys})


@pytest.fixture(scope="module")
def whole(deployed: Deployed) -> dict[str, Any]:
    """The outcomes with the role of the template."""
    return deployed.run()


@pytest.fixture
def restored(deployed: Deployed) -> Iterator[None]:
    """Restores the role afterwards."""
    yield
    deployed.allow(lambda statement: None)


def test_all_that_the_router_does(deployed: Deployed, whole: dict[str, Any]) -> None:
    """With the role of the template each message ends as it should, and nothing is refused."""
    outcomes, failed, attributes, postponed = whole["all-writes"]

    assert [each for each in outcomes if each[1] != "written"] == [
        (len(WAYS), "retry", "not now"),
        (len(WAYS) + 1, "rejected", f"table '{deployed.stack}-puts': key attribute 'id' is missing"),
    ]
    assert (len(outcomes), failed, attributes) == (len(WAYS) + 2, (0, 0), QueueAttributes(361, 10))
    assert postponed == 1
    assert [whole[name][0][0][1] for name in ("together", "large")] == ["written", "written"]
    assert (set(whole["keys"]), whole["log"], whole["encryption"]) == ({False}, ["", ""], ["", "", "", "", ""])
    assert whole["payloads"] == ""


def test_again(deployed: Deployed, whole: dict[str, Any]) -> None:
    """A second run has the same outcomes: differences below are due to a missing permission."""
    assert deployed.run() == whole


@pytest.mark.parametrize(
    ("sid", "action"),
    [(statement["Sid"], action) for statement in statements() for action in statement["Action"]],
)
@pytest.mark.usefixtures("restored")
def test_each_action_is_needed(deployed: Deployed, whole: dict[str, Any], sid: str, action: str) -> None:
    """Without one of the actions of a statement, something that the router does fails."""

    def change(statement: Policy) -> None:
        if statement["Sid"] == sid:
            statement["Action"] = [each for each in statement["Action"] if each not in in_batches(action)]

    deployed.allow(change)

    assert deployed.run() != whole


@pytest.mark.parametrize(
    ("sid", "index"),
    [
        (statement["Sid"], index)
        for statement in statements()
        for index in range(len(statement["Resource"]))
        if len(statement["Resource"]) > 1
    ],
)
@pytest.mark.usefixtures("restored")
def test_each_resource_is_needed(deployed: Deployed, whole: dict[str, Any], sid: str, index: int) -> None:
    """Without one of the resources of a statement, something that the router does fails."""

    def change(statement: Policy) -> None:
        if statement["Sid"] == sid:
            del statement["Resource"][index]

    deployed.allow(change)

    assert deployed.run() != whole


def test_no_wildcard() -> None:
    """No statement is about more than it names; the `*` of a bucket is its objects, that of a log its streams."""
    stars = [json.dumps(each) for each in statements() if "*" in json.dumps([each["Action"], each["Resource"]])]

    assert len(stars) == 1
    assert "payloads/*" in stars[0]


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("dynamodb", "scan", {"TableName": "{p}-puts"}),
        ("dynamodb", "query", {"TableName": "{p}-puts", "KeyConditionExpression": "id = :i"}),
        ("dynamodb", "get_item", {"TableName": "{p}-puts", "Key": {"id": {"S": "1"}}}),
        ("dynamodb", "delete_item", {"TableName": "{p}-puts", "Key": {"id": {"S": "1"}}}),
        ("dynamodb", "put_item", {"TableName": "{p}-other", "Item": {"id": {"S": "1"}}}),
        ("dynamodb", "delete_table", {"TableName": "{p}-puts"}),
        ("dynamodb", "update_table", {"TableName": "{p}-puts", "DeletionProtectionEnabled": False}),
        ("sqs", "purge_queue", {"QueueUrl": "{q}-all-writes"}),
        ("sqs", "send_message", {"QueueUrl": "{q}-senders", "MessageBody": "m"}),
        ("sqs", "receive_message", {"QueueUrl": "{q}-letters"}),
        ("sqs", "delete_queue", {"QueueUrl": "{q}-all-writes"}),
        ("sqs", "set_queue_attributes", {"QueueUrl": "{q}-all-writes", "Attributes": {"VisibilityTimeout": "1"}}),
        ("s3", "put_object", {"Bucket": "{p}-payloads", "Key": "k"}),
        ("s3", "delete_object", {"Bucket": "{p}-payloads", "Key": "k"}),
        ("s3", "list_objects_v2", {"Bucket": "{p}-others"}),
        ("s3", "get_object", {"Bucket": "{p}-others", "Key": "k"}),
        ("kms", "generate_data_key", {"KeyId": "{TABLE_KEY}", "KeySpec": "AES_256"}),
        ("kms", "disable_key", {"KeyId": "{KEY}"}),
        ("logs", "create_log_group", {"logGroupName": "{p}"}),
        ("logs", "create_log_stream", {"logGroupName": "{p}", "logStreamName": "s"}),
        ("lambda", "invoke", {"FunctionName": "{p}"}),
        ("iam", "get_role", {"RoleName": "{p}"}),
    ],
)
def test_nothing_else(deployed: Deployed, service: str, operation: str, parameters: dict[str, Any]) -> None:
    """Actions that the router never uses are refused."""
    queues = deployed.clients["sqs"].get_queue_url(QueueName=f"{deployed.stack}-letters")["QueueUrl"]
    names = {
        "{p}": deployed.stack,
        "{q}": queues.removesuffix("-letters"),
        **{f"{{{key}}}": deployed.names[key] for key in KEYS},
    }
    filled = json.dumps(parameters)
    for place, name in names.items():
        filled = filled.replace(place, name)

    code = refusal(getattr(deployed.client(service), operation), **json.loads(filled))

    assert code in ("AccessDenied", "AccessDeniedException")
