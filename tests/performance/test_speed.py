"""`router check` is quick: ratios of the processor time of two processes that alternate, as machines are busy."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ = "import sys, yaml; yaml.compose(open(sys.argv[1], 'rb').read(), yaml.CSafeLoader)"
"""What any program does that reads the file."""
HEADROOM = 1 if sys.version_info[:2] == (3, 11) else 1.5
"""Other versions of Python take less for the baselines, or more for the rest."""
LIBRARIES = "import click, jsonschema_rs, msgspec, pluggy, yaml"
ROUTE = """  r{0}:
    queue: q{0}
    table: things
    when: "type == 'a{0}'"
    schema:
      type: object
      required: [id, n]
      properties: {{id: {{type: string, minLength: 1, maxLength: 100}}, n: {{type: number, minimum: {0}}}}}
    item:
      id: id
      a: {{from: x.y, transform: [strip, {{truncate: 80}}]}}
      b: {{meta: sent_at}}
      c: {{template: "U#{{id}}"}}
      d: {{hash: [id, n]}}
      e: {{ttl: 90d}}
      f: "length(id)"
      g: {{from: z, type: SS, default: [a]}}
      n: {{from: n, type: N}}
"""


def ratio(baseline: Sequence[str], rounds: int, config: Path) -> float:
    """The least ratio of `router check` to a Python program."""
    check = ["-m", "router", "check", str(config)]
    return min(_cpu(check) / _cpu([*baseline, str(config)]) for _ in range(rounds))


def _cpu(words: Sequence[str]) -> float:
    """The seconds of processor time of a Python process that exits with 0."""
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """1,000 routes, each with a queue and a schema of its own."""
    queues = "".join(f"  q{index}: {{dead_letter: dlq}}\n" for index in range(1000))
    routes = "".join(ROUTE.format(index) for index in range(1000))
    file = tmp_path / "routes.yaml"
    file.write_text(
        f"version: 1\ntables: {{things: {{key: {{id: S}}}}}}\nqueues:\n{queues}routes:\n{routes}", encoding="utf-8"
    )
    return file


def test_a_thousand_routes_are_checked_while_one_waits(config: Path) -> None:
    """In some six times what libyaml takes to read them, 0.25 s."""
    assert ratio(["-c", READ], 2, config) < 9 * HEADROOM


def test_the_sample_is_checked_at_once() -> None:
    """In some two or three times what it takes to import the libraries."""
    assert ratio(["-c", LIBRARIES], 6, ROOT / "routes.yaml") < 3.6 * HEADROOM
