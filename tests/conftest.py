"""Two independent AWS servers, moto's and ministack, for all tests that want real ones."""

import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.support.config import WRITTEN
from tests.support.dev import LocalAws, clients, clients_of, local_aws

pytest_plugins = ["tests.support.marks", "tests.support.retry"]

# An example takes as long as the machine is busy. The examples are the same in each run, so that
# a test that passes once passes always; `make test ARGS="-m hypothesis --hypothesis-profile=free"` looks for
# others.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", UNTIMED, derandomize=True, database=None)
settings.register_profile("free", UNTIMED, derandomize=False, print_blob=True)
settings.load_profile("gate")

# A shell's background job ignores Ctrl-C, and so would the programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Ends when its standard input does, so that it cannot outlive the tests.
# Moto builds the list of a queue's messages anew to delete one: a message that another thread sends meanwhile would be
# lost, and one that it deletes would be there again. Two receives of a FIFO queue would return messages of the
# same group.
MOTO = """
import os, sys, threading, time
from moto.server import ThreadedMotoServer
from moto.sqs.models import Queue, SQSBackend
lock = threading.RLock()
def one_by_one(method):
    def call(*arguments):
        with lock:
            return method(*arguments)
    return call
Queue.add_message = one_by_one(Queue.add_message)
Queue.delete_message = one_by_one(Queue.delete_message)
receive_now = one_by_one(SQSBackend.receive_message)
def receive(backend, queue, count, wait, *more):
    until = time.monotonic() + wait
    while not (found := receive_now(backend, queue, count, 0, *more)) and time.monotonic() < until:
        time.sleep(0.05)
    return found
SQSBackend.receive_message = receive
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
os._exit(0)
"""


def pytest_configure(config: pytest.Config) -> None:
    """Draw the same examples whatever other tests run in the process."""
    if config.getoption("--hypothesis-profile") != "free":
        # Hypothesis else draws constants of the modules of the project that are imported by then.
        vars(providers)["is_local_module_file"] = lambda path: False


@contextmanager
def moto() -> Iterator[LocalAws]:
    command = [sys.executable, "-c", MOTO]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        yield LocalAws(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        assert process.stdin
        process.stdin.close()
        process.wait(60)


@pytest.fixture(scope="session", params=[moto, local_aws], ids=["moto", "ministack"])
def server(request: pytest.FixtureRequest) -> Iterator[LocalAws]:
    """A server with nothing in it, or what other tests have left; use names of your own."""
    with request.param() as running:
        yield running


@pytest.fixture(scope="session")
def dynamodb(server: LocalAws) -> Any:
    """A plain boto3 client, to set up and look at what the seam cannot."""
    return clients(server)[0]


@pytest.fixture(scope="session")
def sqs(server: LocalAws) -> Any:
    """A plain boto3 client, to set up and look at what the seam cannot."""
    return clients(server)[1]


@pytest.fixture(scope="session")
def s3(server: LocalAws) -> Any:
    """A plain boto3 client, to set up what the seam only reads."""
    return clients_of(server)("s3")


@pytest.fixture(autouse=True)
def forgotten_secrets() -> Iterator[None]:
    """The secrets of configs that a test has loaded are not masked in the next one."""
    yield
    WRITTEN.clear()


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"test-{uuid.uuid4().hex[:12]}"
