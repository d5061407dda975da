"""What the demo sends, and what the engine says is to become of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, structs

from router.config import spec
from router.dev.records import MESSAGE_ID, META, RECEIPT_HANDLE, make_record, wrap_text
from router.dev.run_tests import rehearse_record, run_test
from router.engine.attributes import decode_item
from router.model import WRITTEN, Item, Record
from router.program.load import Program

_OTHER_META: Mapping[str, str] = {name: f"{value}1" for name, value in META.items()}


class Expected(Struct, frozen=True):
    """An item that is to be in a table: its identity there, and those attributes that do not depend on the delivery."""

    table: str
    identity: tuple[str, ...]
    attributes: Item


class Sending(Struct, frozen=True):
    """A message to send: its queue's name in the config, what it shows, and what is to become of it."""

    queue: str
    name: str
    body: str
    attributes: Mapping[str, Any]
    """Its message attributes, as SQS takes them."""
    outcome: str
    items: tuple[Expected, ...]
    fault: str = ""
    """What is wrong with the test itself, offline."""


def from_tests(program: Program, env: Mapping[str, str] | None = None) -> list[Sending]:
    """The messages of the config's tests that have this environment of their own; none is the usual one."""
    sendings = []
    for name, route in program.config.routes.items():
        settings = program.config.queues.get(route.queue) or spec.Queue()
        for index, test in enumerate(route.tests):
            if test.env != (env or {}):
                continue
            verdict = run_test(program, name, test, index)
            record = make_record(test, settings, program.plugins.envelopes, program.folder)
            sending = _rehearse(program, route.queue, f"{name}: {verdict.name}", record)
            fault = "" if verdict.passed else f"router test: {', '.join(each.what for each in verdict.differences)}"
            sendings.append(structs.replace(sending, fault=fault))
    return sendings


def environments(program: Program) -> list[Mapping[str, str]]:
    """The environments that tests have of their own, each once, the usual one first if a test has none."""
    found: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    for route in program.config.routes.values():
        for test in route.tests:
            found.setdefault(tuple(sorted(test.env.items())), test.env)
    return [found[key] for key in sorted(found, key=bool)]


def from_lines(program: Program, queue: str, lines: Iterable[str]) -> list[Sending]:
    """The messages of JSON lines, put into the queue's envelopes; what the engine says of each is expected."""
    settings = program.config.queues.get(queue) or spec.Queue()
    sendings = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            body = wrap_text(line.strip(), settings, program.plugins.envelopes)
            record = Record(MESSAGE_ID, RECEIPT_HANDLE, body, META)
            sendings.append(_rehearse(program, queue, f"line {number}", record))
    return sendings


def _rehearse(program: Program, queue: str, name: str, record: Record) -> Sending:
    ticket = rehearse_record(program, queue, record)
    other = rehearse_record(program, queue, structs.replace(record, message_id="other", attributes=_OTHER_META))
    items = []
    for write, twin in zip(ticket.writes, other.writes, strict=False):
        item, changed = decode_item(write.item), decode_item(twin.item)
        # What differs between two deliveries of one message (sent_at …) differs from the real one too.
        same = {name: value for name, value in item.items() if changed.get(name) == value}
        # What a conditional write or an update leaves depends on what was stored before.
        if write.mode.stores == "item" and write.call is None:
            items.append(Expected(write.table.name, write.identity, same))
    return Sending(queue, name, record.body, record.message_attributes, (ticket.outcome or WRITTEN).kind, tuple(items))
