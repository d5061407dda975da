"""No redacted value is in a dead letter, a log line, an error or an outcome, whatever becomes of its message."""

import base64
import gzip
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import Record
from router.runtime.deliver.delivery import Delivery
from router.runtime.deliver.telemetry import LOGGER, JsonLines
from router.runtime.deliver.time_limits import FixedDeadline
from router.runtime.deliver.writer import Writer
from tests.support.aws import Aws, AwsFault, WriteResponse
from tests.support.envelopes import ENVELOPES
from tests.support.program import Program, load_program

ProgramOf = Callable[[str, list[str], str], Program]
ENV = {"ROUTER_REDACT_KEY": "k" * 32}
CANARY = "canary"
NUMBER = 7712345677
PLUGIN = """
from router import *
@hookimpl
def router_transform_message(message, route):
    raised = route.options.get("own")
    if raised:
        raise {"reject": Reject, "retry": Retry, "drop": Drop, "fail": KeyError}[raised](repr(message.data)[:900])
@hookimpl
def router_register_transforms(register):
    register("refuse", refuse)
def refuse(value):
    raise ValueError(value)
"""
ROUTES = {
    "written": "item: {id: id}",
    "required": "item: {id: id}, schema: {required: [absent]}",
    "type": "item: {id: id}, schema: {properties: {customer: {properties: {email: {type: 'null'}}}}}",
    "pattern": "item: {id: id}, schema: {properties: {customer: {properties: {email: {pattern: '^x$', enum: [x]}}}}}",
    "names": "item: {id: id}, schema: {properties: {customer: {properties: {email: {propertyNames: {const: x}}}}}}",
    "closed": "item: {id: id}, schema: {properties: {customer: {properties: {email: {additionalProperties: false}}}}}",
    "map": "item: {id: id}, schema: {properties: {customer: {additionalProperties: {type: 'null'}}}}",
    "list": "item: {id: id}, schema: {properties: {lines: {items: {properties: {card: {maxLength: 1, maximum: 1}}}}}}",
    "number": "item: {id: id, n: {from: customer.email, type: N}}",
    "key": "item: {id: customer.email}",
    "template": "item: {id: {template: '{customer.email}-{absent}'}}",
    "hash": "item: {id: id, h: {hash: [customer.email, absent]}}",
    "ttl": "item: {id: id, t: {ttl: {from: customer.email, after: 1d}}}",
    "transform": "item: {id: id, m: {from: customer.email, transform: [refuse]}}",
    "attribute": "item: {id: id, n: {meta: attribute.mail, type: N}}",
    "expression": "item: {id: id, n: 'abs(customer.email)'}",
    "for_each": "for_each: lines, item: {id: element.card}",
    "no_list": "for_each: customer, item: {id: element}",
    "when": "item: {id: id}, when: customer.email == 'x'",
    "version": "write: {mode: newest, version: customer}",
    "once": "item: {id: id, n: n}, write: {mode: update, add: [n], once: markers, once_key: customer.email}",
    "whole": "write: {mode: put}",
    "insert": "write: {mode: insert}",
    **{raised: f"options: {{own: {raised}}}" for raised in ("reject", "retry", "drop", "fail")},
}
TWICE = f'"customer":{{"email":"{CANARY}"}},'
BODIES: dict[str, Callable[[str], str]] = {
    "whole": lambda text: text,
    "cut": lambda text: text[:-2],
    "twice": lambda text: text.replace("{", "{" + TWICE, 1),
    "deep": lambda text: "[" * 70 + text + "]" * 70,
    "behind": lambda text: f"{text} {CANARY}",
    "inside": json.dumps,
    "escaped": lambda text: text.replace(CANARY, "".join(f"\\u{ord(char):04x}" for char in CANARY)),
}
ENCODINGS: dict[str, Callable[[str], str]] = {
    "json": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64+gzip": lambda text: base64.b64encode(gzip.compress(text.encode())).decode(),
}
LAYERS: tuple[list[str], ...] = ([], ["sns"], ["eventbridge"], ["cloudevents"], ["sns", "cloudevents"])
ANSWERS = {
    "fine": (),
    "refused": (WriteResponse(fault=AwsFault("refused", "ValidationException", 400)),),
    "throttled": (WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400)),) * 8,
    "absent": (WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400)),),
    "there": (
        WriteResponse(
            fault=AwsFault("condition", "ConditionalCheckFailedException", 400),
            stored={"id": {"S": "a"}, "customer": {"S": "x"}},
        ),
    ),
}


def layers_of(text: str, depth: int = 0) -> Iterator[str]:
    """A text, and what is inside of it as JSON, Base64 or gzip."""
    yield text
    if depth == 8:
        return
    try:
        values: list[Any] = [msgspec.json.decode(text)]
    except (msgspec.DecodeError, UnicodeError):
        values = []
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list):
            values += value
        elif isinstance(value, str) and value != text:
            yield from layers_of(value, depth + 1)
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return
    yield from layers_of(
        (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(errors="replace"), depth + 1
    )


def reveals(texts: Any) -> list[str]:
    """Those of the texts that have a canary in them, however it is encoded."""
    return [text for text in texts if any(map(_has_canary, layers_of(text)))]


def _has_canary(text: str) -> bool:
    return CANARY in text.casefold() or str(NUMBER) in text or NUMBER.to_bytes(5) in text.encode()


class Lines(logging.Handler):
    """Keeps the lines of a log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def program_of(tmp_path_factory: pytest.TempPathFactory) -> ProgramOf:
    """The program of a route, envelopes and an encoding."""
    folder = tmp_path_factory.mktemp("redaction")
    (folder / "own.py").write_text(PLUGIN, encoding="utf-8")
    found: dict[tuple[str, str, str], Program] = {}
    for name, layers, encoding in itertools.product(ROUTES, LAYERS, ENCODINGS):
        plugins = "plugins: [own]" if "own" in ROUTES[name] else "plugins: []"
        config = f"""
version: 1
plugins: [own.py]
queues:
  q:
    dead_letter: letters
    envelope: [{", ".join(layers)}]
    encoding: {encoding}
    redact: [customer.email, "lines[*].card", {{meta: attribute.mail}}, {{meta: attribute.eventbridge.source}}]
tables: {{things: {{key: {{id: S}}}}, markers: {{key: {{id: S}}}}}}
routes: {{r: {{queue: q, table: things, {plugins}, {ROUTES[name]}}}}}
"""
        (folder / "routes.yaml").write_text(config, encoding="utf-8")
        found[name, ",".join(layers), encoding] = load_program(folder / "routes.yaml", ENV)
    return lambda name, layers, encoding: found[name, ",".join(layers), encoding]


SECRETS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([f"{CANARY}@example.com", NUMBER, [NUMBER, CANARY], {"a": CANARY}, {CANARY: 1}, [[{"b": CANARY}]]]),
    st.text(max_size=5).map(lambda text: f"{text}{CANARY}"),
    st.integers(0, 9).map(lambda digit: float(f"{NUMBER}.{digit}")),
)
CUSTOMERS = SECRETS.flatmap(
    lambda secret: (
        st.sampled_from([{"email": secret, "name": "n"}, [{"email": secret}], [[secret]], secret])
        # An object is searched for the next step of the path, and what else it has is no secret.
        if "{" not in json.dumps(secret)
        else st.just({"email": secret})
    )
)
LINES = SECRETS.flatmap(
    lambda secret: st.sampled_from(
        [[{"card": secret, "sku": 1}, {}], {"card": secret}, [[{"card": secret}]], f"{CANARY}"]
    )
)
MESSAGES = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "", 7])}, optional={"customer": CUSTOMERS, "lines": LINES, "n": st.integers(0, 9)}
)


@settings(max_examples=300, deadline=None)
@given(
    message=MESSAGES,
    name=st.sampled_from(sorted(ROUTES)),
    layers=st.sampled_from(LAYERS),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    body=st.sampled_from(sorted(BODIES)),
    wrong=st.sampled_from(["", "", "no envelope", "cut"]),
    answers=st.sampled_from(sorted(ANSWERS)),
    lost=st.booleans(),
    again=st.booleans(),
)
def test_no_redacted_value_is_revealed(
    program_of: ProgramOf,
    in_memory: Any,
    message: Any,
    name: str,
    layers: list[str],
    encoding: str,
    body: str,
    wrong: str,
    answers: str,
    lost: bool,
    again: bool,
) -> None:
    """By any outcome, in any envelope and encoding, of any form of the message; and if its dead letter fails again."""
    text = ENCODINGS[encoding](BODIES[body](json.dumps(message)))
    for layer in [] if wrong == "no envelope" else reversed(layers):
        wrap = ENVELOPES[layer].wrap
        assert wrap is not None
        text = wrap(text).replace('"source":"test"', f'"source":"{CANARY}"')
    text = text[:-1] if wrong == "cut" else text
    attributes = {"mail": {"DataType": "Binary", "BinaryValue": CANARY.encode()}}
    program = program_of(name, layers, encoding)
    (tables, queues), log = in_memory(), Lines()
    tables.answers.extend(ANSWERS[answers])
    queues.faults |= {"m": AwsFault("retry", "Unavailable", 503)} if lost else {}
    clock = itertools.count().__next__
    writer = Writer(tables, lambda: 1.0, jitter=lambda low, high: 0.0)
    delivery = Delivery(program, Aws(tables, queues), clock=lambda: 1.0, writer=writer)
    before = LOGGER.handlers, LOGGER.level
    LOGGER.handlers = [log]
    LOGGER.setLevel(logging.DEBUG)
    try:
        system = {"MessageGroupId": f"g-{CANARY}", "MessageDeduplicationId": CANARY.upper()}
        records = [Record("m", "h", text, system, attributes)]
        delivered = delivery.deliver(program.engine.queues["q"], records, FixedDeadline(10.0))
        if again:
            records = [Record(f"m{clock()}", "h", each.body, {}, each.message_attributes) for each in queues.letters]
            delivered += delivery.deliver(program.engine.queues["q"], records, FixedDeadline(10.0))
    finally:
        LOGGER.handlers = before[0]
        LOGGER.setLevel(before[1])

    letters = [msgspec.json.encode(letter).decode() for letter in queues.letters]
    carried = [json.dumps(each.message_attributes, default=repr) for each in queues.letters]
    outcomes = [msgspec.json.encode(each.outcome).decode() for each in delivered]
    assert reveals([*letters, *carried, *[each.body for each in queues.letters], *log.lines, *outcomes]) == []
    for letter in queues.letters:
        failed = json.loads(letter.message_attributes["router"]["StringValue"])
        assert "{meta: attribute.mail}" in failed["redacted"]


def test_the_search_finds_what_is_hidden() -> None:
    """In text, JSON in text, Base64 and gzip."""
    hidden = [encode(json.dumps(json.dumps({"a": f"x{CANARY}"}))) for encode in ENCODINGS.values()]

    assert reveals([*hidden, "nothing", str(NUMBER)]) == [*hidden, str(NUMBER)]
