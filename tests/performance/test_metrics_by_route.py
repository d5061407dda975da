"""Metrics by route cost a record hardly more than those by queue."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MOST = 1.03
COUNT = """
import json, os, time
from itertools import repeat
from unittest.mock import patch
from counting import count
from environment import prepare, quiet
from serving import serve
# With each second some texts are made anew.
with serve() as server, quiet(), patch("time.time", repeat(time.time()).__next__):
    config = os.environ["CONFIG"]
    os.environ.update(prepare(server.endpoint))
    os.environ["ROUTER_CONFIG"] = config
    # On a busy machine, some looks at connections find no response: they only add instructions.
    least = min(count("small")["instructions"] for _ in range(3))
print(json.dumps(least))
"""


def test_a_record_costs_hardly_more(tmp_path: Path) -> None:
    """Of instructions; consumed write units are requested too."""
    by_queue = BENCHMARKS / "routes.yaml"
    by_route = BENCHMARKS / "routes-by-route.yaml"
    found = []
    for config, extra in ((by_queue, ""), (tmp_path / by_route.name, "telemetry: {metrics: route}\n")):
        if extra:
            config.write_text(by_queue.read_text() + extra)
            shutil.copytree(BENCHMARKS / "schemas", tmp_path / "schemas")
        done = subprocess.run(
            [sys.executable, "-c", COUNT],
            cwd=BENCHMARKS,
            env=os.environ | {"CONFIG": str(config), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))

    assert found[1] <= MOST * found[0], found
