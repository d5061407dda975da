"""The pages of a worker that is short of file descriptors, or has clients that are slow."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

CONFIG = """
version: 1
plugins: [greedy.py]
tables: {items: {name: "${PREFIX}-items", key: {id: S}}}
queues: {plain: {name: "${PREFIX}-plain", dead_letter: "${PREFIX}-plain-dlq"}}
routes: {r: {queue: plain, table: items}}
"""
# Opens files until there is no descriptor left, as a burst of connections to AWS would.
GREEDY = """
import os
from router import hookimpl

@hookimpl
def router_start(router):
    while True:
        try:
            os.dup(0)
        except OSError:
            return
"""
FILES = 100


def test_no_file_descriptors(flows: Any, wait: Callable[..., Any], tmp_path: Path) -> None:
    """Where the process has no file descriptor left, and clients keep connections open, the pages are served."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "greedy.py").write_text(GREEDY)
    log = tmp_path / "log"
    # A grace period that no busy machine uses up.
    options = ["--wait", "1", "--grace", "50", "--listen", "127.0.0.1:0"]
    command = ["sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh"]
    command += [sys.executable, "-m", "router", "worker", "-c", str(tmp_path / "routes.yaml"), *options]

    def line(message: str) -> Any:
        lines = [json.loads(each) for each in log.read_text().splitlines(keepends=True) if each.endswith("\n")]
        return next((each for each in lines if each["message"] == message), None)

    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, env=flows.environment, stderr=stderr) as process,
        ExitStack() as stack,
    ):
        try:
            port = wait(lambda: line("listening"), "the address")["port"]
            wait(lambda: line("worker started"), "the start")
            for _ in range(20):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            answers = []
            for path in ("/healthz", "/metrics", "/healthz"):
                with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                    answers.append(answer.status)
            process.terminate()
            code = process.wait(60)
        finally:
            process.kill()

    assert (answers, code) == ([200] * 3, 0)
