"""`router explain`: one message, stage by stage."""

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from router.cli.options import config_option
from router.compile.load import Program, load_program
from router.config import spec
from router.display import to_json
from router.engine.requests import make_action
from router.engine.ticket import Ticket
from router.errors import UsageError
from router.model import WRITTEN, Outcome, Record, Write
from router.rehearsal import MESSAGE_ID, META, rehearse_record, wrap_text

Stage = tuple[str, str, Any]
"""Route (or ""), the stage's name, its value."""


@click.command("explain")
@config_option
@click.option("--queue", required=True, help="The queue that the message is on: its name in the config.")
@click.option(
    "--raw", is_flag=True, help="The file is a body as SQS has it; else it is put into the queue's envelopes."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@click.argument("message", type=click.File("rb"))
def command(config: Path, queue: str, raw: bool, as_json: bool, message: BinaryIO) -> None:
    """Show what becomes of one MESSAGE (a file, or - for standard input), stage by stage, without AWS.

    Exit code 0: it would be written or dropped; 1: it would be rejected or retried; 2: could not run.

    \b
    Examples:
      router explain --queue user-metadata message.json
      echo '{"user_id": "user_1", "device": "iPhoneX"}' | router explain --queue user-metadata -
    """
    program = load_program(config, os.environ)
    record = _record(program, queue, message.read(), raw)
    stages: list[Stage] = []
    ticket = rehearse_record(program, queue, record, lambda *stage: stages.append(stage))
    outcome = ticket.outcome or WRITTEN
    click.echo(_as_json(stages, ticket, outcome) if as_json else _as_text(stages, outcome))
    sys.exit(outcome.kind in ("rejected", "retry"))


def _record(program: Program, queue: str, content: bytes, raw: bool) -> Record:
    if queue not in program.engine.queues:
        raise UsageError(f"no route reads the queue '{queue}'; there are {', '.join(program.engine.queues)}")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError("the message is not UTF-8 text, and SQS takes no other") from None
    settings = program.config.queues.get(queue) or spec.Queue()
    return Record(MESSAGE_ID, "receipt-handle", text if raw else wrap_text(text, settings), META)


def _as_json(stages: list[Stage], ticket: Ticket, outcome: Outcome) -> str:
    told = {
        "stages": [{"route": route, "stage": name, "value": _value(name, value)} for route, name, value in stages],
        "outcome": msgspec.to_builtins(outcome),
        "writes": [_write(write) for write in ticket.writes],
    }
    return to_json(told, indent=2)


def _as_text(stages: list[Stage], outcome: Outcome) -> str:
    lines = []
    for route, name, value in stages:
        where = click.style(f"{route}: " if route else "", dim=True)
        lines += [f"{where}{click.style(name, bold=True)}", _indent(to_json(_value(name, value), indent=2))]
    good = outcome.kind in ("written", "dropped")
    lines.append(click.style(f"outcome: {outcome.kind}", fg="green" if good else "red", bold=True))
    for label, text in (("code", outcome.code), ("reason", outcome.reason), ("route", outcome.route)):
        if text:
            lines.append(f"  {label}: {text}")
    if outcome.pointer:
        lines.append(f"  at: {outcome.pointer}")
    return "\n".join(lines)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Write):
        return _write(value)
    if name == "validate":
        return "valid" if value is None else {"reason": value.reason, "pointer": value.pointer}
    return value


def _write(write: Write) -> dict[str, Any]:
    operation, parameters = make_action(write)
    told: dict[str, Any] = {"bytes": write.size, f"{operation}Item": parameters}
    return {**told, "marker": write.marker.call} if write.marker else told


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
