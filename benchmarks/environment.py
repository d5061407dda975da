"""The environment that each program here runs in: keys, region, and the canned server as AWS."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
_LONGEST_SECONDS = 300


class BenchmarkError(Exception):
    """A program did not do what it was measured for."""


def prepare(endpoint: str, config: Path = HERE / "routes.yaml") -> dict[str, str]:
    """The environment of now without what it says of AWS and of bytecode, and with what a benchmark needs.

    Where Python may write no bytecode, a start would compile what has changed, and not what came from a package.
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
    """What a program of this folder prints, e.g. `["probe.py", "batch"]`; raises BenchmarkError if it fails."""
    whole = [sys.executable, str(HERE / command[0]), *command[1:]]
    done = subprocess.run(whole, check=False, env=env, capture_output=True, text=True, timeout=_LONGEST_SECONDS)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BenchmarkError(f"{what} failed: {last}")
    return done.stdout


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed meanwhile: the handler has a log, which is not to be read here, but is to be measured."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stdout.flush()
        for number, name in enumerate(kept, start=1):
            os.dup2(name, number)
            os.close(name)
        os.close(nowhere)
