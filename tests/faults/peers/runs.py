"""Runs cases against the Lambda function and the worker, as processes, and checks what came of the messages."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from tests.faults.fault_rig import read_lines
from tests.faults.peers.cases import AFTER, BATCHED, Case, Channel, Operation, Program
from tests.faults.peers.server import PeerServer, peer_server
from tests.faults.peers.services import CONFIG, SentMessage, Services, make_message
from tests.support.certificates import make_certificate
from tests.support.dev import LocalAws

ROOT = Path(__file__).parents[3]
AMPLE_SECONDS = 60.0
"""The time of an invocation that must not be short of it on a busy machine."""
SHORT_SECONDS = 1.5
"""The time of an invocation that ends while a call hangs: each further try has twice as much."""
SHORT_TRIES = 4
"""The invocations of which one must have time for the other calls, on a busy machine too."""
LATE_SECONDS = 50.0
"""No busy machine delays an answer so much; a call that is not ended in time waits for longer."""
ENDLESS_SECONDS = 200
"""The time-out of calls that are not to be given up."""
CALL_SECONDS = 1
"""The time-out of calls that are to be given up."""
LONG_CALL_SECONDS = 16
"""No busy machine delays the answers to other calls so long."""
LONGEST_SECONDS = 45.0
"""No busy machine takes so long to give a call up that is to be given up after CALL_SECONDS."""
FEW = 200
"""The messages for other calls among many."""
MOST_BROKEN = 20
IDLE_SECONDS = 1.0
"""Once a worker has made no call for so long, messages whose deletes have failed become visible again."""
WORKER_SECONDS = 120.0

_KINDS: dict[Operation, str] = {
    "PutItem": "insert",
    "UpdateItem": "update",
    "TransactWriteItems": "count",
    "SendMessageBatch": "bad",
    "GetObject": "object",
}


class OthersFailed(AssertionError):
    """Messages failed that no broken call was for; on a busy machine, an answer to another call may have been late."""


class CaseRunner(Protocol):
    """A program that runs cases; raises AssertionError for one in which something is wrong."""

    def run(self, case: Case) -> None:
        """Run a case."""


class _Messages:
    """Makes messages; no two of them have the same id, so that a late call for one says nothing about others."""

    def __init__(self) -> None:
        self._number = 0

    def make(self, case: Case, size: int) -> list[SentMessage]:
        """Make messages for the operation of a case; among many, most are for BatchWriteItem."""
        kind = _KINDS.get(case.operation, "put")
        every = size // FEW if size > FEW else 1
        made = []
        for number in range(size):
            self._number += 1
            made.append(make_message(self._number, "put" if number % every else kind))
        return made


def broken_calls(case: Case) -> frozenset[int]:
    """Return the numbers of the calls that are broken."""
    messages = min(case.size, FEW) if case.operation in _KINDS else case.size
    calls = -(-messages // BATCHED.get(case.operation, 1))
    if case.calls == "first":
        return frozenset([1])
    if case.calls == "last":
        return frozenset([calls])
    step = -(-calls // (MOST_BROKEN if case.kind in AFTER else 3))
    return frozenset(range(1, calls + 1, max(2, step)))


def _queue_of(case: Case) -> str:
    return "pointers" if case.operation == "GetObject" else "messages"


class FunctionRunner:
    """The Lambda function."""

    def __init__(self, server: PeerServer, process: "subprocess.Popen[str]", log: Path) -> None:
        self._server = server
        self._process = process
        self._log = log
        self._messages = _Messages()

    def run(self, case: Case) -> None:
        """Invoke it with a batch while a call is broken, and with another one on the same connections."""
        server = self._server
        for number in range(SHORT_TRIES if case.ending == "deadline" else 1):
            services = Services()
            messages = self._messages.make(case, case.size)
            services.expect(messages)
            server.begin(case, broken_calls(case), services)
            seconds = SHORT_SECONDS * 2**number if case.ending == "deadline" else AMPLE_SECONDS
            failed = self._invoke(case, messages, seconds)
            more = failed - server.faulty
            if not more:
                break
        assert server.broken, f"no call was broken: {dict(server.calls)}"
        assert not more, f"{len(more)} failed that no broken call was for; {len(server.faulty)} are of broken calls"
        if case.kind in AFTER:
            server.settle()
            messages = self._messages.make(case, min(case.size, 100))
            server.run(lambda: services.expect(messages))
            more = self._invoke(case, messages, AMPLE_SECONDS) - server.faulty
            assert not more, f"{len(more)} of the next batch failed that no refused call was for"
            _check_reuse(server)
        server.end()

    def _invoke(self, case: Case, messages: Sequence[SentMessage], seconds: float) -> set[str]:
        """Invoke it, and return the ids that failed; checks the time, and that all others are done."""
        arn = f"arn:aws:sqs:us-east-1:000000000000:{_queue_of(case)}"
        records = [
            {
                "messageId": message.id,
                "receiptHandle": f"{message.id}-0",
                "body": message.body,
                "attributes": {},
                "eventSourceARN": arn,
            }
            for message in messages
        ]
        call_seconds = CALL_SECONDS if case.ending == "timeout" else ENDLESS_SECONDS
        answer = self._ask({"event": {"Records": records}, "seconds": seconds, "call_seconds": call_seconds})
        failed = set(answer["failed"])
        done = self._server.run(
            lambda: {message.id for message in messages if self._server.services.is_done(message.id)}
        )
        lost = {message.id for message in messages} - failed - done
        assert not lost, f"{len(lost)} of {len(messages)} are acknowledged and not done: {sorted(lost)[:3]}"
        assert answer["late"] < LATE_SECONDS, f"{answer['late']:.0f} s late"
        _check_timeout(case, self._server)
        return failed

    def _ask(self, invocation: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(invocation) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text()[-2000:]
        answer: dict[str, Any] = json.loads(line)
        return answer


class WorkerRunner:
    """The worker."""

    def __init__(self, server: PeerServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._server = server
        self._process = process
        self._log = log
        self._messages = _Messages()

    def run(self, case: Case) -> None:
        """Send messages while calls are broken, wait until its queues are empty, and send others."""
        server, services = self._server, Services()
        log_lines = len(read_lines(self._log))
        messages = self._messages.make(case, case.size)
        services.expect(messages)
        server.begin(case, broken_calls(case), services)
        self._work(case, services, messages)
        assert server.broken, f"no call was broken: {dict(server.calls)}"
        _check_timeout(case, server)
        if case.kind in AFTER:
            more = self._messages.make(case, min(case.size, 100))
            server.run(lambda: services.expect(more))
            self._work(case, services, more)
            _check_reuse(server)
        server.end()
        retried = {line["message_id"] for line in read_lines(self._log)[log_lines:] if line.get("outcome") == "retry"}
        others = retried - server.faulty
        if others:
            text = f"{len(others)} failed that no broken call was for; {len(server.faulty)} are of broken calls"
            raise OthersFailed(text)

    def _work(self, case: Case, services: Services, messages: Sequence[SentMessage]) -> None:
        server = self._server
        queue = services.queues[_queue_of(case)]
        server.run(lambda: queue.send(messages))
        server.arrive()
        end = time.monotonic() + WORKER_SECONDS
        seen: tuple[int, float] = (-1, 0.0)
        while not server.run(lambda: queue.is_empty):
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() < end, f"{len(queue.visible)} visible, {len(queue.leased)} in flight"
            made = server.calls.total() - server.calls["ReceiveMessage"]
            if made != seen[0]:
                seen = made, time.monotonic()
            elif time.monotonic() > seen[1] + IDLE_SECONDS + CALL_SECONDS and not queue.visible:
                server.run(lambda: queue.expire([*queue.leased]))
                server.arrive()
            time.sleep(0.02)
        assert not services.wrongly_deleted, f"deleted and not done: {services.wrongly_deleted[:3]}"
        lost = server.run(lambda: [message.id for message in messages if not services.is_done(message.id)])
        assert not lost, f"{len(lost)} of {len(messages)} are gone and not done: {lost[:3]}"


def _check_reuse(server: PeerServer) -> None:
    reused = server.reused
    assert not reused, f"{len(reused)} requests on connections on which something had followed an answer: {reused[:3]}"


def _check_timeout(case: Case, server: PeerServer) -> None:
    held = server.run(lambda: server.held)
    assert case.ending != "timeout" or held < LONGEST_SECONDS, f"a call was not given up for {held:.0f} s"


@contextmanager
def running(program: Program, channel: Channel, folder: Path, call_seconds: int) -> Iterator[CaseRunner]:
    """Run a server and a program while the context lasts; `call_seconds` is the time-out of a worker's calls."""
    with ExitStack() as stack:
        certificate = None if channel == "plain" else make_certificate(folder)
        server = stack.enter_context(peer_server(channel, certificate))
        trusted = {"AWS_CA_BUNDLE": str(certificate)} if certificate else {}
        environment = LocalAws(server.endpoint).environment() | trusted | {"ROUTER_CONFIG": str(CONFIG)}
        log = folder / "log"
        stderr = stack.enter_context(log.open("wb"))
        if program == "function":
            function = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.faults.peers.driver"],
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                )
            )
            stack.callback(function.kill)
            yield FunctionRunner(server, function, log)
            return
        command = [sys.executable, "-m", "tests.faults.peers.impatient", str(call_seconds)]
        yield from _running_worker(command, server, environment, log, stderr)


def _running_worker(
    command: list[str], server: PeerServer, environment: dict[str, str], log: Path, stderr: Any
) -> Iterator[WorkerRunner]:
    options = ["worker", "-c", str(CONFIG), "--receivers", "4", "--wait", "1", "--grace", "50"]
    with subprocess.Popen([*command, *options], cwd=ROOT, env=environment, stderr=stderr) as process:
        try:
            yield WorkerRunner(server, process, log)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def run_cases(program: Program, channel: Channel, cases: Sequence[Case], folder: Path, most: int) -> list[str]:
    """Run the cases of a program and a channel; return what is wrong, of `most` cases at most.

    After a case in which something is wrong, the program is started again. If other calls of a worker failed, it runs
    the case again with calls of more time: of a fault of the worker they fail in any time.
    """
    wrong: list[str] = []
    left = [case for case in cases if (case.program, case.channel) == (program, channel)]
    call_seconds = CALL_SECONDS
    for number in count():
        if not left or len(wrong) == most:
            break
        part = folder / f"{program}-{channel.replace(' ', '')}-{number}"
        part.mkdir()
        with running(program, channel, part, call_seconds) as runner:
            failed = _first_failed(runner, left, once=call_seconds != CALL_SECONDS)
        if isinstance(failed, OthersFailed) and call_seconds < LONG_CALL_SECONDS:
            call_seconds *= 4
            continue
        call_seconds = CALL_SECONDS
        if failed:
            wrong.append(f"{left.pop(0).name}: {failed}")
    return wrong


def _first_failed(runner: CaseRunner, left: list[Case], *, once: bool) -> AssertionError | None:
    """Run cases, one or all, and remove those in which nothing is wrong; return what is wrong in the first other."""
    while left:
        try:
            runner.run(left[0])
        except AssertionError as error:
            return error
        left.pop(0)
        if once:
            break
    return None
