"""Neither the log of a function or a worker, nor the error with which one ends, has the value of a secret."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.config import WRITTEN
from tests.support.deliver import JsonLines

MARK = "zq7xk29w"
SECRETS = {"QUEUE_TOKEN": f"{MARK}-queue", "INCLUDE_SECRET": f"{MARK}/*.yaml", "WHEN_PASSWORD": f"{MARK}[", "NAME": "x"}
CONFIG = """\
version: 1
queues: {one: {name: "${QUEUE_TOKEN}"}}
tables: {one: {key: {id: S}}}
routes: {one: {queue: one, table: one}}
"""


def run(folder: Path, *words: str) -> tuple[int, str]:
    """Run Python in a folder with the variables; nothing listens where AWS should be."""
    aws = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    environment = {**os.environ, **SECRETS, **aws, "AWS_REGION": "eu-west-1", "ROUTER_CONFIG": "routes.yaml"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (CONFIG.replace("table: one}", "table: one, when: '${WHEN_PASSWORD}'}"), "RT401"),
        (f"include: '${{INCLUDE_SECRET}}'\n{CONFIG}", "RT107"),
    ],
    ids=["an expression", "an include"],
)
def test_a_function_that_cannot_start(config: str, code: str, tmp_path: Path) -> None:
    """The lines of the log, and the exception that AWS's runtime reports."""
    (tmp_path / "routes.yaml").write_text(config)

    status, output = run(tmp_path, "-c", "import router.lambda_handler")

    assert (status, code in output, "ConfigError" in output, MARK in output) == (1, True, True, False), output


def test_a_worker_whose_queue_does_not_answer(tmp_path: Path) -> None:
    """The error of a call to AWS names the queue by its reference."""
    (tmp_path / "routes.yaml").write_text(CONFIG)

    code, output = run(tmp_path, "-m", "router", "worker", "--grace", "3")

    assert (code != 0, "${QUEUE_TOKEN}" in output, MARK in output) == (True, True, False), output


def test_a_line_of_the_log() -> None:
    """Each field of a line is masked."""
    WRITTEN.add(f'{MARK} "x"', "${X_TOKEN}")
    record = logging.LogRecord("router", logging.INFO, "", 0, "no queue %s", (f'{MARK} "x"',), None)
    record.fields = {"queue": f'{MARK} "x"'}

    line = json.loads(JsonLines().format(record))

    assert (line["message"], line["queue"]) == ("no queue ${X_TOKEN}", "${X_TOKEN}")
    WRITTEN.clear()
