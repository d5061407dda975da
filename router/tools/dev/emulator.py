"""The embedded AWS (ministack): starts it, and creates queues and tables on it for demos and tests."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.request import ProxyHandler, build_opener

from msgspec import Struct

from router.errors import MissingExtra, UsageError
from router.model import Item, Table
from router.runtime.aws.references import is_fifo, queue_name, table_name
from router.tools.dev.file_lock import lock
from router.tools.memory.decoding import decode_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

REGION = "us-east-1"
ACCOUNT = "000000000000"
READY_SECONDS = 30
"""The longest wait for its start, which usually takes half a second."""
LOAD_SECONDS = 3600
"""The longest wait for its start with a state that it loads."""
END_SECONDS = 5
_LOG_LINES = 10
_GUARD_ENDED = "the process that waits for it ended before, so that it may be or not"
_KEY = "local"
_IAM = {"AUTH": "true", "AWS_ACCESS_KEY_ID": _KEY}
"""Makes ministack enforce policies, except for the root of the account, which has this key."""
_PASSED_ON = ("PATH", "HOME", "LANG", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT")


class LocalAws(Struct, frozen=True):
    """A running embedded AWS: its endpoint, e.g. `http://127.0.0.1:40123`, and its temporary
    directory.
    """

    endpoint: str
    directory: str = ""

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that can reach only this AWS, without the user's
        credentials.
        """
        # Other variables could make boto3 use another AWS: profiles, proxies, endpoints of single services.
        kept = {name: value for name, value in os.environ.items() if not _is_foreign(name)}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def local_aws(
    *,
    enforces_iam: bool = False,
    port: int = 0,
    state: Path | None = None,
) -> Iterator[LocalAws]:
    """Run an empty embedded AWS, which is removed afterwards, in whatever way the program ends.

    With `enforces_iam`, identities other than the root of the account have only the permissions of
    their policies. It listens on a free port for port 0. With `state`, a folder, it starts with
    what is in there, and saves it at the end. Raises MissingExtra (no ministack), UsageError (it
    does not start, it could not save, or another one has the folder).
    """
    if find_spec("ministack") is None:
        raise MissingExtra("the embedded AWS", "local")
    kept = [str(state.absolute())] if state else []
    directory = tempfile.mkdtemp(prefix="router-aws-")
    try:
        with (
            _locked(state) as inherited,
            _guarded(
                [directory, str(port), *kept], _IAM if enforces_iam else {}, inherited
            ) as process,
        ):
            seconds = LOAD_SECONDS if state else READY_SECONDS
            yield LocalAws(_endpoint(process, Path(directory, "log"), seconds), directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _locked(folder: Path | None) -> Iterator[tuple[int, ...]]:
    """Lock a folder that exists; the process that inherits the descriptors has it locked until it ends, too."""
    if folder is None or not folder.is_dir() or sys.platform == "win32":
        yield ()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not lock(descriptor):
            raise UsageError(
                f"another embedded AWS keeps its messages and items in {folder}: end it first, or name another folder"
            )
        yield (descriptor,)
    finally:
        os.close(descriptor)


@contextmanager
def _guarded(
    arguments: list[str],
    settings: Mapping[str, str],
    inherited: tuple[int, ...],
) -> Iterator[subprocess.Popen[bytes]]:
    with (
        Path(arguments[0], "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 — our own module on our own interpreter
            # -P: a `router` folder in the working directory is not this package.
            [sys.executable, "-P", "-m", "router.tools.dev.guard", *arguments],
            env={
                **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                **settings,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=inherited,
            # Ctrl-C at the terminal must not end it before the program has finished.
            start_new_session=True,
        ) as process,
    ):
        kept = arguments[2:]
        try:
            yield process
        finally:
            unsaved = _end(process, None if kept else END_SECONDS)
        if kept and unsaved:
            raise UsageError(f"what is new could not be saved in {kept[0]}: {unsaved}")


def _end(process: subprocess.Popen[bytes], seconds: float | None) -> str:
    """End the guard; return why it has not saved the state, or ""."""
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return ""
    report = process.stdout.read().decode(errors="replace").strip()
    return report or (_GUARD_ENDED if process.returncode else "")


def _endpoint(process: subprocess.Popen[bytes], log: Path, seconds: float) -> str:
    """Return the endpoint of the server as soon as it answers."""
    assert process.stdout
    port = process.stdout.readline().strip().decode()
    endpoint = f"http://127.0.0.1:{port}"
    # Without a proxy of the environment. If no port was printed, there is no server.
    with suppress(OSError):
        if port:
            build_opener(ProxyHandler({})).open(
                f"{endpoint}/_ministack/health",
                timeout=seconds,
            ).close()
            return endpoint
    last = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
    raise UsageError(f"the embedded AWS did not start; the end of its log:\n{last}")


def _is_foreign(name: str) -> bool:
    return name.startswith("AWS_") or name.upper() in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "BOTO_CONFIG",
    )


_ROLES: tuple[Literal["HASH", "RANGE"], ...] = ("HASH", "RANGE")


class QueueSettings(Struct, frozen=True):
    """What a queue has beside its name and its dead-letter queue; times are in seconds."""

    receives: int = 5
    """After so many, SQS moves a message to the dead-letter queue."""
    visibility: int = 30
    retention: int = 345_600
    """Four days, as of a queue that nobody has set it for."""


def clients(local: LocalAws) -> "tuple[DynamoDBClient, SQSClient]":
    """Return clients of DynamoDB and SQS for the embedded AWS, whatever the environment says.

    Raises MissingExtra (no boto3), UsageError (they would call another AWS).
    """
    make = clients_of(local)
    return make("dynamodb"), make("sqs")


def clients_of(local: LocalAws) -> Callable[[str], Any]:
    """Return a function that creates a client of the embedded AWS by a service's name; raises as
    `clients` does.
    """
    try:
        # Imported late for start-up time.
        import boto3
        import botocore.session
    except ModuleNotFoundError:
        raise MissingExtra("the embedded AWS", "local") from None
    unread = (None, None, os.devnull, None)
    session = boto3.session.Session(
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 — the embedded AWS accepts any
        region_name=REGION,
        botocore_session=botocore.session.Session(
            {"profile": (None, None, None, None), "config_file": unread, "credentials_file": unread}
        ),
    )

    # boto3's types have overloads for literal names only.
    make_client: Callable[..., Any] = session.client

    def make(service: str) -> Any:
        client = make_client(service, endpoint_url=local.endpoint)
        # Nothing must be created elsewhere, whatever an SDK reads from the environment.
        refuse_foreign(client.meta.endpoint_url, local)
        return client

    return make


def refuse_foreign(endpoint: str, local: LocalAws) -> None:
    """Raise UsageError unless an endpoint is the embedded AWS's own."""
    if endpoint.rstrip("/") != local.endpoint:
        raise UsageError(
            f"this runs on the embedded AWS at {local.endpoint} only, not on {endpoint}"
        )


def create_table(
    client: "DynamoDBClient",
    table: Table,
    ttl: str = "",
    definition: Mapping[str, Any] | None = None,
) -> None:
    """Create a table, with its time-to-live attribute if it has one.

    `definition` has the parameters of CreateTable; without it the table has the key and no index,
    and is billed by request.
    """
    given: Any = definition or {
        "KeySchema": [
            {"AttributeName": attribute, "KeyType": role}
            for (attribute, _), role in zip(table.key, _ROLES, strict=False)
        ],
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in table.key
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    try:
        client.create_table(TableName=table.name, **given)
    except client.exceptions.ResourceInUseException as error:
        # The SDK has repeated a call that was done and not answered in time.
        if not error.response["ResponseMetadata"].get("RetryAttempts"):
            raise
    if ttl:
        client.update_time_to_live(
            TableName=table.name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl},
        )


def create_queues(
    client: "SQSClient",
    queues: Mapping[str, str],
    settings: Mapping[str, QueueSettings] = {},
) -> dict[str, str]:
    """Create queues, each with its dead-letter queue or "", and return the URLs by name; all are
    names, ARNs or URLs.

    Dead-letter queues are created first. A queue whose name ends in `.fifo` is FIFO, and accepts
    messages without a deduplication id. `settings` are by name; a queue that exists gets them, too.
    """
    dead_letters = {
        queue_name(queue): queue_name(dead_letter) for queue, dead_letter in queues.items()
    }
    urls: dict[str, str] = {}
    arns: dict[str, str] = {}
    for name in dict.fromkeys(filter(None, (*dead_letters.values(), *dead_letters))):
        kind: dict[QueueAttributeNameType, str] = {}
        if is_fifo(name):
            kind = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        urls[name] = client.create_queue(QueueName=name, Attributes=kind)["QueueUrl"]
        response = client.get_queue_attributes(QueueUrl=urls[name], AttributeNames=["QueueArn"])
        arns[name] = response["Attributes"]["QueueArn"]
    for name, url in urls.items():
        given = settings.get(name, QueueSettings())
        attributes: dict[QueueAttributeNameType, str] = {
            "VisibilityTimeout": str(given.visibility),
            "MessageRetentionPeriod": str(given.retention),
        }
        if dead_letter := dead_letters.get(name, ""):
            policy = {"deadLetterTargetArn": arns[dead_letter], "maxReceiveCount": given.receives}
            attributes["RedrivePolicy"] = json.dumps(policy)
        client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return urls


def scan_table(client: "DynamoDBClient", name: str) -> list[Item]:
    """Return all items of a table, in Python's own types, in no particular order."""
    return [decode_item(item) for item in _stored_items(client, table_name(name))]


def _stored_items(client: "DynamoDBClient", name: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
        yield from page["Items"]


def replace_items(client: "DynamoDBClient", table: Table, items: Iterable[dict[str, Any]]) -> None:
    """Delete all items of a table, and put others, which are in DynamoDB's JSON."""
    name = table_name(table.name)
    for item in _stored_items(client, name):
        key = {attribute: item[attribute] for attribute, _ in table.key}
        client.delete_item(TableName=name, Key=key)
    for item in items:
        client.put_item(TableName=name, Item=item)


_BATCHES = {
    action: f"{action}Batch"
    for action in ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:SendMessage")
}
_LOGS = "logs:"
_VIA_SERVICE = "kms:ViaService"
_GROUP = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${%s}"


def for_embedded_aws(template: Any) -> Any:
    """Return a template whose policies allow on the embedded AWS what they allow on AWS.

    AWS has no separate actions for the batch operations of SQS: `sqs:SendMessage` allows ten
    messages at a time
    (AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html). ministack
    requires `sqs:SendMessageBatch`, and so on. In AWS, the ARN of a log group with its streams is
    `log-group:NAME:*`, which is the `Arn` of the group in CloudFormation; ministack requires
    `log-group:NAME`. Its services use no keys on behalf of a role, so that none is used by way
    of a service.
    """
    if isinstance(template, list):
        return [for_embedded_aws(each) for each in template]
    if not isinstance(template, dict):
        return template
    if isinstance(template.get("Action"), list):
        return _statement(template)
    return {key: for_embedded_aws(value) for key, value in template.items()}


def in_batches(action: str) -> tuple[str, ...]:
    """Return an action, and the embedded AWS's name for it in batches."""
    return (action, _BATCHES[action]) if action in _BATCHES else (action,)


def _statement(statement: dict[str, Any]) -> dict[str, Any]:
    actions = [each for action in statement["Action"] for each in in_batches(action)]
    resources = list(statement["Resource"])
    if all(action.startswith(_LOGS) for action in actions):
        resources += [
            {"Fn::Sub": _GROUP % each["Fn::GetAtt"][0]}
            for each in resources
            if isinstance(each, dict) and "Fn::GetAtt" in each
        ]
    changed = {**statement, "Action": actions, "Resource": resources}
    if _VIA_SERVICE in json.dumps(statement.get("Condition", {})):
        del changed["Condition"]
    return changed
