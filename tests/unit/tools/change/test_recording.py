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
    assert "ann" not in str(found)


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


def test_what_cannot_be_decoded_is_left_out(recorder: Make) -> None:
    """It has no values that could be anonymized."""
    one = recorder()

    found = one.record(record("{"))

    assert found is None
    assert list(one.left_out) == ["it cannot be decoded: the payload is not JSON"]


def test_a_recording_is_read_as_it_was_written(recorder: Make, tmp_path: Path) -> None:
    """Numbers included; the message is what is inside of the envelope."""
    one = recorder(envelope="[sns]")
    text = json.dumps({"id": "a", "kind": "order", "n": 1.50})
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


def test_the_reason_of_an_envelope_of_a_plugin_is_not_shown(recorder: Make) -> None:
    """It may have a value in it."""
    plugin = """
from router import *
@hookimpl
def router_register_envelopes(register):
    register("own", unwrap)
def unwrap(payload, attributes):
    raise Reject(payload)
"""
    one = recorder(envelope="[own]", plugin=plugin)

    assert one.record(record("alice.smith")) is None
    assert list(one.left_out) == ["it cannot be decoded: the envelope of a plugin refuses it"]


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
