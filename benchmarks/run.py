"""The benchmarks: `make bench`. Each figure as a ratio to its peer of the same run; `--json FILE` writes the figures.

Processor time is compared, not wall time, and each round measures all peers in turn, since machines are noisy.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

HERE = Path(__file__).parent
BUDGETS = {
    ("router", "batch_writer"): 1 / 8,
    ("router", "put_item"): 1 / 40,
    ("cold-router", "cold-batch_writer"): 1 / 3,
}
"""The most that the router may take of what its peer takes."""
RECORDS = 1000


@contextmanager
def canned() -> Iterator[str]:
    """A server of canned answers; its address."""
    command = [sys.executable, str(HERE / "canned.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()


def measure(name: str, records: int, endpoint: str) -> float:
    """One figure, from a process of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "ROUTER_CONFIG": str(HERE / "routes.yaml"),
    }
    command = [sys.executable, str(HERE / "measure.py"), name, str(records)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure in rounds, print the table, and write what is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    names = list(dict.fromkeys(name for pair in BUDGETS for name in pair))
    figures: dict[str, list[float]] = {name: [] for name in names}
    with canned() as endpoint:
        for _ in track(range(options.rounds), description="measuring", console=Console(stderr=True)):
            for name in names:
                figures[name].append(measure(name, 1 if name.startswith("cold-") else RECORDS, endpoint))
    report(figures)
    if options.json:
        told = {"date": date.today().isoformat(), "python": platform.python_version(), "cores": os.cpu_count()}
        options.json.write_text(json.dumps({**told, "seconds": figures}, indent=2))


def report(figures: dict[str, list[float]]) -> None:
    """Print the table: medians, spread, and the ratio of medians beside its budget."""
    table = Table("measured", "median", "spread", "ratio to", "budget", title="processor time", title_justify="left")
    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, values in figures.items():
        unit, scale = ("ms", 1e3) if name.startswith("cold-") else ("µs a record", 1e6)
        ratios = [
            (f"{medians[name] / medians[peer]:.3f} of {peer}", f"{limit:.3f}")
            for (ours, peer), limit in BUDGETS.items()
            if ours == name
        ]
        spread = f"{min(values) * scale:.1f} to {max(values) * scale:.1f}"
        table.add_row(
            name,
            f"{medians[name] * scale:.1f} {unit}",
            spread,
            "\n".join(ratio for ratio, _ in ratios),
            "\n".join(limit for _, limit in ratios),
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
