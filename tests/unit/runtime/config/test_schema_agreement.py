"""The published schema and the parser agree on which configs have the right shape."""

import copy
from decimal import Decimal
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import Place
from router.runtime.config import spec
from router.runtime.config.findings import Findings
from router.runtime.config.parse import parse_part
from router.runtime.config.source import parse_text
from tests.support.config import config_schema

SOUND = """\
version: 1
plugins: [plugins/devices.py]
include: [flows/*.yaml]
ignore: [{code: RT203, reason: known, at: queues.q}]
function: {memory: 256, timeout: 30s, environment: {A: b}}
worker: {cpu: 1024, memory: 2048, architecture: arm64, max_tasks: 4}
queues:
  q:
    envelope: [sns, s3_pointer]
    s3_pointer: {buckets: [payloads], max_bytes: 1000}
    encoding: json
    dead_letter: d
    match: first
    retry: {base: 2s, factor: 3, lambda: true}
    atomic: false
    lambda: {batch_size: 10, window: 5s}
    max_receive_count: 7
tables:
  t: {name: t, key: {user_id: S, at: N}, ttl: expires_at}
routes:
  r:
    queue: q
    table: t
    when: type == 'device'
    schema: {type: object}
    plugins: [devices]
    options: {devices: {unknown: other}}
    for_each: lines
    item:
      user_id: user_id
      at: {meta: sent_at}
      device: {from: device.model, transform: [strip, {truncate: 80}], type: S, missing: omit}
      location: {from: location, default: unknown}
      source: {value: [1, 2.5]}
      label: {template: "USER#{user_id}"}
      event_id: {hash: [user_id, device]}
      expires_at: {ttl: 90d}
      removed_at: {ttl: {from: at, after: 1w}}
    write: {mode: update, version: at, add: [n]}
    on_invalid: drop
    tests:
      - {name: first, message: {type: device}, item_contains: {user_id: a}, attributes: {b: c}}
      - {body: x, outcome: rejected, code: RT801}
  s: {queue: q, table: t}
"""
CONFIG = parse_text(SOUND, {}).data
SCHEMA = config_schema()
PUBLISHED = jsonschema_rs.validator_for(SCHEMA)
KEYS = sorted(
    {name for node in [SCHEMA, *SCHEMA["$defs"].values()] for name in node["properties"]} | {"a b", "x y", ""}
)
VALUES: list[Any] = [
    "", "x", "a b", "90d", "put", "first", "S", "queue", "attribute.x", "line\n", "90d\n",
    None, 0, 1, -5, 256, 10**30, Decimal("1.0"), Decimal("256.0"), True, False, Decimal("1.5"),
    [], ["x"], [1], [{}], {}, {"a": "S"}, {"from": "x"}, {"from": "x", "meta": "queue"}, {"a": {"b": 1}},
]  # fmt: skip


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of everything inside a value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, child in entries for found in ((*path, step), *places(child, (*path, step)))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A sound config in which keys or values were dropped, renamed, replaced or added, at any depth."""
    data = copy.deepcopy(CONFIG)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(places(data)))
        holder: Any = data
        for step in parents:
            holder = holder[step]
        match draw(st.sampled_from(["drop", "rename", "replace", "add"])):
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from(KEYS))] = holder.pop(last)
            case "replace":
                holder[last] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            case _:
                del holder[last]
        if not places(data):
            break
    return data


def shape_findings(data: Any, cls: Any = spec.Config) -> list[str]:
    """Return the findings of the parser, which converts what remains."""
    findings = Findings(lambda path, key: Place("/".join(map(str, path))))
    parse_part(cls, data, findings)
    return [str(finding) for finding in findings]


def test_the_config_is_sound() -> None:
    """The mutations begin with a config that both accept."""
    assert (shape_findings(CONFIG), PUBLISHED.is_valid(CONFIG)) == ([], True)


@settings(deadline=None, max_examples=400)
@given(mutated())
def test_the_published_schema_accepts_what_has_no_finding(data: Any) -> None:
    """And only that: what an editor underlines, `router check` reports, and the other way round."""
    assert PUBLISHED.is_valid(data) is (shape_findings(data) == [])


@settings(deadline=None, max_examples=100)
@given(mutated())
def test_the_schema_of_included_files_agrees_too(data: Any) -> None:
    """It has neither a function, a worker, nor files to include."""
    for name in ("include", "function", "worker"):
        data.pop(name, None)

    valid = jsonschema_rs.validator_for(config_schema(included=True)).is_valid(data)

    assert valid is (shape_findings(data, spec.Included) == [])
