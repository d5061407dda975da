"""The published JSON Schema."""

from typing import Any

import jsonschema_rs
import pytest

from router.runtime.config import spec
from router.runtime.config.source import parse_text
from tests.support.config import config_schema

SMALLEST = "version: 1\ntables: {t: {key: {user_id: S}}}\nroutes: {r: {queue: q, table: t}}\n"
FULLEST = """\
version: 1
x-shared: {anything: [1]}
plugins: [plugins/devices.py, acme_router_plugins]
queues:
  user-metadata:
    name: ${STAGE:-dev}-user-metadata
    envelope: [sns]
    encoding: json
    dead_letter: ${STAGE:-dev}-user-metadata-dlq
    match: first
    unmatched: ${UNMATCHED:-drop}
tables:
  user-metadata: {name: "${STAGE:-dev}-user-metadata", key: {user_id: S}, ttl: expires_at}
routes:
  user-metadata:
    queue: user-metadata
    table: user-metadata
    when: "type == 'device'"
    schema: schemas/user-metadata.json
    plugins: [devices]
    options: {devices: {unknown: other}}
    item:
      user_id: user_id
      seen_at: {meta: sent_at}
      device: {from: device.model, transform: [strip, {truncate: 80}]}
      location: {from: location, default: unknown}
      source: {value: null}
      label: {template: "USER#{user_id}#{device.model}"}
      event_id: {hash: [user_id, device]}
      expires_at: {ttl: 90d}
      removed_at: {ttl: {from: at, after: "${DAYS:-90}d"}}
      tags: {from: tags, type: SS}
    write: {mode: newest, version: seen_at}
    on_invalid: dead_letter
    tests:
      - name: the first message
        message: {type: device}
        item_contains: {user_id: user_1}
"""


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema_rs.validator_for(config_schema())


def test_it_is_itself_a_valid_schema() -> None:
    """It is valid by the draft that it names."""
    schema = config_schema()

    assert (jsonschema_rs.meta.is_valid(schema), schema["$schema"]) == (
        True,
        "https://json-schema.org/draft/2020-12/schema",
    )


@pytest.mark.parametrize("text", [SMALLEST, FULLEST])
def test_it_accepts_configs(validator: Any, text: Any) -> None:
    """The smallest config, and one with most keys, references to the environment and `x-` keys."""
    assert [error.message for error in validator.iter_errors(parse_text(text).data)] == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("table: t}", "tabel: t}"),
        ("version: 1", "version: 2"),
        ("user_id: S", "user_id: X"),
        ("queue: q,", "queue: q, item: {a: {}},"),
        ("queue: q,", "queue: q, item: {a: {from: x, value: 1}},"),
        ("queue: q,", "queue: q, item: {a: {ttl: 90x}},"),
        ("r:", "'a b':"),
        ("r:", "'${A}':"),
    ],
)
def test_it_refuses_faults(validator: Any, good: Any, bad: Any) -> None:
    """It refuses a misspelt key, a wrong choice, an attribute without exactly one source, and an invalid name."""
    assert not validator.is_valid(parse_text(SMALLEST.replace(good, bad)).data)


@pytest.mark.parametrize(("more", "valid"), [("include: flows/*.yaml\n", True), ("", False)])
def test_routes_may_be_included(validator: Any, more: Any, valid: Any) -> None:
    """A config requires routes, or included files, which may have them."""
    assert validator.is_valid(parse_text(f"version: 1\n{more}").data) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("routes: {r: {queue: q, table: t}}\n", True),
        ("version: 1\ntables: {t: {key: {id: S}}}\nignore: [{code: RT203, reason: x}]\n", True),
        ("include: more.yaml\n", False),
        ("routes: {}\n", False),
    ],
)
def test_an_included_file(text: Any, valid: Any) -> None:
    """Its schema requires no key, and has no `include`."""
    schema = config_schema(included=True)

    assert (jsonschema_rs.validator_for(schema).is_valid(parse_text(text).data), schema["$id"]) == (
        valid,
        "urn:message-router:included.yaml",
    )


def test_top_level_x_keys_are_allowed(validator: Any) -> None:
    """Editors see them, though the router ignores them."""
    assert validator.is_valid({**parse_text(SMALLEST).data, "x-shared": 1})


def test_a_config_adds_its_tables() -> None:
    """With a config, the schema accepts the names of its tables only."""
    table = spec.TableSettings(key={"id": "S"})
    config = spec.Config(version=1, tables={"one": table, "two": table}, routes={})
    assert config_schema(config)["$defs"]["Route"]["properties"]["table"]["enum"] == ["one", "two"]
