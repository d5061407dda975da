"""Templates as stacks of the embedded AWS: what they make is what `router check --live` wants."""

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.check import check
from tests.support.dev import LocalAws, local_aws
from tests.support.ops import Document, LiveComparison, as_json, make_document, read_for_deployment

SECONDS = 60
CONFIG = """\
version: 1
queues:
  plain: {name: "${STAGE:-dev}-plain", dead_letter: "${STAGE:-dev}-plain-dlq", lambda: {batch_size: 50, window: 2s}}
  fifo: {name: orders.fifo, dead_letter: orders-dlq.fifo, atomic: true, tags: {a: b}, lambda: {maximum_concurrency: 5}}
  existing: {managed: false, dead_letter: existing-dlq}
tables:
  things: {name: "${STAGE:-dev}-things", key: {id: S, n: N}, ttl: gone, owner: shop, tags: {stage: "${STAGE:-dev}"}}
  counters: {key: {id: S}}
  markers: {key: {id: S}}
  seen: {key: {id: S}}
routes:
  put: {queue: plain, table: things}
  once: {queue: fifo, table: counters, item: {id: id, v: v}, write: {mode: update, add: [v], once: markers}}
  insert: {queue: existing, table: seen, write: {mode: insert}}
"""
NOT_KNOWN = "AWS::ApplicationAutoScaling::"
"""Resources that the embedded AWS does not have."""
MISSING = {"RT704", "RT706"}
"""What its CloudFormation leaves out of tables: their time to live, and that they are billed by request."""


@pytest.fixture(scope="module")
def local(inside: Callable[..., AbstractContextManager[None]]) -> Iterator[LocalAws]:
    """An embedded AWS of this module's own, which the environment leads to, with a bucket and an empty package."""
    with local_aws() as running, inside(running):
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("empty.py", "")
        storage = boto3.client("s3")
        storage.create_bucket(Bucket="packages")
        storage.put_object(Bucket="packages", Key="package.zip", Body=package.getvalue())
        letters = boto3.client("sqs").create_queue(QueueName="existing-dlq")["QueueUrl"]
        letters_arn = f"arn:aws:sqs:us-east-1:000000000000:{letters.rpartition('/')[2]}"
        redrive = f'{{"deadLetterTargetArn": "{letters_arn}", "maxReceiveCount": 5}}'
        attributes: Any = {"VisibilityTimeout": "400", "MessageRetentionPeriod": "86400", "RedrivePolicy": redrive}
        boto3.client("sqs").create_queue(QueueName="existing", Attributes=attributes)
        yield running


def deploy(document: Document, **parameters: str) -> dict[str, Any]:
    """Make a stack of a template; what CloudFormation says of it in the end."""
    stacks = boto3.client("cloudformation")
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    # Without indentation: a body has 51,200 bytes at most.
    body = json.dumps(json.loads(as_json(document)), separators=(",", ":"))
    stacks.create_stack(StackName="flows", TemplateBody=body, Parameters=given, Capabilities=["CAPABILITY_IAM"])
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        (stack,) = stacks.describe_stacks(StackName="flows")["Stacks"]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            return dict(stack)
        time.sleep(0.05)
    raise AssertionError(f"the stack did not come in {SECONDS} seconds")


@pytest.fixture
def gone(local: LocalAws) -> Iterator[None]:
    """The stack of a test goes when it ends."""
    yield
    stacks = boto3.client("cloudformation")
    stacks.delete_stack(StackName="flows")
    stacks.get_waiter("stack_delete_complete").wait(StackName="flows", WaiterConfig={"Delay": 1})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The config."""
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_the_function(gone: None, config: Path) -> None:
    """The stack comes, and what is live is as the config says, for the role of the function too."""
    document = make_document(read_for_deployment(config, {}))
    where = {"CodeBucket": "packages", "CodeKey": "package.zip", "VariableStage": "test"}

    stack = deploy(document, **where)
    found = check(config, {**os.environ, "STAGE": "test"}, LiveComparison("flows"))

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert [str(each) for each in found if each.code.severity != "info" and each.code.id not in MISSING] == []
    function = boto3.client("lambda").get_function_configuration(FunctionName="flows")
    assert [function[key] for key in ("Timeout", "MemorySize", "Runtime", "Architectures", "LoggingConfig")] == [
        60,
        512,
        "python3.13",
        ["arm64"],
        {"LogFormat": "JSON", "LogGroup": "/aws/lambda/flows"},
    ]
    queue = boto3.client("sqs").get_queue_url(QueueName="orders-dlq.fifo")["QueueUrl"]
    table = boto3.client("dynamodb").describe_table(TableName="test-things")["Table"]["TableArn"]
    tags = boto3.client("dynamodb").list_tags_of_resource(ResourceArn=table)["Tags"]
    of_queue = boto3.client("sqs").list_queue_tags(QueueUrl=queue)["Tags"]
    assert {name: value for name, value in of_queue.items() if not name.startswith("aws:")} == {"a": "b"}
    assert {each["Key"]: each["Value"] for each in tags if not each["Key"].startswith("aws:")} == {
        "owner": "shop",
        "stage": "test",
    }
    assert function["Environment"] == {"Variables": {"ROUTER_SERVICE": "flows", "STAGE": "test"}}


def test_the_worker(gone: None, config: Path) -> None:
    """The stack comes, but for what scales it, with a service of the tasks that it describes."""
    network = boto3.client("ec2")
    subnets = [each["SubnetId"] for each in network.describe_subnets()["Subnets"]][:1]
    groups = [each["GroupId"] for each in network.describe_security_groups()["SecurityGroups"]][:1]
    document = make_document(read_for_deployment(config, {}), as_worker=True)
    resources = document.body["Resources"]
    known = {name: each for name, each in resources.items() if not each["Type"].startswith(NOT_KNOWN)}
    document = Document({**document.body, "Resources": known}, document.routes, document.variables)

    stack = deploy(document, Image="router:1", Subnets=",".join(subnets), SecurityGroups=",".join(groups))

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    (service,) = boto3.client("ecs").describe_services(cluster="flows", services=["flows"])["services"]
    network_of_tasks = service["networkConfiguration"]["awsvpcConfiguration"]
    assert (service["launchType"], network_of_tasks["subnets"]) == ("FARGATE", subnets)
