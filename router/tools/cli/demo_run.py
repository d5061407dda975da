"""Runs `router demo`, and shows what becomes of each message."""

import os
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from rich.console import Console

from router.errors import UsageError
from router.model import Item
from router.runtime.printable import printable, printable_lines
from router.runtime.program.load import Program, load_program
from router.tools.cli.terminal import literal, output, print_items, print_table
from router.tools.dev.compare import to_cell, to_json
from router.tools.dev.demo import run_with_worker
from router.tools.dev.demo_results import DemoResult, SampleResult
from router.tools.dev.demo_tests import DemoRound, sample_tests
from router.tools.dev.emulator import local_aws
from router.tools.dev.samples import environments, from_lines, from_tests

if TYPE_CHECKING:
    from router.tools.dev.demo_deployed import DeployedDemo

_COLOURS = {"written": "green", "retry": "red"}
_LOG_COLUMNS = ("time", "level", "message")


def run_demo(config: Path, messages: TextIO | None, queue: str | None, *, as_lambda: bool) -> bool:
    """Route the messages, and show what became of them; return whether one had another outcome than expected."""
    program = load_program(config, os.environ)
    console = output()
    results: list[SampleResult] = []
    for round_ in _rounds(program, config, messages, queue):
        if round_.env:
            variables = ", ".join(f"{name}={value}" for name, value in round_.env.items())
            console.print(f"with {literal(variables)}")
        demo = _run(console, config, round_, as_lambda)
        _print(demo)
        results += demo.results
    failed = sum(not result.expected for result in results)
    console.print(f"{len(results) - failed} of {len(results)} messages had the expected outcome")
    return failed > 0


def _run(console: Console, config: Path, round_: DemoRound, as_lambda: bool) -> DemoResult:
    status = Console(stderr=True).status("starting the embedded AWS")
    with status, local_aws(enforces_iam=as_lambda) as local:
        if as_lambda:
            # Imported only here, for start-up time.
            from router.tools.dev.demo_deployed import run_deployed

            deployed = run_deployed(round_, config, local, status.update)
            _show_deployed(console, deployed)
            return deployed.result
        status.update(f"routing {round_.count} messages")
        return run_with_worker(round_, config, local)


def _rounds(
    program: Program, config: Path, messages: TextIO | None, queue: str | None
) -> list[DemoRound]:
    rounds = []
    if messages is not None:
        if queue is None:
            raise UsageError(f"--messages needs --queue, one of {', '.join(program.engine.queues)}")
        samples = from_lines(program, program.queue(queue).name, messages)
        rounds.append(DemoRound({}, program, samples, []))
    elif queue is not None:
        raise UsageError(
            "--queue needs --messages: the tests say themselves which queue they are for"
        )
    else:
        for env in environments(program):
            inside = load_program(config, {**os.environ, **env}) if env else program
            tests = sample_tests(inside, env)
            rounds.append(DemoRound(env, inside, from_tests(inside, env), tests))
    if not any(each.count for each in rounds):
        raise UsageError(
            "there is nothing to send: no route has tests; add some under 'tests:', or use --messages"
        )
    return rounds


def _row(item: Item, columns: Sequence[str]) -> list[str]:
    return [to_cell(item[column]) if column in item else "" for column in columns]


def _print(demo: DemoResult) -> None:
    for name, items in demo.tables.items():
        columns = list(dict.fromkeys(chain.from_iterable(items)))
        print_items(f"table {name}", columns, sorted(_row(item, columns) for item in items))
    if demo.dead_letters:
        letters = [
            (each.code, literal(each.reason or "(none)"), literal(each.queue), each.message_id)
            for each in demo.dead_letters
        ]
        print_table(("code", "reason", "queue", "message id"), letters, "dead letters")
    rows = []
    for result in demo.results:
        mark = "[green]ok[/]" if result.expected else "[bold red]NO[/]"
        outcome = f"[{_COLOURS.get(result.outcome, 'yellow')}]{result.outcome}[/]"
        queue = literal(result.sample.queue)
        name = literal(result.sample.name)
        rows.append((mark, queue, name, outcome, literal(result.reason)))
    print_table(("", "queue", "message", "outcome", "reason"), rows, "messages")
    for result in demo.results:
        if result.sample.traceback and not result.expected:
            click.echo(click.style(printable(result.sample.name), bold=True))
            click.echo(printable_lines(result.sample.traceback))


def _number_of(kind: str, count: int) -> str:
    if count == 1:
        return f"1 {kind}"
    return f"{count} {kind[:-1]}ies" if kind.endswith("y") else f"{count} {kind}s"


def _show_deployed(console: Console, deployed: "DeployedDemo") -> None:
    """Print the resources of the stack and the log of the function."""
    from router.tools.deploy.changes import kind_of
    from router.tools.dev.demo_deployed import STACK

    counts = Counter(kind_of(each.type) for each in deployed.resources)
    resources = ", ".join(_number_of(kind, counts[kind]) for kind in sorted(counts))
    console.print(f"stack {STACK}: {resources}")
    rows = []
    for line in deployed.log:
        others = {name: value for name, value in line.items() if name not in _LOG_COLUMNS and value}
        rest = " ".join(f"{name}={to_json(value)}" for name, value in others.items())
        rows.append([literal(str(line.get(name, ""))) for name in _LOG_COLUMNS] + [literal(rest)])
    print_table((*_LOG_COLUMNS, ""), rows, "log of the function")
