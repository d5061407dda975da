"""Keeps an embedded AWS with the queues and tables of a config, and a worker that reloads when a
file is saved.
"""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO

from msgspec import Struct

from router.errors import ConfigError, RouterError, UsageError
from router.runtime.aws.references import queue_name, table_name
from router.runtime.printable import printable
from router.runtime.program.load import Program, load_program
from router.tools.dev.demo import STOP_SECONDS, start_worker
from router.tools.dev.emulator import ACCOUNT, REGION, LocalAws, clients, local_aws
from router.tools.dev.guard import ADDRESS
from router.tools.dev.provision import provision

POLL_SECONDS = 0.5
"""Between two looks at the files."""
_MAX_FILES = 5000
_SUFFIXES = (".yaml", ".yml", ".json", ".py")
_LEFT_OUT = ("node_modules", "__pycache__")
# Version 1 of the AWS CLI, and boto3, read only AWS_DEFAULT_REGION.
_OF_SDKS = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
)
_OF_LINE = ("time", "level", "message")
Report = Callable[[str], None]
"""Prints a line."""


def require_port(port: int) -> None:
    """Raise UsageError if another program listens on a port of the loopback address."""
    try:
        socket.create_server((ADDRESS, port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise UsageError(
            f"port {port} of {ADDRESS}: {reason}; choose another with --port, or 0 for a free one"
        ) from None


def describe(program: Program, local: LocalAws) -> Iterator[str]:
    """Yield what to paste: for the AWS CLI, for SDKs, and for the router."""
    yield _export(local)
    for queue in program.engine.queues.values():
        url = f"{local.endpoint}/{ACCOUNT}/{queue_name(queue.reference)}"
        group = " --message-group-id g --message-deduplication-id 1" if queue.fifo else ""
        yield f"aws sqs send-message --queue-url {url} --message-body '{{}}'{group}"
    for name, table in program.config.tables.items():
        yield f"aws dynamodb scan --table-name {table_name(table.name or name)}"
    yield (
        f'boto3.client("sqs", endpoint_url="{local.endpoint}", region_name="{REGION}", '
        'aws_access_key_id="local", aws_secret_access_key="local")'
    )
    for queue in program.engine.queues.values():
        yield f"router send {queue.name} FILE --endpoint-url {local.endpoint}"


def describe_empty(program: Program, local: LocalAws) -> Iterator[str]:
    """Yield what to paste to deploy: functions run on the Python and the processor of this machine.

    Raises UsageError if Lambda has no such runtime.
    """
    # The build is imported for this alone.
    from router.tools.dev.demo_deployed import this_machine

    target = this_machine()
    yield _export(local)
    yield f"router build --arch {target.arch} --python {target.python}"
    yield "router deploy --stack local --package dist/lambda.zip"
    for queue in program.engine.queues.values():
        yield f"router send {queue.name} FILE"


def _export(local: LocalAws) -> str:
    """Return the command that sets the variables of SDKs and of the AWS CLI."""
    env = local.environment()
    return "export " + " ".join(f"{name}={env[name]}" for name in _OF_SDKS)


def keep_up(
    config: Path,
    local: LocalAws,
    stop: Event,
    report: Report,
    listen: str = "",
) -> None:
    """Run the worker until `stop`, with its pages at `listen`; raises UsageError if it ends by
    itself.

    If a file in the folder of the config changes, what is new is made, and the worker reloads; a
    config with errors is reported, and the worker keeps the one before.
    """
    with _worker(config, local, report, listen) as worker:
        seen = saved_files(config.absolute().parent)
        while not stop.wait(POLL_SECONDS):
            if worker.poll() is not None:
                raise UsageError("the worker ended by itself")
            now = saved_files(config.absolute().parent)
            if now != seen:
                seen = now
                _reload(config, local, worker, report)


def _reload(
    config: Path,
    local: LocalAws,
    worker: "subprocess.Popen[bytes]",
    report: Report,
) -> None:
    try:
        program = load_program(config, os.environ)
    except ConfigError as error:
        for finding in error.findings:
            report(str(finding))
        report("the config has errors: the worker keeps the one before")
        return
    provision_new(program, local)
    worker.send_signal(signal.SIGHUP)


def provision_new(program: Program, local: LocalAws) -> None:
    """Make the queues and tables of a config that are not there; queues get its settings."""
    dynamodb, _ = clients(local)
    existing: set[str] = set()
    for page in dynamodb.get_paginator("list_tables").paginate():
        existing.update(page["TableNames"])
    provision(program, local, tables=existing)


def saved_files(folder: Path) -> Mapping[str, tuple[int, int]]:
    """Return when each file that a config may name was saved, and its size."""
    found: dict[str, tuple[int, int]] = {}
    for root, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name[0] != "."
            and name not in _LEFT_OUT
            and not Path(root, name, "pyvenv.cfg").exists()
        ]
        for name in files:
            if name.endswith(_SUFFIXES) and len(found) < _MAX_FILES:
                path = os.path.join(root, name)  # noqa: PTH118 — thousands of files, twice a second
                try:
                    status = os.stat(path)  # noqa: PTH116 — as above
                except OSError:  # deleted meanwhile
                    continue
                found[path] = status.st_mtime_ns, status.st_size
    return found


@contextmanager
def _worker(
    config: Path,
    local: LocalAws,
    report: Report,
    listen: str,
) -> Iterator["subprocess.Popen[bytes]"]:
    env = local.environment()
    with start_worker(config, env, subprocess.PIPE, own_session=True, listen=listen) as process:
        assert process.stderr
        reader = Thread(target=_show_log, args=(process.stderr, report), daemon=True)
        reader.start()
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join(1)


def _show_log(log: IO[bytes], report: Report) -> None:
    for line in log:
        report(show_line(line.decode(errors="replace").rstrip("\n")))


def show_line(text: str) -> str:
    """Return a line of the worker's log for people; one that is not JSON is returned as it is."""
    line = None
    with suppress(ValueError):
        line = json.loads(text)
    if not isinstance(line, dict):
        return printable(text)
    shown = [str(line.get("time", ""))[11:23], str(line.get("message", ""))]
    for name, value in line.items():
        if name not in _OF_LINE and value:
            shown.append(f"{name}={json.dumps(value)}")
    return printable(" ".join(shown))


RESTART_SECONDS = 2.0
"""Before a worker that ended by itself is started again."""


class LocalTarget(Struct, frozen=True):
    """The environment that leads SDKs to an embedded AWS, and the address of the pages of its
    worker.
    """

    env: Mapping[str, str]
    worker: str


@contextmanager
def local_target(config: Path, env: Mapping[str, str], report: Report) -> Iterator[LocalTarget]:
    """Keep an embedded AWS up with a worker, and return where they are; raises RouterError."""
    program = load_program(config, env)
    stop = Event()
    report("starting the embedded AWS")
    with local_aws() as local:
        provision_new(program, local)
        report(f"the embedded AWS listens on {local.endpoint}")
        with socket.create_server((ADDRESS, 0)) as listener:
            address = f"{ADDRESS}:{listener.getsockname()[1]}"
        worker = Thread(
            target=_keep_worker,
            args=(config, local, stop, report, address),
            daemon=True,
        )
        worker.start()
        try:
            yield LocalTarget(local.environment(), address)
        finally:
            stop.set()
            worker.join()


def _keep_worker(
    config: Path,
    local: LocalAws,
    stop: Event,
    report: Report,
    address: str,
) -> None:
    while not stop.is_set():
        try:
            keep_up(config, local, stop, report, address)
        except RouterError as error:
            report(f"{error}; it is started again")
            stop.wait(RESTART_SECONDS)
