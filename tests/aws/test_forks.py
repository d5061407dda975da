"""A plugin that forks: its copy of the process delivers nothing over the connections of the first."""

import subprocess
import sys
from pathlib import Path
from threading import Lock

import pytest

from tests.aws.peers import SECONDS, Peer, Wire, render
from tests.support.dev import LocalAws

CONFIG = """\
version: 1
plugins: [forks.py]
queues: {q: {dead_letter: letters}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: things}}
"""
PLUGIN = """\
import os, sys
from router import hookimpl

@hookimpl
def router_transform_message(message):
    if message.data["id"] == "b" and os.fork() == 0:
        WAYS
"""
PROGRAM = """\
import json, sys, warnings
warnings.simplefilter("ignore")
from router.model import Record
from tests.support.aws import boottime, connect
from tests.support.deliver import Delivery, FixedDeadline
from tests.support.program import load_program

program = load_program(sys.argv[1], {})
delivery = Delivery(program, connect(4))
for ids in ("a", "abc"):
    records = [Record(id_, "h", json.dumps({"id": id_})) for id_ in ids]
    delivered = delivery.deliver(program.engine.queues["q"], records, FixedDeadline(boottime() + 20))
    print([each.outcome.kind for each in delivered], flush=True)
"""


@pytest.mark.parametrize("transport", ["direct", "boto3"])
@pytest.mark.parametrize("way", ["sys.exit(0)", "return", "raise ValueError"])
def test_a_copy_of_the_process_makes_no_calls(tmp_path: Path, way: str, transport: str) -> None:
    """It ends before its first request, however it leaves the plugin."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "forks.py").write_text(PLUGIN.replace("WAYS", way))
    written: list[str] = []
    lock = Lock()

    def serve(wire: Wire) -> None:
        while True:
            request = wire.read()
            with lock:
                items = request.content["RequestItems"]["things"]
                written.extend(each["PutRequest"]["Item"]["id"]["S"] for each in items)
            wire.send(render(b'{"UnprocessedItems":{}}'))

    peer = Peer(serve)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "routes.yaml")],
            env=LocalAws(f"http://127.0.0.1:{peer.port}").environment()
            | {"PYTHONPATH": ":".join(sys.path), "ROUTER_TRANSPORT": transport},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        peer.close()

    assert done.stdout.splitlines() == ["['written']", "['written', 'written', 'written']"], done.stderr
    assert sorted(written) == ["a", "a", "b", "c"]
