"""The environment of the measured programs: keys, region, and the canned server as AWS."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
_LONGEST_SECONDS = 300


class BenchmarkError(Exception):
    """A program did not do the work that was to be measured."""


def prepare(endpoint: str, config: Path = HERE / "routes.yaml") -> dict[str, str]:
    """Return the current environment without variables of AWS and of bytecode, and with those of a benchmark.

    If Python may not write bytecode, a start compiles changed modules, but not those of installed packages.
    """
    left_out = ("AWS_", "ROUTER_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "ROUTER_CONFIG": str(config),
        "POWERTOOLS_TRACE_DISABLED": "true",
    }


def ask(what: str, command: list[str], env: Mapping[str, str] | None = None) -> str:
    """Return the output of a program of this folder, as `["start.py", "json"]`; raises BenchmarkError if it fails."""
    whole = [sys.executable, str(HERE / command[0]), *command[1:]]
    done = subprocess.run(whole, check=False, env=env, capture_output=True, text=True, timeout=_LONGEST_SECONDS)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BenchmarkError(f"{what} failed: {last}")
    return done.stdout
