"""The files of docs/worker, which people copy: each parses, and runs a command that exists."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import worker_command as worker
from tests.support.ops import WORKER_PLACE, WORKER_PORT, template_worker_command

FOLDER = Path(__file__).parents[2] / "docs" / "worker"
COMPOSE: Any = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["worker"]
DEPLOYMENT: Any = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))[1]["spec"]["template"]["spec"]
UNIT = (FOLDER / "message-router.service").read_text()
IMAGE = (FOLDER / "Dockerfile").read_text()
COMMANDS = {
    "compose": COMPOSE["command"],
    "kubernetes": DEPLOYMENT["containers"][0]["args"],
    "systemd": shlex.split(re.findall(r"^ExecStart=\S+ (.*)$", UNIT, re.MULTILINE)[0]),
}
STOPS = {
    "compose": int(COMPOSE["stop_grace_period"].removesuffix("s")),
    "kubernetes": DEPLOYMENT["terminationGracePeriodSeconds"],
    "systemd": int(re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[0]),
}


@pytest.mark.parametrize("place", COMMANDS)
def test_the_command_is_one_of_the_worker(place: str) -> None:
    """And whoever stops it waits for longer than the worker takes."""
    name, *options = COMMANDS[place]
    parsed, rest, _ = worker.make_parser(worker.make_context("worker", [], resilient_parsing=True)).parse_args(options)

    assert (name, rest) == ("worker", [])
    assert STOPS[place] > int(parsed["grace"])


def test_the_command_of_the_image_is_that_of_the_service() -> None:
    """`router deploy --worker` runs the image's own command, or with two cores one in its place."""
    (command,) = re.findall(r"^CMD (.*)$", IMAGE, re.MULTILINE)

    assert json.loads(command) == [*template_worker_command(f"{WORKER_PLACE}/routes.yaml", f"0.0.0.0:{WORKER_PORT}")]
    assert f"WORKDIR {WORKER_PLACE}\n" in IMAGE
    assert "ENTRYPOINT []\n" in IMAGE


def test_the_scaler_has_credentials() -> None:
    """KEDA refuses a trigger of SQS without them."""
    documents = {each["kind"]: each for each in yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())}
    names = {each["authenticationRef"]["name"] for each in documents["ScaledObject"]["spec"]["triggers"]}

    assert names == {documents["TriggerAuthentication"]["metadata"]["name"]}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_valid(tmp_path: Path) -> None:
    """As systemd reads it; only the program is not there."""
    program = tmp_path / "router"
    program.symlink_to("/bin/true")
    unit = tmp_path / "message-router.service"
    unit.write_text(UNIT.replace("/opt/message-router/bin/router", str(program)))

    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)

    assert [line for line in done.stderr.splitlines() if "message-router.service" in line] == []
