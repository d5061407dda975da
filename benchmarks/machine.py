"""Describes the machine and the programs of a run."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PEERS = ("boto3", "jsonschema", "aws-lambda-powertools")


def describe() -> str:
    """Return date, processor, cores, system, Python and the versions of the peers, in two sentences."""
    system = f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    peers = ", ".join(f"{name} {version(name)}" for name in _PEERS)
    today = datetime.now(UTC).date().isoformat()
    return f"Measured on {today}: {_processor()}, {os.cpu_count()} cores, {system}, {python}.\nCompared with {peers}."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else "unknown"
