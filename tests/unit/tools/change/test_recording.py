"""Recordings keep the outcome of each message, or leave it out."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Record
from router.tools.change.recording import Recorder, kept_by_config, read_recording, write_recording
from tests.support.config import EXPRESSION_KEYS
from tests.support.dev import MESSAGE_ID, META, RECEIPT_HANDLE
from tests.support.program import load

CONFIG = """
version: 1
queues: {orders: {dead_letter: dead, envelope: ENVELOPE}}
tables: {orders: {key: {id: S}}}
routes:
  orders:
    queue: orders
    table: orders
    when: "kind == 'order'"
    schema: SCHEMA
    item: {id: id, mail: mail}
"""
SCHEMA = {
    "type": "object",
    "required": ["id", "kind"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 20},
        "kind": {"type": "string"},
        "state": {"enum": ["open", "closed"]},
        "mail": {"type": "string", "format": "email"},
        "prefix": {"type": "string", "pattern": "^EU"},
        "region": {"type": "string", "pattern": "^[A-T]"},
        "secret": {"type": "number"},
        "zone": {"type": "string", "pattern": "^EU"},
        "contact": {"type": "string", "pattern": "^(EU|[a-z])"},
        "amount": {"type": "integer", "minimum": 1000, "multipleOf": 977},
        "halves": {"type": "array", "items": {"multipleOf": 0.5, "maximum": 10}},
    },
}
Make = Callable[..., Recorder]
Ask = Callable[[str], bool]


@pytest.fixture
def recorder(tmp_path: Path) -> Make:
    """Return a function that makes a recorder, which is asked about nothing unless `ask` says so."""

    def make(
        keep: tuple[str, ...] = (),
        ask: Callable[[str], bool] = lambda path: False,
        envelope: str = "[]",
        plugin: str = "",
    ) -> Recorder:
        file = tmp_path / "routes.yaml"
        config = CONFIG.replace("SCHEMA", json.dumps(SCHEMA)).replace("ENVELOPE", envelope)
        if plugin:
            (tmp_path / "own.py").write_text(plugin)
            config = config.replace("version: 1", "version: 1\nplugins: [own.py]")
        file.write_text(config)
        loaded = load(file, {"ROUTER_REDACT_KEY": "k" * 32})
        assert loaded.program is not None
        return Recorder(loaded, loaded.program, "orders", keep, ask)

    return make


def record(message: Any) -> Record:
    return Record(MESSAGE_ID, RECEIPT_HANDLE, message if isinstance(message, str) else json.dumps(message), META)


def test_a_message_keeps_its_outcome(recorder: Make) -> None:
    """Written, rejected by its schema, or taken by no route; constants of the config stay."""
    messages = [
        {"id": "ann-1", "kind": "order", "state": "open", "mail": "ann@example.com"},
        {"id": "ann-1", "kind": "order", "state": "lost"},
        {"id": "ann-1", "kind": "letter"},
    ]
    one = recorder()

    recorded = [one.record(record(message)) for message in messages]

    found = [each for each in recorded if each is not None]
    assert [(each.outcome, each.code, each.routes) for each in found] == [
        ("written", "", ("orders",)),
        ("rejected", "RT806", ()),
        ("rejected", "RT805", ()),
    ]
    assert [each.message["kind"] for each in found][:2] == ["order", "order"]
    assert len({each.message["id"] for each in found}) == 1
    assert ("ann-1" in str(found), "example" in str(found)) == (False, False)


def test_a_message_that_cannot_be_anonymized_is_left_out(recorder: Make) -> None:
    """No other text satisfies the pattern: its value decides."""
    one = recorder()

    found = one.record(record({"id": "a", "kind": "order", "prefix": "EU-77"}))

    assert (found, sum(one.left_out.values())) == (None, 1)


@pytest.mark.parametrize("way", ["asked", "kept"])
def test_the_user_may_keep_what_decides(recorder: Make, way: str) -> None:
    """By agreeing when asked, once for each path, or by naming it before."""
    asked: list[str] = []

    def agree(path: str) -> bool:
        asked.append(path)
        return True

    one = recorder(ask=agree) if way == "asked" else recorder(keep=("prefix",))

    found = [one.record(record({"id": f"id-{index}", "kind": "order", "prefix": "EU-77"})) for index in range(2)]

    assert [each and each.message["prefix"] for each in found] == ["EU-77", "EU-77"]
    assert asked == (["prefix"] if way == "asked" else [])
    assert one.head().paths == {"id": "masked", "kind": "constant", "prefix": "kept"}


def test_only_what_decides_about_a_message_is_kept(recorder: Make) -> None:
    """The answer to a question holds for other messages, but where their outcome does not need the real value."""
    messages = [
        {"id": "a-1", "kind": "order", "prefix": "EU-77"},
        {"id": "a-2", "kind": "letter", "prefix": "EU-78"},
        {"id": "a-3", "kind": "order", "prefix": "EU-79"},
        {"id": "a-4", "kind": "order", "prefix": "us-80"},
    ]
    one = recorder(ask=lambda path: True)

    found = [one.record(record(message)) for message in messages]

    prefixes = [each and each.message["prefix"] for each in found]
    kept = [now == message["prefix"] for now, message in zip(prefixes, messages, strict=True)]
    assert kept == [True, False, True, False]
    assert one.head().paths["prefix"] == "kept in 2 of 4, masked in 2 of 4"


def test_the_header_says_what_nothing_can_replace(recorder: Make) -> None:
    """A text without letters and digits is the same when anonymized: it is in the file as it is."""
    one = recorder()

    one.record(record({"id": "--", "kind": "order", "mail": "", "open": True}))
    one.record(record({"id": "a-1", "kind": "order"}))

    assert one.head().paths == {
        "id": "kept in 1 of 2, masked in 1 of 2",
        "kind": "constant",
        "mail": "kept",
        "open": "kept",
    }


@pytest.mark.parametrize("path", ["[[[", "", "a..b", "lines[0].sku", ".a", "a.", "a[]b"])
def test_a_path_to_keep_that_is_none(recorder: Make, path: str) -> None:
    """It would keep nothing: the sentence says how a path is written."""
    with pytest.raises(UsageError) as raised:
        recorder(keep=(path,))

    assert str(raised.value) == f"--keep '{path}' is no path; write it as customer.country or lines[].sku"


def test_paths_to_keep_that_no_message_has(recorder: Make) -> None:
    """A path of a map or list has no value itself."""
    one = recorder(keep=("nosuchpath", "lines", "lines[].sku", "id"))

    one.record(record({"id": "a-1", "kind": "order", "lines": [{"sku": "s-1"}]}))

    assert one.unused == ("lines", "nosuchpath")


def test_the_message_itself_may_be_kept(recorder: Make) -> None:
    """Its path is that which the header has for it."""
    one = recorder(keep=("@",))

    found = one.record(record('"a-1"'))

    assert (found and found.message, one.head().paths) == ("a-1", {"@": "kept"})


def test_what_is_left_out_is_counted_by_reason(recorder: Make) -> None:
    """What cannot be decoded has no values that could be anonymized."""
    one = recorder()
    messages = ["{", {"id": "a", "kind": "order", "prefix": "EU-1"}] * 2

    assert [one.record(record(message)) for message in messages] == [None] * 4

    reasons = ("it cannot be decoded: the payload is not JSON", "its outcome depends on values that are anonymized")
    assert (dict(one.left_out), one.head().left_out) == (dict.fromkeys(reasons, 2), 4)


def test_of_what_was_agreed_only_what_a_message_needs_is_kept(recorder: Make) -> None:
    """A person agreed to keep three paths; the outcome of the last message needs two of them."""
    messages = [
        {"id": "a-1", "kind": "order", "prefix": "EU-1"},
        {"id": "a-2", "kind": "order", "contact": "EU-2"},
        {"id": "a-3", "kind": "order", "zone": "EU-3"},
        {"id": "a-4", "kind": "order", "prefix": "EU-4", "contact": "alice", "zone": "EU-5"},
    ]
    one = recorder(ask=lambda path: True)

    *_, found = [one.record(record(message)) for message in messages]

    assert found
    assert (found.outcome, found.message["prefix"], found.message["zone"]) == ("written", "EU-4", "EU-5")
    assert "alice" not in str(found)
    assert one.head().paths["contact"] == "kept in 1 of 2, masked in 1 of 2"


def test_numbers_of_the_config(recorder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound is kept, and a multiple is replaced by another one."""
    monkeypatch.setattr("router.tools.change.recording.token_bytes", lambda size: b"k" * size)
    one = recorder()

    found = [one.record(record({"id": "a", "kind": "order", "amount": amount})) for amount in (2931, 1000)]

    multiple, bound = [each.message["amount"] for each in found if each]
    assert (multiple % 977, multiple != 2931, bound) == (0, True, 1000)
    assert one.head().paths["amount"] == "constant in 1 of 2, masked in 1 of 2"


def test_a_path_of_a_list_and_of_a_map(recorder: Make) -> None:
    """The header has both, in an order that does not depend on the messages."""
    one, other = recorder(keep=("lines[].x",)), recorder(keep=("lines[].x",))
    messages = [{"id": "a", "kind": "order", "lines": lines} for lines in ([{"x": "1"}, 7], {"x": "2"})]

    for each in messages:
        one.record(record(each))
    for each in reversed(messages):
        other.record(record(each))

    assert one.head().paths == {
        "id": "masked",
        "kind": "constant",
        "lines.x": "masked",
        "lines[]": "masked",
        "lines[].x": "kept",
    }
    assert list(one.head().paths) == list(other.head().paths)


def test_the_header_has_the_number_of_collisions(recorder: Make) -> None:
    """Between two numbers of the config, multiples of 0.5 may take all places of whole numbers."""
    one = recorder()
    halves, wholes = [number + 0.5 for number in range(1, 10)], [*range(1, 10)]

    found = one.record(record({"id": "a", "kind": "order", "halves": halves + wholes}))

    assert found
    lost = len(halves + wholes) - len(set(found.message["halves"]))
    assert (one.head().collisions, lost > 0) == (lost, True)


PLUGIN = """
from router import *
@hookimpl
def router_register_envelopes(register):
    register("own", unwrap, wrap=wrap)
def unwrap(payload, attributes):
    if not payload.startswith("own:"):
        raise Reject(payload)
    return payload[4:], attributes
def wrap(payload):
    return f"own:{payload}"
"""


@pytest.mark.parametrize("envelope", ["sns", "own"])
def test_a_message_in_an_envelope_keeps_its_outcome(recorder: Make, envelope: str) -> None:
    """It is in the same envelope when it runs."""
    one = recorder(envelope=f"[{envelope}]", plugin=PLUGIN)
    text = json.dumps({"id": "a", "kind": "order"})
    sns = json.dumps({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": text})

    found = one.record(record(sns if envelope == "sns" else f"own:{text}"))

    assert found
    assert (found.outcome, found.routes) == ("written", ("orders",))


def test_a_message_whose_envelope_cannot_be_made_is_left_out(recorder: Make) -> None:
    """What it would be recorded with is the outcome of a message without its envelope."""
    one = recorder(envelope="[own]", plugin=PLUGIN.replace(", wrap=wrap", ""))

    found = [one.record(record(f'own:{{"id": "{id_}", "kind": "order"}}')) for id_ in "ab"]

    reason = "its outcome is not known: the plugin of its envelope registers no 'wrap'"
    assert (found, dict(one.left_out)) == ([None, None], {reason: 2})


@pytest.mark.parametrize(
    ("envelope", "body", "reason"),
    [
        ("own", "alice.smith", "the envelope of a plugin refuses it"),
        ("own", "own:{", "the payload is not JSON"),
        (
            "sns",
            "{}",
            (
                "the payload is not an SNS notification: its Type is not Notification; "
                "with raw delivery there is no envelope"
            ),
        ),
    ],
)
def test_why_a_message_cannot_be_decoded(recorder: Make, envelope: str, body: str, reason: str) -> None:
    """What a plugin says may have a value in it; what the router says has none."""
    one = recorder(envelope=f"[{envelope}]", plugin=PLUGIN if envelope == "own" else "")

    assert one.record(record(body)) is None
    assert list(one.left_out) == [f"it cannot be decoded: {reason}"]


@pytest.mark.parametrize("path", ["[]", "boX", "boX[]", "[].boX"])
def test_a_path_of_a_list_or_with_a_capital(recorder: Make, path: str) -> None:
    """The message itself may be a list, and a name may end with any letter."""
    messages = {"[]": ["EU-77"], "boX": {"boX": "EU-77"}, "boX[]": {"boX": ["EU-77"]}, "[].boX": [{"boX": "EU-77"}]}
    one = recorder(keep=(path,))

    found = one.record(record(messages[path]))

    assert (found and found.message, one.unused) == (messages[path], ())


def test_a_recording_is_read_as_it_was_written(recorder: Make, tmp_path: Path) -> None:
    """Numbers included; the message is what is inside of the envelope."""
    one = recorder(envelope="[sns]")
    text = json.dumps({"id": "a", "kind": "order", "n": 0.1})
    body = json.dumps({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": text})
    messages = [each for each in [one.record(record(body))] if each]
    file = tmp_path / "orders.jsonl"
    file.write_bytes(write_recording(one.head(), messages))

    recording = read_recording(file)

    assert recording.head == one.head()
    assert list(recording.messages) == messages
    assert len(messages) == 1


@pytest.mark.parametrize("content", [b"", b"{}\n", b"not json\n", b'{"recording": 2, "queue": "q", "config": "c"}\n'])
def test_a_file_that_is_no_recording(tmp_path: Path, content: bytes) -> None:
    """The sentence says so."""
    file = tmp_path / "file.jsonl"
    file.write_bytes(content)

    with pytest.raises(UsageError, match=r"recording|recorded"):
        read_recording(file)


def test_constants_of_each_key_with_an_expression_are_kept(tmp_path: Path) -> None:
    """Without them, what becomes of a message could differ."""
    texts = {key: f"not_null({key}, '{key} constant')" for key in EXPRESSION_KEYS}
    item = {"id": "id", "n": texts.pop("item")}
    write = {"mode": "update", "add": ["n"], "once": "keys", "once_key": texts.pop("once_key")}
    routes = {"r": {"queue": "q", "table": "things", "item": item, "write": write, **texts}}
    tables = {name: {"key": {"id": "S"}} for name in ("things", "keys")}
    config = {"version": 1, "queues": {"q": {"dead_letter": "d"}}, "tables": tables, "routes": routes}
    (tmp_path / "routes.yaml").write_text(json.dumps(config))
    loaded = load(tmp_path / "routes.yaml", {})
    assert loaded.program is not None

    constants = kept_by_config(loaded, loaded.program, "q", ()).constants

    assert [key for key in EXPRESSION_KEYS if f"{key} constant" not in constants] == []


def test_a_message_gets_other_replacements_until_its_outcome_is_the_same(
    recorder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One letter in five gives another outcome: with other replacements, no message is left out."""
    monkeypatch.setattr("router.tools.change.recording.token_bytes", lambda size: b"k" * size)
    one = recorder()

    found = [one.record(record({"id": f"a-{n}", "kind": "order", "region": f"B-{n}"})) for n in range(40)]

    assert (None in found, one.left_out.total()) == (False, 0)
    regions = [each.message["region"] for each in found if each]
    assert [region for region in regions if region in {f"B-{n}" for n in range(40)}] == []
    assert len(set(regions)) == len(regions)


def test_a_value_keeps_its_replacement_in_later_messages(recorder: Make) -> None:
    """Also where it decides about the outcome: then the message is left out."""
    one = recorder()
    before = one.record(record({"id": "EU-1", "kind": "order"}))
    without = one.record(record({"id": "a-2", "kind": "order", "prefix": "EU-1"}))

    again = one.record(record({"id": "EU-1", "kind": "order"}))

    assert (before, without) == (again, None)


def test_keys_are_anonymized_in_messages_and_in_the_header(recorder: Make) -> None:
    """But those that the schema, an expression or the user names."""
    one = recorder(keep=("owners.country",))

    found = one.record(record({"id": "a-1", "kind": "order", "owners": {"alice.smith": 1, "country": "de"}}))

    assert found
    name, country = found.message["owners"]
    assert (len(name), country, found.message["owners"]["country"]) == (11, "country", "de")
    paths = {"id": "masked", "kind": "constant", f"owners.{name}": "masked", "owners.country": "kept"}
    assert one.head().paths == paths
    assert "alice" not in write_recording(one.head(), [found]).decode()


def test_what_the_queue_redacts_is_anonymized_by_its_type(recorder: Make) -> None:
    """By another hash than in dead letters; the message keeps its outcome, as its type is known."""
    one = recorder(envelope="[], redact: [secret]")

    found = one.record(record({"id": "a-1", "kind": "order", "secret": 4111}))

    assert found
    assert re.fullmatch("redacted:integer:[0-9a-f]{32}", found.message["secret"])
    assert (found.outcome, one.head().paths["secret"]) == ("written", "masked")


def test_a_recording_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """Its head said otherwise how it was anonymized."""
    head = {
        "recording": 1,
        "queue": "orders",
        "config": "0123456789abcdef",
        "left_out": 1,
        "collisions": 0,
        "masked": "by shape, with a random key that was not kept",
        "paths": {"id": "masked"},
    }
    message = {"message": {"id": "abc-1", "n": 1.50}, "outcome": "written", "code": "", "routes": ["orders"]}
    file = tmp_path / "orders.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in (head, message)))

    recording = read_recording(file)

    assert (recording.head.masked, recording.head.left_out) == (head["masked"], 1)
    assert [(each.message["id"], each.routes) for each in recording.messages] == [("abc-1", ("orders",))]
