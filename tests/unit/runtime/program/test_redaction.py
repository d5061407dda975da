"""Masks: of values, of attributes, of bodies in envelopes and encodings; and paths that find all values."""

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from router.errors import ConfigError
from router.model import Record
from router.runtime.program.redaction import Redaction, is_redacted
from tests.support.dlq import redact_all
from tests.support.envelopes import ENVELOPES, to_json
from tests.support.ops import precompile
from tests.support.program import load_program

KEY = "0123456789abcdef"
WRAPPER = """
import json
from router import hookimpl
@hookimpl
def router_register_envelopes(register):
    register("acme", unwrap, wrap)
def unwrap(payload, attributes):
    data = json.loads(payload)
    return data["acme"], attributes
def wrap(text):
    return json.dumps({"acme": text})
"""
Redact = Callable[..., Redaction]
PATHS = 'redact: [card, customer.email, "lines[*].card", "by.*.name", {meta: attribute.mail}]'


@pytest.fixture
def redact(tmp_path: Path) -> Redact:
    """Compile the `redact` of a queue."""

    def compile_redact(settings: str = PATHS, plugin: str = "") -> Redaction:
        (tmp_path / "acme.py").write_text(plugin, encoding="utf-8")
        config = f"""
version: 1
{"plugins: [acme.py]" if plugin else ""}
queues: {{q: {{dead_letter: letters, {settings}}}}}
tables: {{things: {{key: {{id: S}}}}}}
routes: {{r: {{queue: q, table: things}}}}
"""
        (tmp_path / "routes.yaml").write_text(config, encoding="utf-8")
        program = load_program(tmp_path / "routes.yaml", {"ROUTER_REDACT_KEY": KEY})
        found = program.engine.queues["q"].redaction
        assert isinstance(found, Redaction)
        return found

    return compile_redact


def mask(kind: str, content: str, key: str = KEY) -> str:
    return f"redacted:{kind}:{hmac.new(key.encode(), content.encode(), hashlib.sha256).hexdigest()[:32]}"


def masked(redaction: Redaction, message: Any) -> Any:
    record, _ = redaction.redact(Record("m", "h", json.dumps(message)))
    return json.loads(record.body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4111", mask("string", '"4111"')),
        ("é", mask("string", '"é"')),
        (4111, mask("integer", "4111")),
        (1.5, mask("number", "1.5")),
        (True, mask("boolean", "true")),
        ([1, "a"], mask("array", '[1,"a"]')),
        ({"b": 1, "a": None}, mask("object", '{"a":null,"b":1}')),
        (None, None),
        (mask("string", "x"), mask("string", "x")),
    ],
)
def test_values(redact: Redact, value: Any, expected: Any) -> None:
    """The type, and half of the HMAC-SHA-256 of the canonical JSON; nulls and redacted values stay."""
    assert masked(redact(), {"card": value, "other": value}) == {"card": expected, "other": value}


@pytest.mark.parametrize(("one", "other"), [("1.0", "1"), ("1.50", "15e-1"), ("100", "1E+2")])
def test_equal_numbers_are_redacted_alike(redact: Redact, one: str, other: str) -> None:
    """However they are written."""
    redaction = redact()

    bodies = [redaction.redact(Record("m", "h", f'{{"card": {text}}}'))[0].body for text in (one, other)]

    assert bodies[0] == bodies[1]


def test_a_number_out_of_range_is_redacteded(redact: Redact) -> None:
    """DynamoDB could not store it, so that its message becomes a dead letter."""
    record, names = redact().redact(Record("m", "h", '{"card": 1E+999999}'))

    assert (is_redacted(json.loads(record.body)["card"]), names) == (True, ("card",))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"customer": {"email": "a", "name": "n"}}, {"customer": {"email": "M", "name": "n"}}),
        ({"lines": [{"card": "a", "sku": 1}, {"sku": 2}]}, {"lines": [{"card": "M", "sku": 1}, {"sku": 2}]}),
        ({"by": {"a": {"name": "x"}, "b": {"name": "y"}}}, {"by": {"a": {"name": "M"}, "b": {"name": "M"}}}),
        ({"customer": [{"email": "a"}, [{"email": "b"}]]}, {"customer": [{"email": "M"}, [{"email": "M"}]]}),
        ([{"card": "a"}], [{"card": "M"}]),
        ({"customer": "a@example.com"}, {"customer": "M"}),
        ({"lines": {"card": "a"}}, {"lines": "M"}),
        ({"lines": ["4111"]}, {"lines": ["M"]}),
        ({"by": {"a": "x"}}, {"by": {"a": "M"}}),
        ("4111", "M"),
        ({"customer": None, "lines": [], "by": {}}, {"customer": None, "lines": [], "by": {}}),
        ({"other": {"email": "a"}}, {"other": {"email": "a"}}),
    ],
)
def test_paths(redact: Redact, message: Any, expected: Any) -> None:
    """Lists are looked into at any step, and what is no object where a path goes on is redacted as a whole."""

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shown(each) for name, each in value.items()}
        return [shown(each) for each in value] if isinstance(value, list) else "M" if is_redacted(value) else value

    assert shown(masked(redact(), message)) == expected


def test_a_repeated_name_reveals_nothing(redact: Redact) -> None:
    """The last one counts; the values of the others are gone."""
    record, names = redact().redact(Record("m", "h", '{"customer": {"email": "a@b"}, "customer": {"name": "n"}}'))

    assert (record.body, names) == ('{"customer":{"name":"n"}}', ())


def test_the_whole_message(redact: Redact) -> None:
    """`@` is the path of all of it; a name with other characters is in quotes."""
    assert masked(redact('redact: ["@"]'), {"a": 1}) == mask("object", '{"a":1}')
    assert masked(redact('redact: [\'"e-mail"."a b"\']'), {"e-mail": {"a b": "x", "c": 1}}) == {
        "e-mail": {"a b": mask("string", '"x"'), "c": 1}
    }


ENCODED: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "json": (lambda text: text, lambda text: text),
    "base64": (
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64decode(text).decode(),
    ),
    "base64+gzip": (
        lambda text: base64.b64encode(gzip.compress(text.encode())).decode(),
        lambda text: gzip.decompress(base64.b64decode(text)).decode(),
    ),
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize(
    "envelopes",
    [[], ["sns"], ["eventbridge"], ["cloudevents"], ["sns", "eventbridge"], ["eventbridge", "cloudevents"], ["acme"]],
)
def test_envelopes_and_encodings(redact: Redact, envelopes: list[str], encoding: str) -> None:
    """The value is redacted inside; the envelopes and their other members stay: the same decoder reads the letter."""
    redaction = redact(f"envelope: [{', '.join(envelopes)}], encoding: {encoding}, {PATHS}", WRAPPER)
    pack, _ = ENCODED[encoding]
    body = pack('{"card": "4111", "id": 1.50}')
    for name in reversed(envelopes):
        wrap = ENVELOPES[name].wrap if name in ENVELOPES else lambda text: json.dumps({"acme": text})
        assert wrap is not None
        body = wrap(body)

    record, names = redaction.redact(Record("m", "h", body))

    inner: Any = record.body
    for layer in redaction.layers:
        inner, _ = layer.unwrap(inner, {})
    text = inner if isinstance(inner, str) else json.dumps(inner, default=float)
    expected = {"card": mask("string", '"4111"'), "id": 1.5}
    assert (json.loads(ENCODED[encoding][1](text)), names) == (expected, ("card",))
    if envelopes[:1] == ["sns"]:
        assert json.loads(record.body).keys() == json.loads(body).keys()


def test_binary_data_of_a_cloud_event_stays_binary(redact: Redact) -> None:
    """Its member is data_base64."""
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
    data = base64.b64encode(b'{"card": "4111"}').decode()

    record, _ = redact(f"envelope: [cloudevents], {PATHS}").redact(
        Record("m", "h", json.dumps({**event, "data_base64": data}))
    )

    found = json.loads(record.body)
    assert json.loads(base64.b64decode(found.pop("data_base64"))) == {"card": mask("string", '"4111"')}
    assert found == event


@pytest.mark.parametrize(
    ("envelope", "name", "body"),
    [
        (
            "sns",
            "mail",
            {
                "Type": "Notification",
                "Message": "{}",
                "MessageAttributes": {"mail": {"Type": "Number", "Value": "7"}, "b": {"Type": "String", "Value": "c"}},
            },
        ),
        ("eventbridge", "eventbridge.source", {"source": "secret", "detail-type": "t", "detail": {}}),
        (
            "cloudevents",
            "cloudevents.subject",
            {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": "x"},
        ),
    ],
)
def test_attributes_of_envelopes(redact: Redact, envelope: str, name: str, body: dict[str, Any]) -> None:
    """They are redacted where the envelope has them."""
    redaction = redact(f"envelope: [{envelope}], redact: [{{meta: attribute.{name}}}]")

    record, names = redaction.redact(Record("m", "h", json.dumps(body)))

    _, attributes = redaction.layers[0].unwrap(record.body, {})
    assert (is_redacted(attributes[name]), names) == (True, (f"{{meta: attribute.{name}}}",))
    assert [name for name, value in attributes.items() if is_redacted(value)] == [name]


def test_message_attributes(redact: Redact) -> None:
    """The value is redacted as text; equal text in the body is redacted alike."""
    given: Any = {
        "mail": {"DataType": "String", "StringValue": "a@b"},
        "kept": {"DataType": "Number", "StringValue": "7"},
    }

    record, names = redact().redact(Record("m", "h", '{"card": "a@b"}', {}, given))

    text = mask("string", '"a@b"')
    assert (record.message_attributes, json.loads(record.body), names) == (
        {"mail": {"DataType": "String", "StringValue": text}, "kept": given["kept"]},
        {"card": text},
        ("{meta: attribute.mail}", "card"),
    )


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        ("", "not JSON: 4111"),
        ("", "[" * 65 + '"4111"' + "]" * 65),
        ("encoding: base64,", '{"card": "4111"}'),
        ("envelope: [sns],", '{"card": "4111"}'),
        ("envelope: [acme],", '{"card": 4111}'),
    ],
)
def test_a_body_that_cannot_be_searched_is_redacteded_as_a_whole(redact: Redact, settings: str, body: str) -> None:
    """With its length in bytes; a second time it stays as it is."""
    redaction = redact(f"{settings} {PATHS}", WRAPPER)

    record, names = redaction.redact(Record("m", "h", body))

    assert (record.body, names) == (mask(f"body:{len(body)}", body), ("@",))
    assert redaction.redact(record) == (record, ("@",))


def test_pointers_to_s3(redact: Redact) -> None:
    """A pointer stays, with nothing beside it; a payload that was small enough to be sent is redacted."""
    redaction = redact(f"envelope: [s3_pointer], s3_pointer: {{buckets: [payloads]}}, {PATHS}")
    class_ = "software.amazon.payloadoffloading.PayloadS3Pointer"
    pointer = [class_, {"s3BucketName": "payloads", "s3Key": "k"}]
    beside = [class_, {**pointer[1], "card": "4111"}]  # type: ignore[dict-item]

    found = [json.loads(redaction.redact(Record("m", "h", json.dumps(each)))[0].body) for each in (pointer, beside)]

    assert found == [pointer, pointer]
    assert masked(redaction, {"card": "4111"}) == {"card": mask("string", '"4111"')}


def test_a_payload_beside_s3_that_is_no_json(redact: Redact) -> None:
    """It is no pointer."""
    settings = f"envelope: [s3_pointer], s3_pointer: {{buckets: [payloads]}}, encoding: base64, {PATHS}"
    body = base64.b64encode(b'{"card": "4111"}').decode()

    record, _ = redact(settings).redact(Record("m", "h", body))

    assert json.loads(base64.b64decode(record.body)) == {"card": mask("string", '"4111"')}


def test_an_envelope_without_inverse_is_a_configuration_error(redact: Redact) -> None:
    """Nothing inside of it could be redacted."""
    with pytest.raises(ConfigError, match=r"RT236 the envelope 'acme' has no inverse"):
        redact(f"envelope: [acme], {PATHS}", WRAPPER.replace('"acme", unwrap, wrap', '"acme", unwrap'))


@pytest.mark.parametrize(
    ("env", "finding"),
    [
        ({}, r"RT005 environment variable 'ROUTER_REDACT_KEY' is not set"),
        ({"ROUTER_REDACT_KEY": ""}, r"RT005 environment variable 'ROUTER_REDACT_KEY' is not set"),
        ({"ROUTER_REDACT_KEY": "short"}, r"RT236 the value of 'ROUTER_REDACT_KEY' has fewer than 16 characters"),
    ],
)
def test_the_key(redact: Redact, tmp_path: Path, env: dict[str, str], finding: str) -> None:
    """Without a key, or with a short one, nothing starts; the value of the key is not in the error."""
    redact()

    with pytest.raises(ConfigError, match=finding) as raised:
        load_program(tmp_path / "routes.yaml", env)

    assert "short" not in str(raised.value)


def test_the_key_is_in_no_compiled_config(redact: Redact, tmp_path: Path) -> None:
    """It is read at each start."""
    redact()
    compiled = tmp_path / "routes.compiled.json"

    compiled.write_bytes(precompile(tmp_path / "routes.yaml", {"ROUTER_REDACT_KEY": KEY}))

    assert KEY not in compiled.read_text(encoding="utf-8")
    assert load_program(compiled, {"ROUTER_REDACT_KEY": KEY}).engine.queues["q"].redaction == redact()
    with pytest.raises(ConfigError, match="RT005"):
        load_program(compiled, {})


SHOWN = {
    "as it is": ("jane@example.com", "no such user: jane@example.com"),
    "in capitals": ("jane@example.com", "JANE@EXAMPLE.COM"),
    "a part": ("4111222233334444", "ends with 4444"),
    "grouped": ("4111222233334444", "card 4111 2222 3333 4444"),
    "with points": (1234567, "amount 1.234.567,00"),
    "without marks": ("Grünwald", "name grunwald"),
    "decomposed": ("Grünwald", "name Gru\u0308nwald"),
    "fullwidth": ("secret7", "\uff53\uff45\uff43\uff52\uff45\uff54"),
    "as JSON": ("Кузнецов", json.dumps({"name": "Кузнецов"})),
    "as Python": ("Кузнецов", ascii("Кузнецов")),
    "as bytes": ("Кузнецов", repr("Кузнецов".encode())),
    "in an URL": ("a b/ü ö", "GET /users/a%20b%2F%C3%BC%20%C3%B6"),
    "in Base64": ("jane@example.com", "token amFuZUBleGFtcGxlLmNvbQ== is refused"),
    "in Base64 of URLs": ("Grün>>>???", "token R3LDvG4-Pj4_Pz8"),
    "in Base64, within JSON": ("jane@example.com", "eyJ2IjogImphbmVAZXhhbXBsZS5jb20ifQ=="),
    "in Base64, in lines": ("4111222233334444", "NDExMTIy\nMjIzMzMz\nNDQ0NA=="),
    "in Base64, short": ("ab", "YWI="),
    "in hexadecimal digits": ("jane@example.com", "6a616e65406578616d706c652e636f6d"),
    "in hexadecimal capitals": ("jane@example.com", "6A616E65406578616D706C652E636F6D"),
    "in hexadecimal digits with spaces": ("jane@example.com", "6a 61 6e 65 40 65 78 61 6d 70 6c 65 2e 63 6f 6d"),
    "in hexadecimal digits with colons": ("jane@example.com", "6A:61:6E:65:40:65:78:61:6D:70:6C:65:2E:63:6F:6D"),
    "short, in hexadecimal digits": ("ab", "6162"),
    "a number in hexadecimal digits": (1234567890, "0x499602d2"),
    "a number in another notation": (Decimal("0.00012"), "1.2E-4 is too small"),
    "a large number in another notation": (12300000, "1.23e+07"),
    "emoji as Python": ("😀😁😂😃", ascii("😀😁😂😃")),
    "as names of characters": ("Кузнецов", "Кузнецов".encode("ascii", "namereplace").decode()),
    "as octal digits": ("éèêë", r"\351\350\352\353"),
    "as JSON in JSON": ("Кузнецов", json.dumps(json.dumps("Кузнецов"))),
    "in an URL in an URL": ("éèêë", "%25C3%25A9%25C3%25A8%25C3%25AA%25C3%25AB"),
    "lines as JSON": ("ab\ncd\nef", json.dumps("ab\ncd\nef")),
    "short, without marks": ("Zoé", "no user zoe"),
    "short, with spaces": ("123", "code 1 2 3"),
    "emoji": ("😀😁😂😃", json.dumps("😀😁😂😃")),
    "short": ("é", "\\u00e9"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_reason_with_a_redacted_value_is_not_shown(redact: Redact, name: str) -> None:
    """In whatever form a plugin has it."""
    value, reason = SHOWN[name]
    record = Record("m", "h", to_json({"card": value}))

    assert redact().shares(record, reason)


@pytest.mark.parametrize("reason", ["the card is refused", "no such user: %", "\\u12 %zz", "12 3", ""])
def test_another_reason_is_shown(redact: Redact, reason: str) -> None:
    """It has nothing in common with the value."""
    assert not redact().shares(Record("m", "h", '{"card": "4111222233334444"}'), reason)


@pytest.mark.parametrize("form", [bytes.hex, repr, lambda value: base64.b64encode(value).decode()])
def test_a_reason_with_a_redacted_binary_value(redact: Redact, form: Callable[[bytes], str]) -> None:
    """A binary message attribute need not be text."""
    value = b"\xff\x00\xfe\x80\x81\x7f"
    record = Record("m", "h", "{}", {}, {"mail": {"DataType": "Binary", "BinaryValue": value}})

    assert redact().shares(record, f"refused: {form(value)}")
    assert not redact().shares(record, "refused")


CHOSEN = {"MessageGroupId": "user-jane@example.com", "MessageDeduplicationId": "Jane", "SenderId": "AIDA"}


def test_ids_that_the_sender_chose(redact: Redact) -> None:
    """They are redacted if a redacted value is in them, and named; equal ones alike."""
    redaction = redact()
    records = [Record(id_, "h", json.dumps({"card": "jane@example.com"}), CHOSEN) for id_ in ("m", "n")]

    found = [redaction.redact(record) for record in records]

    (one, names), (two, _) = found
    assert names == ("{meta: group_id}", "{meta: deduplication_id}", "card")
    assert [is_redacted(one.attributes[key]) for key in CHOSEN] == [True, True, False]
    assert one.attributes == two.attributes
    assert set(names) <= redaction.names


def test_other_ids_stay(redact: Redact) -> None:
    """The order of a group needs its id."""
    record, names = redact().redact(Record("m", "h", '{"card": "4111"}', CHOSEN))

    assert (record.attributes, names) == (CHOSEN, ("card",))


def test_ids_of_a_message_that_cannot_be_searched_or_is_of_no_queue(redact: Redact) -> None:
    """Any value may be in them."""
    redaction = redact()
    one, names = redaction.redact(Record("m", "h", "jane@", CHOSEN))
    two = redact_all(redaction.values, Record("m", "h", "{}", CHOSEN))

    assert names == ("{meta: group_id}", "{meta: deduplication_id}", "@")
    assert [is_redacted(each.attributes["MessageGroupId"]) for each in (one, two)] == [True, True]
