"""`router template` makes the same template in each environment."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

CONFIG = """\
version: 1
queues:
  orders:
    name: ${STAGE:-dev}-orders
    retention: ${RETENTION:-4d}
    managed: ${MANAGED:-true}
    lambda: {batch_size: "${BATCH:-50}"}
  large: {envelope: [s3_pointer], s3_pointer: {buckets: ["${BUCKET:-payloads}"]}, kms_key: "${KEY:-}"}
tables: {orders: {name: "${STAGE:-dev}-orders", key: {id: S}, kms_key: "${KEY:-}"}}
function: {timeout: "${TIMEOUT:-60s}", environment: {STAGE_OF: "${STAGE:-dev}"}}
routes:
  orders: {queue: orders, table: orders, item: {id: id}}
  large: {queue: large, table: orders, item: {id: id}}
"""
VARIABLES = {
    "STAGE": "prod",
    "RETENTION": "5d",
    "MANAGED": "false",
    "BATCH": "5",
    "BUCKET": "other",
    "TIMEOUT": "30s",
    "KEY": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
}


@pytest.fixture(autouse=True)
def config(tmp_path: Path) -> None:
    """The config."""
    (tmp_path / "routes.yaml").write_text(CONFIG)


@pytest.mark.parametrize("words", [(), ("--worker",), ("--format", "operator-policy")])
def test_the_environment_does_not_matter(router: Run, words: tuple[str, ...]) -> None:
    """Whether a variable is set or not."""
    done = [router("template", *words, env={**os.environ, **more}) for more in ({}, VARIABLES)]

    assert [each.returncode for each in done] == [0, 0], done[0].stderr + done[1].stderr
    assert done[0].stdout == done[1].stdout


def test_a_file_of_variables(router: Run, tmp_path: Path) -> None:
    """Its values are those that the template has; a name stays a parameter."""
    (tmp_path / "prod.env").write_text("STAGE=prod\nBATCH=5\nRETENTION=5d\n")

    made = router("template", "--env-file", "prod.env").stdout

    found = [
        text in made for text in ("BatchSize: 5\n", "MessageRetentionPeriod: 432000", "prod-orders", "Default: dev")
    ]
    assert found == [True, True, False, True]
