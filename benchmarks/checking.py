"""The suite of the command line: processor time of `router check` and of `--help`, from the start of the process on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from environment import HERE, BenchmarkError, prepare
from figures import Figures
from floors import HELP, MANY, ONE_QUEUE, OWN, ROUTER, SAMPLE, SECOND, TABLE
from serving import Server

from router.tools.cli.app import app

COUNT = 1000
LEAST_OF = 3
"""Starts of each program in a round, in turn. The least counts: what else runs on the machine only adds to it."""


def measure(server: Server, figures: Figures, rounds: Iterable[int]) -> None:
    """Measure in rounds; raises BenchmarkError if a program fails."""
    with TemporaryDirectory() as folder:
        files = {SAMPLE: HERE.parent / "routes.yaml"}
        configs = {
            OWN: many_schemas(COUNT),
            "1,000 routes": one_queue(COUNT),
            MANY: one_queue(2 * COUNT),
        }
        for name, config in configs.items():
            files[name] = Path(folder) / f"{name}.yaml"
            files[name].write_text(json.dumps(config), encoding="utf-8")
        checks = {name: ["-m", "router", "check", str(file)] for name, file in files.items()}
        commands = {TABLE: ["-c", "import peers.boto3_table"], **checks}
        helps = {name: ["-m", "router", *name.split(), "--help"] for name in every_command(app)}
        for _ in rounds:
            least = _least(commands, server)
            for case in (SAMPLE, OWN):
                figures.add(case, ROUTER, least[case])
                figures.add(case, TABLE, least[TABLE])
            for name in ("1,000 routes", MANY):
                figures.add(ONE_QUEUE, name, least[name])
            figures.add(HELP, "the slowest command", max(_least(helps, server).values()))
            figures.add(HELP, SECOND, 1.0)


def every_command(command: click.Command, words: str = "") -> list[str]:
    """Return the words of a command and of those below it."""
    found = [words]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            found += every_command(below, f"{words} {name}")
    return found


def one_queue(count: int) -> dict[str, Any]:
    """Return a config whose routes share a queue; each has a condition and a table of its own."""
    routes = {
        f"route-{number}": {
            "queue": "all",
            "table": f"table-{number}",
            "when": f"kind == 'kind-{number}'",
            "schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "minLength": 1}}},
            "item": {"id": "id", "kind": "kind", "value": "value", "sent_at": {"meta": "sent_at"}},
        }
        for number in range(count)
    }
    tables = {f"table-{number}": {"key": {"id": "S"}} for number in range(count)}
    return {"version": 1, "queues": {"all": {"match": "first"}}, "tables": tables, "routes": routes}


def many_schemas(count: int) -> dict[str, Any]:
    """Return a config whose routes have queues and schemas of their own, with property names of their own."""
    routes = {f"route-{number}": _route(number) for number in range(count)}
    queues = {route["queue"]: {"dead_letter": "letters"} for route in routes.values()}
    return {"version": 1, "queues": queues, "tables": {"things": {"key": {"id": "S"}}}, "routes": routes}


def _route(number: int) -> dict[str, Any]:
    id_, amount = f"id{number}", f"n{number}"
    text, least = {"type": "string", "minLength": 1, "maxLength": 100}, {"type": "number", "minimum": number}
    return {
        "queue": f"queue-{number}",
        "table": "things",
        "when": f"type == 'a{number}'",
        "schema": {"type": "object", "required": [id_, amount], "properties": {id_: text, amount: least}},
        "item": {
            "id": id_,
            "a": {"from": "x.y", "transform": ["strip", {"truncate": 80}]},
            "b": {"meta": "sent_at"},
            "c": {"template": f"U#{{{id_}}}"},
            "d": {"hash": [id_, amount]},
            "e": {"ttl": "90d"},
            "f": f"length({id_})",
            "g": {"from": "z", "type": "SS", "default": ["a"]},
            "n": {"from": amount, "type": "N"},
        },
    }


def _least(commands: dict[str, list[str]], server: Server) -> dict[str, float]:
    """Return the least processor seconds of each program of Python."""
    env = prepare(server.endpoint)
    starts = [{name: _seconds(command, env) for name, command in commands.items()} for _ in range(LEAST_OF)]
    return {name: min(start[name] for start in starts) for name in commands}


def _seconds(command: Sequence[str], env: dict[str, str]) -> float:
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *command], cwd=HERE, env=env, stdout=nowhere, stderr=nowhere)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(f"'{' '.join(command)}' ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime
