"""`router demo`: the whole path on an embedded AWS."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import click
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.cli.options import config_option
from router.dev.demo import run_with_worker
from router.dev.display import to_cell
from router.dev.emulator import local_aws
from router.dev.results import DeadLetter, DemoResult, SampleResult
from router.dev.samples import Sample, environments, from_lines, from_tests
from router.errors import UsageError
from router.model import Item
from router.program.load import Program, load_program

_COLOURS = {"written": "green", "dropped": "yellow", "rejected": "yellow", "retry": "red"}
_WIDE = 160
"""Characters of a line where the output is no terminal, so that a table is not cut at 80."""


@click.command("demo")
@config_option
@click.option(
    "--messages", type=click.File(encoding="utf-8"), help="Send these JSON lines instead (- for standard input)."
)
@click.option("--queue", help="The queue of --messages: its name in the config.")
@click.option("--lambda", "as_lambda", is_flag=True, help="Through the deployed function, instead of the worker.")
def command(config: Path, messages: TextIO | None, queue: str | None, as_lambda: bool) -> None:
    """Show the whole path: queues and tables of the config on an embedded AWS, its test messages, the real worker.

    With --lambda it goes through what is deployed: the package is built, the template is deployed, and the function
    routes the messages with its own role and no other permission. It starts the AWS itself, on the loopback address,
    and ends it; no other is ever touched. Exit code 0: every message ended as its test says; 1: one did not; 2: could
    not run.

    \b
    Examples:
      router demo
      router demo --lambda
      router demo --queue user-metadata --messages messages.jsonl
    """
    program = load_program(config, os.environ)
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    results: list[SampleResult] = []
    for round_ in _rounds(program, config, messages, queue):
        if round_.env:
            console.print(f"with {escape(', '.join(f'{name}={value}' for name, value in round_.env.items()))}")
        demo = _run(console, config, round_, as_lambda)
        _print(console, demo)
        results += demo.results
    failed = sum(not result.expected for result in results)
    console.print(f"{len(results) - failed} of {len(results)} messages ended as they should")
    sys.exit(failed > 0)


def _run(console: Console, config: Path, round_: "_Round", as_lambda: bool) -> DemoResult:
    status = Console(stderr=True).status("starting the embedded AWS")
    with status, local_aws(enforces_iam=as_lambda) as local:
        if as_lambda:
            # Only who deploys pays for importing what deploys.
            from router.cli.demo_deployed import show_deployed
            from router.dev.demo_deployed import run_deployed

            deployed = run_deployed(round_.program, config, round_.samples, local, status.update, round_.env)
            show_deployed(console, deployed)
            return deployed.result
        status.update(f"routing {len(round_.samples)} messages")
        return run_with_worker(round_.program, config, round_.samples, local, round_.env)


class _Round(Struct, frozen=True):
    """What is sent in one environment, with an embedded AWS of its own; `env` is what it has beyond the usual one."""

    env: Mapping[str, str]
    program: Program
    samples: list[Sample]


def _rounds(program: Program, config: Path, messages: TextIO | None, queue: str | None) -> list[_Round]:
    if messages is None:
        rounds = []
        for env in environments(program):
            inside = load_program(config, {**os.environ, **env}) if env else program
            rounds.append(_Round(env, inside, from_tests(inside, env)))
    elif queue is None or queue not in program.engine.queues:
        raise UsageError(f"--messages needs --queue, one of {', '.join(program.engine.queues)}")
    else:
        rounds = [_Round({}, program, from_lines(program, queue, messages))]
    if not any(each.samples for each in rounds):
        raise UsageError("there is nothing to send: no route has tests; add some under 'tests:', or use --messages")
    return rounds


def _print(console: Console, demo: DemoResult) -> None:
    # Titles are lines of their own: those of rich are wrapped at the width of their table.
    for name, items in demo.tables.items():
        console.print(f"table {name}", _items(items), sep="\n")
    if demo.dead_letters:
        console.print("dead letters", _dead_letters(demo.dead_letters), sep="\n")
    table = Table("", "queue", "message", "ended", "why")
    for result in demo.results:
        mark = "[green]ok[/]" if result.expected else "[bold red]NO[/]"
        colour = _COLOURS.get(result.outcome, "red")
        name, why = escape(result.sample.name), escape(result.reason)
        table.add_row(mark, result.sample.queue, name, f"[{colour}]{result.outcome}[/]", why)
    console.print("messages", table, sep="\n")


def _dead_letters(dead_letters: Sequence[DeadLetter]) -> Table:
    table = Table("code", "reason", "queue", "message id")
    for letter in dead_letters:
        table.add_row(letter.code, escape(letter.reason or "(it does not say)"), letter.queue, letter.message_id)
    return table


def _items(items: list[Item]) -> Table:
    columns = list(dict.fromkeys(attribute for item in items for attribute in item))
    table = Table(*map(escape, columns))
    for item in sorted(items, key=lambda item: [to_cell(item.get(column, "")) for column in columns]):
        table.add_row(*(escape(to_cell(item[column])) if column in item else "" for column in columns))
    return table
