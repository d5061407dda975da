"""The suite of cold starts: the processor time of loading a program with its first client, for AWS's own endpoint.

The router is the package that `router build` makes. The client reads the certificates that verify the endpoint, and
connects to nothing. The start of the interpreter and of AWS's runtime client is not the program's, and does not count.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from environment import HERE, BenchmarkError, prepare
from figures import Figures
from floors import COLD, ROUTER, TABLE
from function import build_package, make_image
from serving import Server

MODULES = {ROUTER: "router.lambda_handler", TABLE: "peers.boto3_table"}
LEAST_OF = 7
"""Starts of each program in a round, in turn. The least counts: what else runs on the machine only adds to it."""


def measure(server: Server, figures: Figures, rounds: Iterable[int]) -> None:
    """Measure in rounds; raises BenchmarkError if a program does not start."""
    with TemporaryDirectory() as folder:
        package, image = build_package(Path(folder)), make_image(Path(folder))
        installed = [HERE, *(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))]
        paths = {ROUTER: [package, image], TABLE: [*installed, image]}
        for program in MODULES:
            _start(program, paths[program])  # the first start may have to write bytecode
        for _ in rounds:
            starts = [{program: _start(program, paths[program]) for program in MODULES} for _ in range(LEAST_OF)]
            for program in MODULES:
                figures.add(COLD, program, min(start[program] for start in starts))


def _start(program: str, paths: list[Path]) -> float:
    """Return the processor seconds of a start."""
    env = prepare("")
    del env["AWS_ENDPOINT_URL"], env["ROUTER_CONFIG"]
    env["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    # As in a deployment: `-S` skips what a development environment runs at each start.
    command = [sys.executable, "-S", str(HERE / "start.py"), MODULES[program]]
    done = subprocess.run(command, check=False, env=env, cwd=paths[0], capture_output=True, text=True, timeout=60)
    if done.returncode or not done.stdout:
        raise BenchmarkError(f"the cold start of '{program}' failed: {done.stderr.strip()[-300:]}")
    return float(done.stdout)
