"""Compares what happens to the messages of a documented config with what the pages say of it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal, localcontext
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from jsonschema import Draft7Validator, Draft202012Validator
from msgspec import structs

from router.errors import ConfigError
from router.model import Outcome
from router.testing import deliver, record
from tests.soundness.cases import TrialConfig
from tests.soundness.documented_configs import DocumentedConfig
from tests.soundness.documented_items import MISSING, Refused, Unsure, expected_last, is_storable, same
from tests.soundness.documented_messages import DocumentedMessages
from tests.soundness.spelled import encoded
from tests.soundness.trial import Trying, Way, Wrong
from tests.support.program import load_program

_ABOUT_SCHEMAS = ("RT302", "RT305", "RT313", "RT317")
"""Findings that tell of a typing error in a schema."""
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_LONG_FRACTION = re.compile(r"[0-9]{13,}|[0-9][eE]|\.[0-9]{13,}")
"""Numbers that docs/reliability.md excepts, and others that are like them."""
_KEY = "_k"
_EMPTY_NAME = "an attribute has a name that is empty or no text"
"""A schema that allows any property allows the empty name, of which nothing is said."""


def documented_way(config: DocumentedConfig) -> Way:
    """Return how a documented config is tried."""
    makers: list[DocumentedMessages] = []

    def maker(case: TrialConfig, chance: Random, is_valid: Callable[[Any], bool]) -> DocumentedMessages:
        makers.append(DocumentedMessages(structs.replace(config, case=case), chance, is_valid))
        return makers[-1]

    def compare(trying: Trying) -> Iterator[Wrong]:
        yield from _taken_nevertheless(trying, [*makers[-1].refused])
        yield from _schema_errors(trying, makers[-1].refused, config.intended)
        for name in trying.case.route.get("item", ()):
            yield from _item_errors(trying, name)

    return Way(maker, lambda: len(makers[-1].refused), compare, _is_plain, _concerns)


def _concerns(outcome: Outcome, body: str) -> bool:
    """Whether a claim is about a rejection: claims are about messages whose own values DynamoDB can store.

    RT815 depends on the item that is stored: a sum can have more digits than DynamoDB stores. RT439 is about names.
    """
    if outcome.reason.endswith(_EMPTY_NAME):
        return False
    if outcome.code in ("RT805", "RT806", "RT815") or (outcome.code == "RT803" and "merge" not in outcome.reason):
        return False
    return _is_plain(body)


def _is_plain(body: str) -> bool:
    return is_storable(_DECODER.decode(body))


def _taken_nevertheless(trying: Trying, refused: Sequence[str]) -> Iterator[Wrong]:
    """Yield a message that the schema refuses and the engine does not."""
    run = deliver(trying.program, "q", [record(body=body) for body in refused])
    for body, outcome in zip(refused, run.outcomes, strict=True):
        if outcome.code not in ("RT801", "RT803", "RT805", "RT806"):
            yield Wrong("silent", "schema", f"a message that the schema refuses ends as {outcome.kind}", body)
            return


def _schema_errors(trying: Trying, refused: Iterable[str], intended: Any) -> Iterator[Wrong]:
    """Yield a message of which the schema is read in another way than the specification says, or than was intended."""
    codes = {word.code for word in trying.words}
    text = encoded(trying.case.schema)
    if '"format"' not in text:
        verdict = _validator(text)
        for taken, bodies in ((True, trying.messages), (False, refused)):
            wrong = next((body for body in bodies if not _LONG_FRACTION.search(body) and verdict(body) != taken), None)
            if wrong is not None and not codes & {*_ABOUT_SCHEMAS}:
                yield Wrong("silent", "schema", f"the schema {'takes' if taken else 'refuses'} a message", wrong)
    if intended is not None and not codes & {*_ABOUT_SCHEMAS}:
        verdict = _validator(encoded(intended))
        wrong = next((body for body in trying.messages if not _LONG_FRACTION.search(body) and not verdict(body)), None)
        if wrong is not None:
            yield Wrong("silent", "schema", "a typing error in the schema", wrong)


def _validator(text: str) -> Callable[[str], bool]:
    schema = _plain_numbers(json.loads(text, parse_float=Decimal))
    kind = Draft7Validator if "draft-07" in text else Draft202012Validator
    validator = kind(schema)

    def is_valid(body: str) -> bool:
        try:
            message = _plain_numbers(json.loads(body, parse_float=Decimal))
        except (ValueError, ArithmeticError):
            return False
        with localcontext(prec=1200):
            return validator.is_valid(message)

    return is_valid


def _plain_numbers(value: Any) -> Any:
    """Return a value whose whole numbers are integers, for a library that takes no decimal for one."""
    if isinstance(value, dict):
        return {key: _plain_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(each) for each in value]
    if isinstance(value, Decimal) and value.adjusted() < 500 and value == value.to_integral_value():
        return int(value)
    return value


def _item_errors(trying: Trying, name: str) -> Iterator[Wrong]:
    """Yield a message of which an attribute, alone, is stored with another value than the pages say."""
    case = trying.case
    attribute = case.route["item"][name]
    if isinstance(attribute, dict) and attribute.get("missing") == "remove":
        attribute = {**attribute, "missing": "omit"}
    kept = {key: value for key, value in case.route.items() if key == "for_each"}
    route = {**kept, "item": {_KEY: {"meta": "message_id"}, name: attribute}}
    alone = structs.replace(case, schema={}, table={"key": {_KEY: "S"}}, route=route)
    known = dict(_known(alone, name, trying.messages))
    stored = _stored(trying.folder, alone, [*known])
    for body, expected in known.items():
        found = stored.get(body, Refused) if stored is not None else Refused
        value = found.get(name, MISSING) if isinstance(found, dict) else Refused
        if expected is Refused and value is not Refused:
            yield Wrong("silent", f"item.{name}", f"{_kind(attribute)} is stored, and cannot be", body)
            return
        if expected is not Refused and value is not Refused and not _is_same(expected, value):
            yield Wrong("silent", f"item.{name}", f"{_kind(attribute)} is stored with another value", body)
            return


def _is_same(one: Any, other: Any) -> bool:
    return one is other if MISSING in (one, other) else same(one, other)


def _kind(attribute: Any) -> str:
    if isinstance(attribute, str):
        return "a path"
    keys = [key for key in attribute if key not in ("missing", "default")]
    return f"an attribute with {' and '.join(keys)}"


def _known(case: TrialConfig, name: str, messages: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the messages of which the pages say what is stored, with it: Refused if nothing is."""
    for body in messages:
        try:
            yield body, expected_last(case, name, _DECODER.decode(body))
        except Refused:
            yield body, Refused
        except Unsure:
            continue


def _stored(folder: Path, case: TrialConfig, messages: Sequence[str]) -> dict[str, dict[str, Any]] | None:
    """Return the last item of each message that is written; None if the config cannot be loaded."""
    (folder / "routes.yaml").write_text(case.text()[0], encoding="utf-8")
    (folder / "schema.json").write_text("{}", encoding="utf-8")
    try:
        program = load_program(folder / "routes.yaml", {})
    except ConfigError:
        return None
    records = {each.message_id: (each, body) for body in messages for each in [record(body=body)]}
    items = deliver(program, "q", [each for each, _ in records.values()]).tables.items("items")
    return {records[item[_KEY]][1]: item for item in items}
