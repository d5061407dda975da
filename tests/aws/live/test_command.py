"""`router check --live` as a person types it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.control_plane.clients import control_plane_clients
from tests.support.dev import LocalAws

CONFIG = """\
version: 1
queues: {q: {name: NAME, dead_letter: NAME-dlq}}
tables: {items: {name: NAME, key: {pk: S, sk: N}, ttl: expires}}
routes: {r: {queue: q, table: items, item: {pk: a, sk: {from: b, type: N}, expires: {ttl: 90d}}}}
"""


def run(folder: Path, server: LocalAws, *options: str) -> "subprocess.CompletedProcess[str]":
    """The program, in a folder with the config, where it finds that server alone."""
    command = [sys.executable, "-m", "router", "check", *options]
    return subprocess.run(command, cwd=folder, env=server.environment(), text=True, capture_output=True, timeout=200)


@pytest.fixture
def deployed(deployer: Any, name: str, tmp_path: Path) -> str:
    """The config in a folder, and what it names, but that the table has another key."""
    deployer.deploy({"key": {"pk": "S"}, "mappings": (None,)}, name)
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("NAME", name), encoding="utf-8")
    return name


def test_text(server: LocalAws, deployed: str, tmp_path: Path) -> None:
    """The numbers are in tables, the findings below; with an error the exit code is 1."""
    done = run(tmp_path, server, "--live")

    assert (done.returncode, "│ 262144 bytes" in done.stdout) == (1, True)
    assert f"the key of table '{deployed}' is pk: S, not pk: S, sk: N" in done.stdout.splitlines()[-1]


def test_json(server: LocalAws, deployed: str, tmp_path: Path) -> None:
    """JSON is one document, with the function of the command."""
    done = run(tmp_path, server, "--live", "--format", "json", "--function", f"{deployed}-0")

    document = json.loads(done.stdout)
    assert "RT703" in [finding["code"] for finding in document["findings"]]
    assert (document["live"]["tables"]["items"]["key"], len(document["live"]["functions"])) == ([["pk", "S"]], 1)


def test_function_without_live(server: LocalAws, deployed: str, tmp_path: Path) -> None:
    """A function without --live is an error."""
    done = run(tmp_path, server, "--function", "router")

    assert (done.returncode, done.stdout, "--function needs --live" in done.stderr) == (2, "", True)


@pytest.mark.parametrize(
    ("variables", "output"),
    [
        ({}, "there is no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1"),
        ({"AWS_PROFILE": "absent"}, "the AWS settings of this environment do not work: .*absent"),
    ],
    ids=["no region", "no such profile"],
)
def test_settings(in_environment: Callable[..., None], variables: dict[str, str], output: str) -> None:
    """Errors in the settings of the environment are explained."""
    in_environment(AWS_CONFIG_FILE="none", **variables)

    with pytest.raises(UsageError, match=f"^{output}"):
        control_plane_clients(["sqs"])
