"""No part of a value, and of a key that no schema names, is in a recording: what is planted is not found again."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.model import Record
from router.tools.change import recording
from router.tools.change.recording import Recorder, write_recording
from tests.support.dev import META, make_body
from tests.support.program import load
from tests.support.secrets import SCRIPTS, WRAPPED, SecretSource, as_text, parts_of_secrets, whole_secrets

KEYS = tuple(bytes([number]) * 32 for number in range(1, 4))
"""What is revealed is in the recordings of all keys; what is in one only is there by chance."""
CONFIG: dict[str, Any] = {"version": 1, "tables": {"items": {"key": {"id": "S"}}}}
FORMATS = {
    "uuid": "uuid",
    "capital uuid": "uuid",
    "ipv4": "ipv4",
    "ipv6": "ipv6",
    "mapped ipv6": "ipv6",
    "email": "email",
    "address literal": "email",
    "hostname": "hostname",
    "punycode": "hostname",
    "uri": "uri",
    "address uri": "uri",
    "urn": "uri",
    "date": "date",
    "date-time": "date-time",
    "local date-time": "date-time",
    "small date-time": "date-time",
    "time": "time",
    "duration": "duration",
    "json-pointer": "json-pointer",
    "uri-template": "uri-template",
}
"""The formats of secrets, by the names of their makers."""
PATTERNS = {
    "hex": "^[0-9a-f]{32}$",
    "capital hex": "^[0-9A-F]{40}$",
    "short hex": "^[0-9a-f]+$",
    "capital uuid": "^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$",
    "ipv4": r"^((25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(\.|$)){4}",
    "mac": "^([0-9a-f]{2}:){5}[0-9a-f]{2}$",
    "colour": "^#[0-9a-f]{6}$",
    "sql date-time": "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]$",
    "iban": "^[A-Z]{2}[0-9]{20}$",
    "card": "^([0-9]{4}-){3}[0-9]{4}$",
    "phone": r"^\+[1-9][0-9] \([0-9]+\) [0-9]+$",
    "base64": "^[A-Za-z0-9+/]+={0,2}$",
}
TEXTS = {"type": "string", "maxLength": 4000}
OPEN: dict[str, Any] = {"type": "object", "required": ["id"], "properties": {"id": TEXTS}}
Messages = Iterator[dict[str, Any]]


def plain(source: SecretSource) -> Messages:
    """Each secret as a value, as a key, and deep inside, in each text around it."""
    for wrap in WRAPPED.values():
        secrets = source.everything()
        yield {
            "id": wrap(secrets["email"]),
            "values": [wrap(text) for text in secrets.values()],
            "map": {wrap(source.text(script)): {"deep": [[source.in_format("email")]]} for script in SCRIPTS},
            "card": source.number(),
            "amounts": [source.decimal(), -source.number(8), {"n": source.number(30)}],
            **dict.fromkeys(source.everything().values(), True),
        }


def mixed(source: SecretSource) -> Messages:
    """Each secret as a value and as a key."""
    values = source.everything()
    yield {
        "id": source.text("latin"),
        "values": [*values.values()],
        **dict.fromkeys(source.everything().values(), 1),
    }


def texts_by_key(source: SecretSource) -> Messages:
    """A map whose values are texts."""
    for _ in range(5):
        yield {"id": source.text("latin"), **{source.in_format("email"): source.text("umlauts") for _ in range(5)}}


def patterned_keys(source: SecretSource) -> Messages:
    """A map whose keys are of a pattern."""
    for _ in range(5):
        yield {"id": source.text("latin"), **{source.text("latin"): source.number() for _ in range(5)}}


def hexadecimal_keys(source: SecretSource) -> Messages:
    """A map whose keys are ids."""
    for _ in range(5):
        yield {"id": source.text("latin"), "map": {source.in_format("uuid"): source.number() for _ in range(5)}}


def alternatives(source: SecretSource) -> Messages:
    """A value that is a text, a number or an object."""
    yield from ({"id": source.text("latin"), "v": value} for value in (source.text("greek"), source.number(9)))
    yield {"id": source.text("latin"), "v": {"a": source.in_format("ipv4")}}


def named(source: SecretSource) -> Messages:
    """Values that the schema names, beside others."""
    for state in ("open", "closed"):
        yield {"id": source.text("latin"), "state": state, "kind": "order", "level": 7, "more": source.text("hangul")}


def formats(source: SecretSource) -> Messages:
    """Values of all formats, several of each."""
    for _ in range(8):
        yield {"id": source.text("latin"), **{name: source.in_format(name) for name in FORMATS}}


def patterns(source: SecretSource) -> Messages:
    """Values of patterns."""
    for _ in range(8):
        yield {"id": source.text("latin"), **{name: source.in_format(name) for name in PATTERNS}}


def bounded(source: SecretSource) -> Messages:
    """Numbers between bounds, and multiples."""
    for _ in range(8):
        number = source.number(12)
        yield {"id": source.text("latin"), "port": number % 60000 + 1024, "latitude": number % 90, "cents": number * 5}


def closed(maker: Callable[[str], Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A schema of properties, and no other ones."""
    parts = {name: maker(each) for name, each in names.items()}
    return {**OPEN, "properties": {"id": TEXTS, **parts}, "additionalProperties": False}


Schema = dict[str, Any] | None
CASES: dict[str, tuple[Schema, Callable[[SecretSource], Messages]]] = {
    "no schema": (None, plain),
    "mixed": (OPEN, mixed),
    "texts by key": ({**OPEN, "additionalProperties": TEXTS}, texts_by_key),
    "pattern properties": (
        {**OPEN, "patternProperties": {"^[a-z]+$": {"type": ["integer", "string"]}}, "additionalProperties": False},
        patterned_keys,
    ),
    "property names": (
        {**OPEN, "properties": {"id": TEXTS, "map": {"propertyNames": {"format": "uuid"}, "minProperties": 5}}},
        hexadecimal_keys,
    ),
    "any of": (
        {**OPEN, "properties": {"id": TEXTS, "v": {"anyOf": [TEXTS, {"type": "integer"}, {"required": ["a"]}]}}},
        alternatives,
    ),
    "constants": (
        {
            **OPEN,
            "properties": {
                "id": TEXTS,
                "state": {"enum": ["open", "closed"]},
                "kind": {"const": "order"},
                "level": {"const": 7},
            },
        },
        named,
    ),
    "formats": (closed(lambda name: {"format": name}, FORMATS), formats),
    "patterns": (closed(lambda pattern: {"pattern": pattern}, PATTERNS), patterns),
    "numbers": (
        closed(
            json.loads,
            {
                "port": '{"type": "integer", "minimum": 1024, "maximum": 65535}',
                "latitude": '{"type": "number", "minimum": -90, "exclusiveMaximum": 91}',
                "cents": '{"type": "integer", "multipleOf": 5}',
            },
        ),
        bounded,
    ),
}
QUEUES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sns": {"envelope": ["sns"]},
    "eventbridge": {"envelope": ["eventbridge"]},
    "cloudevents": {"envelope": ["cloudevents"]},
    "sns in cloudevents": {"envelope": ["cloudevents", "sns"]},
    "base64": {"encoding": "base64"},
    "base64+gzip": {"envelope": ["sns"], "encoding": "base64+gzip"},
}
AROUND = (
    *("TopicArn", "UnsubscribeURL", "Subject", "MessageId", "Signature", "SigningCertURL"),
    *("id", "account", "region", "resources", "source", "subject", "detail-type", "tenant"),
)
"""The members of envelopes whose values the sender or AWS chooses."""


def sent(message: Any, settings: Any, source: SecretSource, number: int) -> Record:
    """A record of a message, with secrets in all that is around it."""
    body = make_body(message, settings)
    if settings.envelope:
        outside = json.loads(body)
        members = {name: source.text("latin") for name in AROUND if name in outside or name[0] in "Ut"}
        carried = {source.text("latin"): {"Type": "String", "Value": source.in_format("email")}}
        outside |= {**members, **({"MessageAttributes": carried} if outside.get("Type") == "Notification" else {})}
        body = json.dumps(outside)
    account = source.number(12)
    system = {
        **META,
        "MessageGroupId": source.in_format("email"),
        "MessageDeduplicationId": source.in_format("hex"),
        "SenderId": source.text("capitals", 21),
        "AWSTraceHeader": f"Root=1-{source.in_format('hex')}",
        "DeadLetterQueueSourceArn": f"arn:aws:sqs:eu-west-1:{account}:{source.text('latin')}",
    }
    attributes: dict[str, dict[str, Any]] = {
        source.text("latin"): {"DataType": "String", "StringValue": source.in_format("email")},
        "binary": {"DataType": "Binary", "BinaryValue": source.text("latin").encode()},
    }
    return Record(source.in_format("uuid"), source.text("capitals", 80), body, system, attributes)


def recorded(
    folder: Path, settings: dict[str, Any], case: str, key: bytes, patch: pytest.MonkeyPatch
) -> tuple[Any, ...]:
    """The file of a recording, the secrets that were planted, and the recorder."""
    schema, make = CASES[case]
    route = {"queue": "q", "table": "items", **({} if schema is None else {"schema": schema})}
    config = {**CONFIG, "queues": {"q": {"dead_letter": "d", **settings}}, "routes": {"r": route}}
    (folder / "routes.yaml").write_text(json.dumps(config))
    loaded = load(folder / "routes.yaml", {})
    program = loaded.require()
    source = SecretSource(7)
    queue = program.config.queues["q"]
    patch.setattr(recording, "token_bytes", lambda size: key)
    one = Recorder(loaded, program, "q", (), lambda path: False)
    records = [sent(message, queue, source, number) for number, message in enumerate(make(source))]
    messages = [each for each in map(one.record, records) if each is not None]
    return write_recording(one.head(), messages), source.made, one


CHOICES = [("plain", case) for case in CASES] + [(queue, case) for queue in QUEUES for case in ("mixed", "formats")]


@pytest.mark.parametrize(("queue", "case"), list(dict.fromkeys(CHOICES)))
def test_no_secret_is_in_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queue: str, case: str) -> None:
    """Neither as it is nor a part of it, in any form of its characters; and no message is left out."""
    files = []
    for key in KEYS:
        content, secrets, one = recorded(tmp_path, QUEUES[queue], case, key, monkeypatch)
        head, *lines = [msgspec.json.decode(line) for line in content.splitlines()]
        messages = [line["message"] for line in lines]
        assert whole_secrets(content.decode() + as_text([head, messages]), secrets) == []
        assert (dict(one.left_out), head["collisions"]) == ({}, 0)
        assert {line["outcome"] for line in lines} == {"written"}
        files.append(messages)

    assert parts_of_secrets(files, secrets) == set()


def test_what_the_schema_names_is_in_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its constants, as text and as number, and its names."""
    content, _, _ = recorded(tmp_path, {}, "constants", KEYS[0], monkeypatch)

    head, *messages = map(msgspec.json.decode, content.splitlines())
    found = [{name: each["message"].get(name) for name in ("state", "kind", "level")} for each in messages]
    assert found == [{"state": state, "kind": "order", "level": 7} for state in ("open", "closed")]
    assert {name: what for name, what in head["paths"].items() if what == "constant"}.keys() == {
        "state",
        "kind",
        "level",
    }


def test_the_search_finds_what_is_hidden() -> None:
    """A whole secret and a part of it, in other forms of its characters."""
    secrets = ["Grünwald", "\uff53ecret", "4111111111111111", "Кузнецов"]
    text = "mr GRUNWALD, secret, КУЗНЕЦОВ"

    assert whole_secrets(text, secrets) == ["Grünwald", "\uff53ecret", "Кузнецов"]
    assert parts_of_secrets([{"a": "x 11111 gruNw"}, {"b": ["Grünw 1111"]}], secrets) == {"1111", "grun", "runw"}
