"""The built package in AWS's own Runtime Interface Emulator, whose binary is in the wheel of aws-sam-cli."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import free_port
from tests.e2e.runtime_api import START, runtime_client
from tests.support.downloads import download

DISTRIBUTION = "aws-sam-cli"


@pytest.fixture(scope="module")
def emulator(pytestconfig: pytest.Config, package: Any) -> Path:
    """The emulator's binary for this machine, downloaded once into pytest's cache."""
    cache = pytestconfig.cache.mkdir("runtime-interface-emulator")
    binary = cache / f"aws-lambda-rie-{package.arch}"
    if sys.platform != "linux":
        pytest.skip("the emulator is a program for Linux")
    if not binary.is_file():
        with tempfile.TemporaryDirectory(dir=cache) as work:
            taken = _download(Path(work), binary.name)
            taken.chmod(0o755)
            taken.replace(binary)
    return binary


def _download(work: Path, name: str) -> Path:
    download(DISTRIBUTION, work, "--only-binary", ":all:")
    wheel = next(work.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        member = f"samcli/local/rapid/{name}"
        if member not in archive.namelist():
            pytest.skip(f"{wheel.name} has no {member}")
        return Path(archive.extract(member, work))


@pytest.fixture
def endpoint(emulator: Path, package: Any, tmp_path: Path) -> Iterator[str]:
    """Where the emulator takes invocations of the package; AWS itself is nowhere."""
    at, api = (f"127.0.0.1:{port}" for port in (free_port(), free_port()))
    command = [str(emulator), "--runtime-interface-emulator-address", at, "--runtime-api-address", api]
    command += [sys.executable, "-I", "-S", "-B", "-c", START, str(package.code), str(runtime_client(tmp_path))]
    variables = {
        "PATH": os.environ["PATH"],
        "LAMBDA_TASK_ROOT": str(package.code),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "PREFIX": "p",
    }
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [*command, "router.lambda_handler.handler"],
            cwd=package.code,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield f"http://{at}/2015-03-31/functions/function/invocations"
        finally:
            process.terminate()


def test_emulator(endpoint: str, wait: Any) -> None:
    """The emulator starts the function and gives back its answer: with no AWS there, the message is to come again."""
    record = {
        "messageId": "m-1",
        "receiptHandle": "h",
        "body": json.dumps({"id": "a", "value": "1", "place": "ber", "at": "2026-01-02T03:04:05Z"}),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1767323045678"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:p-readings",
    }
    body = json.dumps({"Records": [record]}).encode()

    answer = json.loads(wait(lambda: invoke(endpoint, body), "the emulator"))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}


def invoke(endpoint: str, body: bytes) -> bytes:
    """The answer to an invocation; nothing while nobody listens."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(endpoint, body, timeout=60) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.URLError:
        return b""
