"""The worker and the Lambda function on a compiled config, on both servers."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).parent / "lambda_driver.py"


@pytest.fixture
def compiled(router: Any, flows: Any, tmp_path: Path) -> Path:
    """The flows as one file, alone with its plugins."""
    shutil.copytree(flows.config.parent / "plugins", tmp_path / "plugins")
    done = router("compile", str(flows.config), "-o", str(tmp_path / "routes.compiled.json"))
    assert done.returncode == 0, done.stdout
    return tmp_path / "routes.compiled.json"


def test_the_function(flows: Any, compiled: Path, name: str) -> None:
    """Writes what an event brings."""
    record = {
        "messageId": "m-1",
        "receiptHandle": "handle",
        "body": json.dumps({"id": name, "number": 1.5}),
        "attributes": {"SentTimestamp": "1767323045678"},
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{flows.prefix}-plain",
    }
    invocation = json.dumps({"event": {"Records": [record]}, "milliseconds": 30_000})

    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        env=flows.environment | {"ROUTER_CONFIG": str(compiled)},
        input=invocation + "\n",
        capture_output=True,
        text=True,
        timeout=200,
    )

    item = flows.item(name)
    assert (json.loads(done.stdout), item and item["number"]) == ({"batchItemFailures": []}, {"N": "1.5"})


def test_the_worker(flows: Any, compiled: Path, wait: Callable[..., Any], name: str, tmp_path: Path) -> None:
    """Routes messages, and loads the file again on SIGHUP; one that is no longer whole is refused, and it goes on."""
    log = tmp_path / "log"
    command = [sys.executable, "-m", "router", "worker", "-c", str(compiled), "--queue", "plain", "--wait", "1"]

    def logged(text: str) -> bool:
        return text in log.read_text()

    with log.open("wb") as stderr, subprocess.Popen(command, env=flows.environment, stderr=stderr) as worker:
        try:
            wait(lambda: logged("worker started"))
            worker.send_signal(signal.SIGHUP)
            wait(lambda: logged("config reloaded"))
            compiled.write_bytes(compiled.read_bytes()[:-9])
            worker.send_signal(signal.SIGHUP)
            wait(lambda: logged(f"cannot reload: {compiled} is damaged: compile the config again, with router compile"))
            flows.send("plain", {"id": name})
            item = wait(lambda: flows.item(name))
            worker.send_signal(signal.SIGTERM)
            ended = worker.wait(60)
        finally:
            worker.kill()

    assert (item["id"], ended) == ({"S": name}, 0)
