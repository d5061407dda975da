"""The worker, started by exactly the command that the Dockerfile, the unit of systemd and the manifests have."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.model import Table
from tests.e2e.conftest import free_port
from tests.support.dev import LocalAws, clients, create_queues, create_table, local_aws

CONFIG = """\
version: 1
queues: {q: {name: "${STAGE:-dev}-q", dead_letter: q-dlq}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: things, schema: schemas/thing.json}}
"""
SCHEMA = (
    '{"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 10}}}'
)


@pytest.fixture(scope="module")
def local() -> Iterator[LocalAws]:
    """An AWS of this module's own, with the queues and the table of the config."""
    with local_aws() as running:
        tables, queues = clients(running)
        create_queues(queues, {"test-q": "q-dlq"})
        create_table(tables, Table("things", (("id", "S"),)))
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a machine, with the config where the container and the unit have it; nobody may write there."""
    for place in ("srv/router", "etc/message-router"):
        folder = tmp_path / place
        (folder / "schemas").mkdir(parents=True)
        (folder / "routes.yaml").write_text(CONFIG)
        (folder / "schemas/thing.json").write_text(SCHEMA)
    return tmp_path


def docker(text: str) -> tuple[list[str], list[str], str]:
    """The command of a Dockerfile, that which looks after its health, and its folder."""
    lines = text.replace("\\\n", " ").splitlines()
    (command,) = (line.removeprefix("CMD ") for line in lines if line.startswith("CMD "))
    (health,) = (line.partition(" CMD ")[2] for line in lines if line.startswith("HEALTHCHECK "))
    (*_, folder) = (line.removeprefix("WORKDIR ") for line in lines if line.startswith("WORKDIR "))
    return json.loads(command), json.loads(health), folder


def systemd(text: str) -> tuple[list[str], list[str], str]:
    """The command of a unit, that which tells it to load its config again, and its folder."""
    settings = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    return shlex.split(settings["ExecStart"]), shlex.split(settings["ExecReload"]), settings["WorkingDirectory"]


def kubernetes(text: str) -> tuple[list[str], list[str], str]:
    """The command of the pods, a command that probes them as the kubelet does, and the folder of their image."""
    (pod,) = (each["spec"]["template"]["spec"] for each in yaml.safe_load_all(text) if each["kind"] == "Deployment")
    (container,) = pod["containers"]
    path, port = container["livenessProbe"]["httpGet"]["path"], container["ports"][0]["containerPort"]
    probe = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}{path}', timeout=60)"
    return container["command"], ["/opt/router/bin/python", "-c", probe], "/srv/router"


@pytest.mark.parametrize("form", ["docker", "systemd", "kubernetes"])
def test_the_worker_starts(form: str, root: Path, local: LocalAws, router: Any, wait: Callable[..., Any]) -> None:
    """It stores a message, shows its health, loads its config again, writes no file, and ends within its time."""
    place = "etc/message-router" if form == "systemd" else "srv/router"
    index = ("--index", "https://packages.example.com/simple") if form != "kubernetes" else ()
    text = router(
        "template", "--format", form, *index, cwd=root / place, env=os.environ | {"AWS_REGION": "eu-west-1"}
    ).stdout
    command, beside, folder = {"docker": docker, "systemd": systemd, "kubernetes": kubernetes}[form](text)
    port = free_port()
    # The paths are those of another machine, and somebody else may listen on the port of this one.
    here = {"/opt/router/bin": str(Path(sys.executable).parent), "/srv": f"{root}/srv", "/etc": f"{root}/etc"}

    def mapped(word: str) -> str:
        for there, place in {**here, ":9090": f":{port}"}.items():
            word = re.sub(rf"(?<![\w/.]){there}", place, word) if there.startswith("/") else word.replace(there, place)
        return word

    tables, queues = clients(local)
    url = queues.get_queue_url(QueueName="test-q")["QueueUrl"]

    def logged(what: str) -> bool:
        """Whether the worker has said something; a message ends a receive that waits, and for which it waits."""
        queues.send_message(QueueUrl=url, MessageBody=json.dumps({"id": form}))
        return what in log.read_text()

    files = sorted(root.rglob("*"))
    log = root.parent / f"{root.name}.log"
    environment = local.environment() | {"STAGE": "test", "PYTHONDONTWRITEBYTECODE": "1"}
    with (
        log.open("wb") as stderr,
        subprocess.Popen(list(map(mapped, command)), cwd=mapped(folder), env=environment, stderr=stderr) as process,
    ):
        try:
            wait(lambda: logged("worker started"), "the worker")
            item = wait(lambda: tables.get_item(TableName="things", Key={"id": {"S": form}}).get("Item"), "the item")
            if form == "systemd":
                subprocess.run([word.replace("$MAINPID", str(process.pid)) for word in beside], check=True)
                wait(lambda: logged("config reloaded"), "the config")
            else:
                healthy = subprocess.run(list(map(mapped, beside)), env=environment, capture_output=True)
            process.send_signal(signal.SIGTERM)
            wait(lambda: logged("worker stopped"), "the end")
            code = process.wait(60)
        finally:
            process.kill()
    assert (item, code, sorted(root.rglob("*"))) == ({"id": {"S": form}}, 0, files), log.read_text()
    if form != "systemd":
        ended = subprocess.run(list(map(mapped, beside)), env=os.environ, capture_output=True)
        assert (healthy.returncode, ended.returncode) == (0, 1), healthy.stderr
