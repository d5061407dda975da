"""From a record to its JSON value, whatever a sender puts into it."""

import base64
import contextlib
import gzip
import json
import tracemalloc
import zlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.codes import BAD_ENVELOPE, NOT_JSON, OUT_OF_BOUNDS
from router.errors import Drop, Reject, Rejection
from router.model import Record
from router.runtime.engine.decode import (
    MAX_BODY_BYTES,
    MAX_DECODED_BYTES,
    MAX_UNPACKED_BYTES,
    bound_memory,
    bound_nesting,
    bound_skipped,
    compile_decoder,
    decode_payload,
)

TOO_DEEP = (OUT_OF_BOUNDS, "nested deeper than 64, or brackets that do not close")
TOO_MANY_DIGITS = (OUT_OF_BOUNDS, "a number has too many digits to be held exactly")
IS_NOT_JSON = (NOT_JSON, "the payload is not JSON")


def rejection(call: Any, *arguments: Any) -> Any:
    """The code and reason that a call is refused with."""
    with pytest.raises(Rejection) as raised:
        call(*arguments)
    return raised.value.code, raised.value.reason


def record(body: Any, **attributes: Any) -> Any:
    """A record with a body and message attributes."""
    return Record("id", "handle", body, {}, attributes)


def packed(data: Any) -> Any:
    """Data as a gzip queue carries it."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def deep(depth: Any, opening: Any = "[", closing: Any = "]") -> Any:
    """Brackets that are nested so deep; several in `opening` alternate."""
    pairs = [(opening[level % len(opening)], closing[level % len(closing)]) for level in range(depth)]
    return "".join(opener for opener, _ in pairs) + "".join(closer for _, closer in reversed(pairs))


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        ("{}", {}),
        (b"[]", []),
        (' \n{"a": 1}\t', {"a": 1}),
        ('"text"', "text"),
        ("null", None),
        ("12", 12),
        ('{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
        ('"\\ud83d\\ude00\\u0000"', "😀\0"),
        ("-0", 0),
        ("9007199254740993", 2**53 + 1),
        ("0.1", Decimal("0.1")),
        ("1.10", Decimal("1.10")),
        ("1E400", Decimal("1E400")),
        ("1" * 39, int("1" * 39)),
        ("0." + "1" * 5000, Decimal("0." + "1" * 5000)),
        ('"' + "x" * (1024 * 1024 - 2) + '"', "x" * (1024 * 1024 - 2)),
        ('["[[[", "{", "\\"[", "\\\\"]', ["[[[", "{", '"[', "\\"]),
        ({"a": [1]}, {"a": [1]}),
        (None, None),
    ],
)
def test_json_is_decoded_exactly(payload: Any, value: Any) -> None:
    """Numbers keep each digit, the last of repeated keys counts, and a decoded value is returned unchanged."""
    assert repr(decode_payload(payload)) == repr(value)


@pytest.mark.parametrize(
    ("payload", "code_and_reason"),
    [
        ("", (NOT_JSON, "the payload is empty")),
        (b"", (NOT_JSON, "the payload is empty")),
        (" ", IS_NOT_JSON),
        ("hello", IS_NOT_JSON),
        ("{'a': 1}", IS_NOT_JSON),
        ('{"a": 1', IS_NOT_JSON),
        ('{"a": 1} x', IS_NOT_JSON),
        ("{}{}", IS_NOT_JSON),
        ("[1,]", IS_NOT_JSON),
        ("01", IS_NOT_JSON),
        ("+1", IS_NOT_JSON),
        ("NaN", IS_NOT_JSON),
        ('{"a": Infinity}', IS_NOT_JSON),
        ("[-Infinity]", IS_NOT_JSON),
        ('"a\nb"', IS_NOT_JSON),
        ('"\\ud800"', IS_NOT_JSON),
        ('"\ud800"', IS_NOT_JSON),
        ("\ud800" + "[" * 100, IS_NOT_JSON),
        (b'"\xff"', IS_NOT_JSON),
        ("\ufeff{}", IS_NOT_JSON),
        (b"\xef\xbb\xbf{}", IS_NOT_JSON),
        ('{"a": 1}'.encode("utf-16"), IS_NOT_JSON),
        ("1" * 5000, TOO_MANY_DIGITS),
        (f'{{"a": -{"1" * 5000}}}', TOO_MANY_DIGITS),
        ("1e99999999999999999999", (OUT_OF_BOUNDS, "a number is beyond what can be held exactly")),
        ("[" * 10_000 + "]" * 10_000, TOO_DEEP),
        ("[" * 10_000, TOO_DEEP),
        ('{"a":' * 10_000, TOO_DEEP),
        ("[" * 65 + "]" * 64, TOO_DEEP),
        ("]" * 100 + "[" * 65, TOO_DEEP),
        ("]" * 100 + "[]" * 65, IS_NOT_JSON),
        ("[}" * 100, IS_NOT_JSON),
    ],
)
def test_other_than_json_is_refused(payload: Any, code_and_reason: Any) -> None:
    """With a code, and a reason without any part of the payload."""
    assert rejection(decode_payload, payload) == code_and_reason


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize(
    "decode",
    [
        decode_payload,
        lambda text: decode_payload(text.encode()),
        lambda text: compile_decoder([], "json")(record(text)),
    ],
    ids=["text", "bytes", "body"],
)
def test_objects_nest_as_lists_do(decode: Any, opening: str, closing: str) -> None:
    """The bound counts both, in text, in bytes, and in a body without envelopes."""
    deepest, deeper = (opening * depth + "1" + closing * depth for depth in (64, 65))

    decode(deepest)

    assert rejection(decode, deeper) == TOO_DEEP


@pytest.mark.parametrize("brackets", ["[]", "[{]}", "[[{]]}"])
def test_nesting_of_64_is_decoded_and_65_refused(brackets: Any) -> None:
    """For each kind of bracket."""
    opening, closing = brackets[: len(brackets) // 2], brackets[len(brackets) // 2 :]

    bound_nesting(deep(64, opening, closing))

    assert rejection(bound_nesting, deep(65, opening, closing)) == TOO_DEEP


@pytest.mark.parametrize(
    "text", ["[[[[{{{{", "\n", "\\", '"', '\\"', "\\\\", "a\\", '\\\\"', "\t[", "é[", "\u2028{", "/", "\\n"]
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_brackets_and_escapes_in_text_do_not_count(text: Any, ensure_ascii: Any) -> None:
    """They are not nesting, and do not hide nesting."""
    wide = json.dumps({text: [{text: text}] * 100, "z": text}, ensure_ascii=ensure_ascii)
    hidden = json.dumps([text, "HERE", text], ensure_ascii=ensure_ascii).replace('"HERE"', deep(64))

    bound_nesting(wide)

    assert rejection(bound_nesting, hidden.encode()) == TOO_DEEP


@pytest.mark.parametrize("before", range(8))
@pytest.mark.parametrize(("digits", "is_refused"), [(17, False), (18, True), (19, True), (21, True)])
def test_many_digits_are_found_wherever_they_begin(before: int, digits: int, is_refused: bool) -> None:
    """A number with an exponent of that many digits could not be held exactly."""
    text = f'{{"{"a" * before}": 1e{"9" * digits}}}'

    if is_refused:
        assert rejection(bound_skipped, text)[0] == OUT_OF_BOUNDS
    else:
        bound_skipped(text)


def test_a_large_message_with_line_breaks_is_decoded() -> None:
    """Many objects, and an escape at the end of a text."""
    message = {"lines": [{"sku": "a", "note": "one\n"}] * 99, "note": "end\n"}

    assert decode_payload(json.dumps(message)) == message


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.text('[]{}"\\\n/n', max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


def written(value: Any, separator: Any = ",", ensure_ascii: Any = False) -> Any:
    """A value as JSON text, by another encoder than the router's."""
    if isinstance(value, list):
        return f"[{separator.join(written(each, separator, ensure_ascii) for each in value)}]"
    if isinstance(value, dict):
        members = (f"{json.dumps(name)}:{written(each, separator, ensure_ascii)}" for name, each in value.items())
        return f"{{{separator.join(members)}}}"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=ensure_ascii)


def exact(value: Any) -> Any:
    """The value with its types, so that 1, True and Decimal(1) differ."""
    return repr(value)


@given(JSON, st.integers(0, 58), st.booleans(), st.sampled_from([",", "\n , "]), st.booleans())
@settings(deadline=None, max_examples=100)
def test_any_json_is_decoded_to_its_value(
    value: Any, depth: Any, ensure_ascii: Any, separator: Any, as_bytes: Any
) -> None:
    """At any nesting up to 64, as text or UTF-8, with numbers exact."""
    for level in range(depth):
        value = [value] if level % 2 else {"[": value}
    text = written(value, separator, ensure_ascii)
    if nesting(text) > 64:
        return

    assert exact(decode_payload(text.encode() if as_bytes else text)) == exact(value)


def nesting(text: Any) -> Any:
    """How deep valid JSON nests, a character at a time."""
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif inside:
            escaped = character == "\\"
            inside = character != '"'
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


@st.composite
def deep_documents(draw: Any) -> Any:
    """JSON of many brackets, in and out of texts, nested about as deep as is allowed."""
    value = draw(JSON)
    neighbours = st.sampled_from(
        ["},{" * 70, "{/x}" * 70, "},{/" * 70, "},{/{" * 70, "}, {", "{", [{}] * 70, [{"a": [{}, {}]}] * 40]
    )
    siblings = draw(st.lists(JSON | neighbours, min_size=1, max_size=3))
    for level in range(draw(st.sampled_from([0, 30, 50, 60, 61, 62, 63, 64, 65, 66, 70, 100, 127, 128, 129]))):
        near = siblings[level % len(siblings)]
        value = [near, value, near] if draw(st.booleans()) else {"a": value, "b": near}
    return written(value, draw(st.sampled_from([",", ", ", " ,\n"])))


@pytest.mark.parametrize("text", ["},{", "}, {", "{/", "},{/", "}, {/{", "]", "}"])
@pytest.mark.parametrize("separator", [",", ", "])
def test_brackets_in_texts_hide_no_nesting(text: str, separator: str) -> None:
    """However many of them there are."""
    near = f'"{text * 100}"'
    for depth in (64, 65):
        body = f"[{near}{separator}" * depth + "1" + "]" * depth
        if depth == 64:
            bound_nesting(body)
        else:
            assert rejection(bound_nesting, body) == TOO_DEEP


@given(deep_documents())
@settings(deadline=None, max_examples=150)
def test_the_bound_of_nesting_agrees_with_a_plain_count(text: Any) -> None:
    """The fast implementation and the obvious one agree."""
    try:
        bound_nesting(text)
        bounded = True
    except Rejection:
        bounded = False

    assert bounded == (nesting(text) <= 64)


PAYLOADS = (
    st.text()
    | st.binary()
    | st.text('[]{}":,\\ \n0123456789.eE+-truefalsn\ud800', max_size=200)
    | st.builds(
        lambda text, times: text * times,
        st.sampled_from(["[", "{", "]", "}", '"', "\\", '{"a":', "[1,", '"[', '\\"', "\\\\"]),
        st.integers(0, 3000),
    )
    | st.builds(lambda *parts: "".join(parts), *[st.text('[]{}"\\\n', max_size=90)] * 3)
)


@given(PAYLOADS)
@settings(deadline=None, max_examples=200)
def test_any_payload_is_decoded_or_refused(payload: Any) -> None:
    """No other exception is raised."""
    with contextlib.suppress(Rejection):
        decode_payload(payload)


ATTRIBUTES = {
    "text": {"DataType": "String", "StringValue": "5"},
    "whole": {"DataType": "Number", "StringValue": "9007199254740993"},
    "exact": {"DataType": "Number.price", "StringValue": "1.10"},
    "odd": {"DataType": "Number", "StringValue": "0x10"},
    "words": {"DataType": "Number", "StringValue": "true"},
    "huge": {"DataType": "Number", "StringValue": "1e99999999999999999999"},
    "long": {"DataType": "Number", "StringValue": "1" * 5000},
    "deep": {"DataType": "Number", "StringValue": "[" * 100_000},
    "half": {"DataType": "Number", "StringValue": "\ud800"},
    "binary": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    "empty": {"DataType": "String"},
    "untyped": {"StringValue": "5"},
}
VALUES = {
    "text": "5",
    "whole": 2**53 + 1,
    "exact": Decimal("1.10"),
    "odd": "0x10",
    "words": "true",
    "huge": "1e99999999999999999999",
    "long": "1" * 5000,
    "deep": "[" * 100_000,
    "half": "\ud800",
    "binary": b"\x00\xff",
    "empty": "",
    "untyped": "5",
}


@pytest.mark.parametrize("encoding", ["json", "base64"])
def test_message_attributes_are_values(encoding: Any) -> None:
    """Numbers are exact; text that is no number stays text."""
    body = "{}" if encoding == "json" else "e30="

    assert compile_decoder([], encoding)(record(body, **ATTRIBUTES)) == ({}, VALUES)


def test_a_record_without_attributes_has_none() -> None:
    """The usual case."""
    assert compile_decoder([], "json")(record('{"a": 1}')) == ({"a": 1}, {})


@pytest.mark.parametrize(
    ("encoding", "body", "value"),
    [
        ("base64", "eyJhIjogMS4xMH0=", {"a": Decimal("1.10")}),
        ("base64+gzip", packed(b'{"a": 1}'), {"a": 1}),
        ("base64+gzip", packed(b'"' + b"x" * (MAX_UNPACKED_BYTES - 2) + b'"'), "x" * (MAX_UNPACKED_BYTES - 2)),
    ],
)
def test_an_encoding_is_decoded(encoding: Any, body: Any, value: Any) -> None:
    """Then the payload is JSON; 16 MiB are allowed."""
    assert compile_decoder([], encoding)(record(body)) == (value, {})


NO_BASE64 = (BAD_ENVELOPE, "the payload is no base64 text")
NO_GZIP = (BAD_ENVELOPE, "the payload is no gzip data")
TORN = (BAD_ENVELOPE, "the payload is no complete gzip data")
MORE = (BAD_ENVELOPE, "the payload has more than one member of gzip data, or something behind it")
BOMB = (OUT_OF_BOUNDS, "the payload unpacks to more than 16777216 bytes")
WHOLE = gzip.compress(b'{"a": 1}', mtime=0)


def encoded(data: Any) -> Any:
    """Bytes as base64 text."""
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("encoding", "body", "code_and_reason"),
    [
        ("base64", '{"a": 1}', NO_BASE64),
        ("base64", "e30", NO_BASE64),
        ("base64", "é", NO_BASE64),
        ("base64", "\ud800", NO_BASE64),
        ("base64", "", (NOT_JSON, "the payload is empty")),
        ("base64", "/w==", IS_NOT_JSON),
        ("base64", encoded(b'"\xed\xa0\x80"'), IS_NOT_JSON),
        ("base64", encoded(b"[" * 1000), TOO_DEEP),
        ("base64+gzip", "{}", NO_BASE64),
        ("base64+gzip", "e30=", NO_GZIP),
        ("base64+gzip", encoded(zlib.compress(b"{}")), NO_GZIP),
        ("base64+gzip", "", TORN),
        ("base64+gzip", encoded(WHOLE[:-1]), TORN),
        ("base64+gzip", encoded(WHOLE[:12]), TORN),
        ("base64+gzip", encoded(WHOLE[:-1] + b"\xff"), NO_GZIP),
        ("base64+gzip", encoded(WHOLE + WHOLE), MORE),
        ("base64+gzip", encoded(WHOLE + b"\0"), MORE),
        ("base64+gzip", packed(b" " * (MAX_UNPACKED_BYTES + 1)), BOMB),
        ("base64+gzip", packed(bytes(100_000_000)), BOMB),
        ("base64+gzip", packed(packed(b"{}").encode()), IS_NOT_JSON),
    ],
)
def test_another_encoding_is_refused(encoding: Any, body: Any, code_and_reason: Any) -> None:
    """Truncated, of another kind, or unpacking to more than the limit."""
    assert rejection(compile_decoder([], encoding), record(body)) == code_and_reason


@given(st.text(max_size=40) | st.binary(max_size=60).map(encoded), st.sampled_from(["base64", "base64+gzip"]))
@settings(deadline=None)
def test_any_encoded_payload_is_decoded_or_refused(body: Any, encoding: Any) -> None:
    """No other exception is raised."""
    with contextlib.suppress(Rejection):
        compile_decoder([], encoding)(record(body))


def unwrap(payload: Any, attributes: Any) -> Any:
    """An envelope of one member, which adds an attribute."""
    value = json.loads(payload)
    if "in" not in value:
        raise Reject("no such envelope")
    return value["in"], {**attributes, "layer": len(attributes)}


def binary(payload: Any, attributes: Any) -> Any:
    """An envelope of bytes."""
    return payload.encode() if isinstance(payload, str) else payload, attributes


def keep(payload: Any, attributes: Any) -> Any:
    """An envelope that may be missing."""
    return payload, attributes


def test_envelopes_are_unwrapped_in_order() -> None:
    """Each gets the payload and the attributes of the one before."""
    body = json.dumps({"in": json.dumps({"in": '{"a": 1.10}'})})

    data = compile_decoder([unwrap, unwrap], "json")(record(body, a={"DataType": "String", "StringValue": "x"}))

    assert data == ({"a": Decimal("1.10")}, {"a": "x", "layer": 2})


@pytest.mark.parametrize(
    ("envelopes", "encoding", "inner", "value"),
    [
        ([unwrap], "json", {"a": 1}, {"a": 1}),
        ([unwrap], "base64", "e30=", {}),
        ([unwrap, binary], "base64", '{"raw": 1}', {"raw": 1}),
        ([unwrap, binary], "json", {"a": 1}, {"a": 1}),
        ([unwrap], "json", None, None),
    ],
)
def test_an_envelope_may_return_a_decoded_payload(envelopes: Any, encoding: Any, inner: Any, value: Any) -> None:
    """A JSON value, base64 text, or bytes that need no base64."""
    assert compile_decoder(envelopes, encoding)(record(json.dumps({"in": inner})))[0] == value


@pytest.mark.parametrize(
    ("envelopes", "encoding", "body", "code_and_reason"),
    [
        ([unwrap], "json", "{}", (BAD_ENVELOPE, "no such envelope")),
        ([unwrap], "json", '{"in": "x"}', IS_NOT_JSON),
        ([unwrap], "base64", '{"in": {"a": 1}}', NO_BASE64),
        ([unwrap], "base64+gzip", '{"in": [1]}', NO_BASE64),
        ([unwrap], "json", '{"in": ' + deep(65) + "}", TOO_DEEP),
        ([unwrap, unwrap], "json", json.dumps({"in": '{"in": ' + deep(65) + "}"}), TOO_DEEP),
        ([unwrap], "json", json.dumps({"in": deep(65)}), TOO_DEEP),
    ],
)
def test_a_layer_that_is_not_as_configured_is_refused(
    envelopes: Any, encoding: Any, body: Any, code_and_reason: Any
) -> None:
    """Each layer is bounded."""
    assert rejection(compile_decoder(envelopes, encoding), record(body)) == code_and_reason


def test_an_envelope_may_drop_its_message() -> None:
    """An exception other than Reject is not converted to a rejection."""

    def drop(payload: Any, attributes: Any) -> Any:
        raise Drop("not for us")

    with pytest.raises(Drop, match="not for us"):
        compile_decoder([drop], "json")(record("{}"))


@pytest.mark.parametrize(
    ("envelopes", "fetch_at", "encoding", "body", "fetched", "value"),
    [
        ([binary], 0, "json", "pointer", b'{"a": 1.10}', {"a": Decimal("1.10")}),
        ([unwrap, binary], 1, "json", '{"in": "pointer"}', b"[]", []),
        ([binary, unwrap], 0, "json", "pointer", b'{"in": "7"}', 7),
        ([keep], 0, "base64", "pointer", b"e30=", {}),
        ([keep], 0, "base64+gzip", "pointer", packed(b"{}").encode(), {}),
        ([keep], 0, "base64+gzip", "pointer", gzip.compress(b"{}", mtime=0), {}),
        ([keep], 0, "json", '{"small": 1}', None, {"small": 1}),
    ],
)
def test_a_fetched_object_replaces_the_pointer(
    envelopes: Any, fetch_at: Any, encoding: Any, body: Any, fetched: Any, value: Any
) -> None:
    """It is unwrapped like a body; envelopes around the pointer still add their attributes."""
    decode = compile_decoder(envelopes, encoding, fetch_at)

    data, attributes = decode(Record("id", "handle", body, fetched=fetched))

    assert (data, attributes) == (value, {"layer": 0} if unwrap in envelopes else {})


@pytest.mark.parametrize(
    ("encoding", "fetched", "code_and_reason"),
    [
        ("json", b"", (NOT_JSON, "the payload is empty")),
        ("json", b"\xff{}", IS_NOT_JSON),
        ("json", deep(65).encode(), TOO_DEEP),
        ("base64", b"{}", NO_BASE64),
    ],
)
def test_a_fetched_object_is_bounded_like_a_body(encoding: Any, fetched: Any, code_and_reason: Any) -> None:
    """Whatever it contains."""
    decode = compile_decoder([keep], encoding, 0)

    assert rejection(decode, Record("id", "handle", "pointer", fetched=fetched)) == code_and_reason


@pytest.mark.parametrize("unit", ["{},", "[],", "1.5,", '{"":0},', '"",', "[[]],"])
def test_a_body_takes_bounded_memory(unit: str) -> None:
    """Any body that SQS accepts is decoded within the bound."""
    text = "[" + unit * ((MAX_BODY_BYTES - 2) // len(unit)) + "0]"
    tracemalloc.start()
    try:
        value = decode_payload(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(value) > MAX_BODY_BYTES // 10
    assert peak < MAX_DECODED_BYTES


@pytest.mark.parametrize("unit", ["{},", "1.5,", '{"":0},'])
@pytest.mark.parametrize("wrap", [str, str.encode])
def test_a_payload_that_takes_too_much_memory_is_refused(unit: str, wrap: Any) -> None:
    """A payload that unpacks to millions of values is refused before it is decoded."""
    text = wrap("[" + unit * (MAX_UNPACKED_BYTES // len(unit)) + "0]")
    reason = f"its values may take more than {MAX_DECODED_BYTES} bytes of memory"

    assert rejection(decode_payload, text) == (OUT_OF_BOUNDS, reason)


@pytest.mark.parametrize(
    ("text", "values", "entries"),
    [
        ("[0,1,[]]", 4, 0),
        ('{"a":{},"b":0}', 3, 2),
        ('[",[{:\\"",{}]', 3, 0),
        ('[",\\\\",0]', 2, 0),
        (b'{"a,":[0]}', 2, 1),
    ],
)
def test_the_memory_of_values(monkeypatch: pytest.MonkeyPatch, text: Any, values: int, entries: int) -> None:
    """The text itself, a value for each comma and bracket that is outside of strings, an entry for each colon."""
    needed = len(text) + 112 * values + 120 * entries
    monkeypatch.setattr("router.runtime.engine.decode.MAX_BODY_BYTES", len(text) - 1)
    monkeypatch.setattr("router.runtime.engine.decode.MAX_DECODED_BYTES", needed)

    bound_memory(text)

    monkeypatch.setattr("router.runtime.engine.decode.MAX_DECODED_BYTES", needed - 1)
    reason = f"its values may take more than {needed - 1} bytes of memory"
    assert rejection(bound_memory, text) == (OUT_OF_BOUNDS, reason)


@pytest.mark.parametrize("char", [",", ":", "[", '\\"', "a"])
def test_a_long_text_takes_only_its_own_memory(char: str) -> None:
    """Characters inside of strings do not count as values."""
    text = char * 4_000_000

    assert decode_payload(f'["{text}"]') == [text.replace("\\", "")]


def test_half_of_a_surrogate_pair_in_a_large_payload() -> None:
    """It is refused as in a small payload."""
    assert rejection(bound_memory, '"' + "a" * MAX_BODY_BYTES + '\ud800"') == IS_NOT_JSON


def test_payloads_of_envelopes_are_bounded() -> None:
    """The payload is bounded before the envelope decodes it."""
    decode = compile_decoder([lambda payload, attributes: (json.loads(payload), attributes)], "json", 0)
    fetched = b"[" + b"{}," * 5_000_000 + b"0]"

    assert rejection(decode, Record("id", "handle", "", fetched=fetched))[0] == OUT_OF_BOUNDS
