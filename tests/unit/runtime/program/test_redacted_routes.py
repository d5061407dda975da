"""What becomes of a dead letter with redacted values: delivered, unless a route needs a redacted value."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.errors import ConfigError
from router.model import Record
from tests.support.config import EXPRESSION_KEYS
from tests.support.engine import plan
from tests.support.program import Program, load_program

Deliver = Callable[..., Any]
MASK = f"redacted:string:{'0' * 32}"
NUMBER = f"redacted:integer:{'0' * 32}"
LETTER = {"id": "a", "kind": "order", "customer": {"email": MASK, "name": "n"}, "lines": [{"sku": "s", "card": MASK}]}
NEEDS = "the route needs '{}', which is redacted in this dead letter"
SCHEMA = "the schema needs a value that is redacted in this dead letter"


@pytest.fixture
def letter(tmp_path: Path) -> Deliver:
    """The planned message of a body, for a route of a queue that redacts three paths and two message attributes."""

    def planned(
        route: str,
        body: Any = LETTER,
        attributes: Any = None,
        queue: str = "",
        plugin: str = "",
        fetched: bytes | None = None,
        system: Any = None,
    ) -> Any:
        (tmp_path / "own.py").write_text(f"from router import *\n{plugin}", encoding="utf-8")
        config = f"""
version: 1
plugins: [own.py]
queues:
  q:
    {{dead_letter: d,
    redact: [customer.email, "lines[*].card", level, {{meta: attribute.mail}}, {{meta: attribute.queue}}], {queue}}}
tables: {{things: {{key: {{id: S}}}}, marks: {{key: {{id: S}}}}}}
routes: {{r: {{queue: q, table: things, {route}}}}}
"""
        (tmp_path / "routes.yaml").write_text(config, encoding="utf-8")
        program: Program = load_program(tmp_path / "routes.yaml", {"ROUTER_REDACT_KEY": "k" * 16})
        text = body if isinstance(body, str) else json.dumps(body)
        return plan(program.engine.queues["q"], Record("m", "h", text, system or {}, attributes or {}, fetched))

    return planned


@pytest.mark.parametrize(
    "route",
    [
        "item: {id: id}",
        "item: {id: id, name: customer.name}",
        "item: {id: id}, when: kind == 'order'",
        "item: {id: id}, when: customer.name == 'n'",
        "item: {id: id, label: {template: '{kind}-{customer.name}'}, h: {hash: [id, kind]}}",
        "item: {id: id, mail: {meta: attribute.other}}",
        "for_each: lines, item: {id: element.sku, whole: message.id}",
        "for_each: lines, item: {id: element.sku, nothing: other.card}",
        "item: {id: id}, schema: {required: [customer], properties: {customer: {required: [email]}}}",
        "item: {id: id}, schema: {properties: {customer: {properties: {email: {type: string}}}}}",
        "item: {id: id}, schema: {properties: {lines: {type: array, items: {properties: {card: {type: string}}}}}}",
        "item: {id: id, n: kind}, write: {mode: update, append: [], once: marks, once_key: id}",
    ],
)
def test_a_route_that_needs_no_redacted_value_writes(letter: Deliver, route: str) -> None:
    """It reads other values, or only their types."""
    planned = letter(route)

    assert (planned.outcome, len(planned.writes)) == (None, 1)


NEEDING = [
    ("write: {mode: put}", NEEDS.format("customer.email")),
    ("item: {id: id, mail: customer.email}", NEEDS.format("customer.email")),
    ("item: {id: id, customer: customer}", NEEDS.format("customer.email")),
    ("item: {id: id, all: '@'}", NEEDS.format("customer.email")),
    ("item: {id: customer.email}", NEEDS.format("customer.email")),
    ("item: {id: id, h: {hash: [customer.email]}}", NEEDS.format("customer.email")),
    ("item: {id: id, t: {template: '{customer.email}'}}", NEEDS.format("customer.email")),
    ("item: {id: id, card: 'lines[0].card'}", NEEDS.format("lines[*].card")),
    ("item: {id: id, l: {from: 'length(lines)'}}", NEEDS.format("lines[*].card")),
    ("item: {id: id}, when: customer.email == 'a'", NEEDS.format("customer.email")),
    ("item: {id: id}, when: 'length(lines) == `1`'", NEEDS.format("lines[*].card")),
    ("for_each: lines, item: {id: element.sku, card: element.card}", NEEDS.format("lines[*].card")),
    ("for_each: lines, item: {id: element.sku, m: message.customer}", NEEDS.format("customer.email")),
    ("for_each: lines, item: {id: element.sku, all: '@'}", NEEDS.format("customer.email")),
    ("for_each: lines, item: {id: element.sku, all: 'length(element)'}", NEEDS.format("lines[*].card")),
    ("item: {id: id}, merge: customer", NEEDS.format("customer.email")),
    ("item: {id: id}, merge: {from: customer, prefix: c_}", NEEDS.format("customer.email")),
    ("for_each: lines, item: {id: element.sku}, merge: element", NEEDS.format("lines[*].card")),
    ("for_each: lines, item: {id: element.sku}, merge: message.customer", NEEDS.format("customer.email")),
    ("for_each: lines", NEEDS.format("lines[*].card")),
    ("for_each: '@.lines[?sku]', item: {id: element.sku}", NEEDS.format("customer.email")),
    ("for_each: 'lines[?sku]', item: {id: element.sku}", NEEDS.format("lines[*].card")),
    (
        "item: {id: id, n: kind}, write: {mode: update, add: [n], once: marks, once_key: customer.email}",
        NEEDS.format("customer.email"),
    ),
    ("item: {id: id}, schema: {properties: {customer: {properties: {email: {format: email}}}}}", SCHEMA),
    ("item: {id: id}, schema: {properties: {customer: {properties: {email: {minLength: 1}}}}}", SCHEMA),
    ("item: {id: id}, schema: {properties: {customer: {properties: {email: {maxLength: 99}}}}}", SCHEMA),
    ("item: {id: id}, schema: {properties: {customer: {properties: {email: {type: integer}}}}}", SCHEMA),
    ("item: {id: id}, schema: {anyOf: [{properties: {customer: {properties: {email: {maxLength: 5}}}}}]}", SCHEMA),
]
"""Routes that read a redacted value, and why they reject the message."""


@pytest.mark.parametrize(("route", "reason"), NEEDING)
def test_a_route_that_needs_a_redacted_value_rejects(letter: Deliver, route: str, reason: str) -> None:
    """In its mapping, condition, idempotency key or schema."""
    planned = letter(route)

    assert (planned.outcome.kind, planned.outcome.code, planned.outcome.reason, planned.outcome.route) == (
        "rejected",
        "RT825",
        reason,
        "r",
    )


def test_each_key_with_an_expression_may_need_a_redacted_value() -> None:
    """A key of a route whose expression the redaction did not know would write redacted values into tables."""
    assert [key for key in EXPRESSION_KEYS if not any(f"{key}: " in route for route, _ in NEEDING)] == []


def test_a_message_without_redacted_values_is_a_message(letter: Deliver) -> None:
    """Each of its values is read."""
    body = {"id": "a", "customer": {"email": "a@b"}, "lines": [{"card": "4111"}]}

    planned = letter("when: customer.email == 'a@b', schema: {required: [id]}", body)

    assert (planned.outcome, planned.writes[0].item["customer"]) == (None, {"M": {"email": {"S": "a@b"}}})


@pytest.mark.parametrize(("schema", "passes"), [("{type: integer}", True), ("{minimum: 0}", False), ("{}", True)])
def test_the_type_of_a_redacted_value_is_known(letter: Deliver, schema: str, passes: bool) -> None:
    """A schema may ask for it."""
    planned = letter(f"item: {{id: id}}, schema: {{properties: {{level: {schema}}}}}", {"id": "a", "level": NUMBER})

    assert (planned.outcome is None) == passes


def test_another_failure_is_reported_as_such(letter: Deliver) -> None:
    """The schema fails at a value that is not redacted."""
    planned = letter("item: {id: id}, schema: {properties: {kind: {type: integer}}}")

    assert (planned.outcome.code, planned.outcome.pointer) == ("RT806", "/kind")


@pytest.mark.parametrize("where", ["router_transform_message(message)", "router_transform_item(item)"])
def test_a_plugin_may_read_everything(letter: Deliver, where: str) -> None:
    """So that no dead letter with redacted values is given to one."""
    planned = letter("item: {id: id}", plugin=f"@hookimpl\ndef {where}:\n    raise Drop('seen')")

    assert (planned.outcome.code, planned.outcome.reason) == ("RT825", NEEDS.format("customer.email"))


def test_a_message_attribute_that_is_named_like_metadata(letter: Deliver) -> None:
    """The name of the queue is no message attribute `queue`."""
    attributes = {"queue": {"DataType": "String", "StringValue": MASK}}

    assert letter("item: {id: id, q: {meta: queue}}", {"id": "a"}, attributes).outcome is None


def test_message_attributes(letter: Deliver) -> None:
    """As paths."""
    attributes = {"mail": {"DataType": "String", "StringValue": MASK}}
    item = "item: {id: id, mail: {meta: attribute.mail}}"

    needed, unneeded = letter(item, {"id": "a"}, attributes), letter("item: {id: id}", {"id": "a"}, attributes)

    assert (needed.outcome.code, needed.outcome.reason, unneeded.outcome) == (
        "RT825",
        "the route needs the attribute 'mail', which is redacted in this dead letter",
        None,
    )


@pytest.mark.parametrize("queue", ["", "encoding: base64", "envelope: [sns]"])
def test_a_redacted_body(letter: Deliver, queue: str) -> None:
    """It has no message in it any more."""
    planned = letter("item: {id: id}", f"redacted:body:7:{'0' * 32}", queue=queue)

    assert (planned.outcome.code, planned.outcome.reason) == ("RT825", "its body is redacted in this dead letter")


def test_a_path_that_is_not_redacted_any_more(letter: Deliver) -> None:
    """Nothing would know its redacted values as such."""
    failed = {
        "code": "RT806",
        "reason": "",
        "queue": "q",
        "route": "",
        "pointer": "",
        "message_id": "m",
        "receive_count": 1,
        "failed_at": None,
        "redacted": ["gone", "customer.email"],
    }
    attributes = {"router": {"DataType": "String", "StringValue": json.dumps(failed)}}

    planned = letter("item: {id: id}", {"id": "a", "gone": MASK}, attributes)

    assert (planned.outcome.code, planned.outcome.reason) == (
        "RT825",
        "'gone' is redacted in this dead letter, and 'redact' of the queue does not name it any more",
    )


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        ('Reject(f\'bad {message.data["customer"]["email"]}\')', False),
        ("Reject('ends with ' + message.data['customer']['email'][-4:].upper())", False),
        ("Retry(str(message.data['lines'][0]['card']))", False),
        ("Drop(message.attributes['mail'])", False),
        ("Reject('x' * 2000)", False),
        ("Reject('4242')", False),
        ("Reject('deep')", False),
        ("Reject('bytes')", False),
        ("Reject(f'no device for {message.data[\"id\"]}')", True),
    ],
)
def test_the_reason_of_a_plugin(letter: Deliver, raised: str, shown: bool) -> None:
    """It is not shown if it has four characters in a row, or all of a shorter value, in common with a redacted one."""
    body: dict[str, Any] = {"id": "a", "customer": {"email": "jane@example.com"}, "lines": [{"card": 411}]}
    body["level"] = {"list": [4242, None, {"nested": "deep"}], "huge": 1}
    attributes = {"mail": {"DataType": "String", "StringValue": "secret"}}
    if "bytes" in raised:
        attributes = {"mail": {"DataType": "Binary", "BinaryValue": b"bytes"}}  # type: ignore[dict-item]

    planned = letter(
        "", body, attributes, plugin=f"@hookimpl\ndef router_transform_message(message):\n    raise {raised}"
    )

    assert planned.outcome.reason == (
        "no device for a" if shown else "a plugin's reason, which is not shown: it may have a redacted value in it"
    )


def test_the_reason_of_an_envelope(letter: Deliver) -> None:
    """That of a plugin's envelope is not shown: what it refuses cannot be searched."""
    plugin = """
@hookimpl
def router_register_envelopes(register):
    register("acme", unwrap, lambda text: text)
def unwrap(payload, attributes):
    raise Reject(payload)
"""
    planned = letter("", {"customer": {"email": "jane@example.com"}}, queue="envelope: [acme]", plugin=plugin)

    assert (planned.outcome.code, "jane" in planned.outcome.reason) == ("RT802", False)


def test_the_reason_about_a_message_that_cannot_be_searched(letter: Deliver) -> None:
    """A number that cannot be written as text may be in it in any form."""
    body = '{"id": "a", "level": 1E+999999}'

    planned = letter(
        "", body, plugin="@hookimpl\ndef router_transform_message(message):\n    raise Reject('some reason')"
    )

    assert "not shown" in planned.outcome.reason


def test_the_reason_about_a_payload_in_s3(letter: Deliver) -> None:
    """The values are those of the object."""
    plugin = "@hookimpl\ndef router_transform_message(message):\n    raise Reject(message.data['customer']['email'])"
    pointer = ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "payloads", "s3Key": "k"}]
    queue = "envelope: [s3_pointer], s3_pointer: {buckets: [payloads]}"
    fetched = b'{"id": "a", "customer": {"email": "jane@example.com"}}'

    planned = letter("", pointer, queue=queue, plugin=plugin, fetched=fetched)

    assert (planned.outcome.code, "not shown" in planned.outcome.reason) == ("RT810", True)


def test_a_failure_at_an_undeclared_property(letter: Deliver) -> None:
    """Its pointer leads to nothing, and is about no redacted value."""
    planned = letter("item: {id: id}, schema: {properties: {customer: {patternProperties: {'^n': {type: integer}}}}}")

    assert (planned.outcome.code, planned.outcome.pointer) == ("RT806", "/customer/*")


def test_faults_of_expressions_are_findings(letter: Deliver) -> None:
    """Of those that a route with `redact` has, too."""
    with pytest.raises(ConfigError, match="RT401"):
        letter("when: 'a[', item: {id: id}")


def test_the_reason_about_an_attribute_of_an_envelope(letter: Deliver) -> None:
    """It is redacted as a message attribute is; the others are shown."""
    message = json.dumps({"id": "a"})
    attributes = {"mail": {"Type": "String", "Value": "secret"}, "kept": {"Type": "String", "Value": "colour"}}
    body = {"Type": "Notification", "Message": message, "MessageAttributes": attributes}
    raising = "@hookimpl\ndef router_transform_message(message):\n    raise Reject(message.attributes['{}'])"

    hidden, shown = (letter("", body, queue="envelope: [sns]", plugin=raising.format(name)) for name in attributes)

    assert ("not shown" in hidden.outcome.reason, shown.outcome.reason) == (True, "colour")


@pytest.mark.parametrize(
    ("route", "name", "refused"),
    [
        ("item: {id: id, group: {meta: group_id}}", "group_id", True),
        ("item: {id: id, group: {meta: deduplication_id}}", "deduplication_id", True),
        ("item: {id: id, group: {meta: group_id}}", "deduplication_id", False),
        ("item: {id: id}", "group_id", False),
    ],
)
def test_an_id_with_a_redacted_value(letter: Deliver, route: str, name: str, refused: bool) -> None:
    """It is a redacted value in the dead letter, and no item gets one."""
    keys = {"group_id": "MessageGroupId", "deduplication_id": "MessageDeduplicationId"}

    planned = letter(route, system={keys[name]: MASK})

    expected = ("rejected", "RT825", NEEDS.format(f"{{meta: {name}}}")) if refused else None
    outcome = planned.outcome
    assert (outcome and (outcome.kind, outcome.code, outcome.reason)) == expected
