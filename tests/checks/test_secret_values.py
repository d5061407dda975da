"""No finding, in no format, has the value of a variable that is named like a secret: wherever a config refers to it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.support.check import examine
from tests.support.cli import app

HERE = Path(__file__).parent
FOLDERS = sorted(folder.name for folder in HERE.glob("RT*"))
LONG = 6
"""Characters from which a value is found anywhere in a text, also within a word."""
FORMATS = ("text", "json", "sarif", "github")


def scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """The texts of a file, without its keys."""
    match node:
        case yaml.MappingNode():
            for _, value in node.value:
                yield from scalars(value)
        case yaml.SequenceNode():
            for value in node.value:
                yield from scalars(value)
        case yaml.ScalarNode(tag="tag:yaml.org,2002:str"):
            yield node


def with_references(text: str) -> tuple[str, dict[str, str]]:
    """A config in which each text is a variable of that content, and the variables."""
    variables: dict[str, str] = {}
    nodes = [each for each in scalars(yaml.compose(text, yaml.SafeLoader)) if len(each.value) >= LONG]
    for node in sorted(nodes, key=lambda each: each.start_mark.index, reverse=True):
        if "${" in node.value or node.style in ("|", ">"):
            continue
        name = f"V{len(variables)}_PASSWORD"
        variables[name] = node.value
        text = f"{text[: node.start_mark.index]}'${{{name}}}'{text[node.end_mark.index :]}"
    return text, variables


def texts(form: str, output: str) -> Iterator[str]:
    """The texts that a report has; of JSON without the keys."""
    if form in ("text", "github"):
        yield output
        return
    todo: list[Any] = [json.loads(output)]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            todo += value.values()
        elif isinstance(value, list):
            todo += value


@pytest.mark.parametrize("name", FOLDERS)
def test_each_fault_made_of_secrets(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config of each code, with each of its texts in a variable: no finding tells one."""
    monkeypatch.chdir(HERE / name)
    try:
        text, variables = with_references(Path("bad.yaml").read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return
    # Beside the files that it names, in memory.
    file = Path("bad.yaml")

    report = examine(file, variables | {"ROUTER_REDACT_KEY": "k" * 32}, unsaved={file: text.encode()})

    found = "\n".join(f"{each} {each.suggestion}" for each in report.findings)
    assert [value for value in variables.values() if value in found] == []


MARK = "zq7xk29w"
"""A part of each secret: none of its parts may be shown either."""
PLACES = {
    "QUEUE_TOKEN": f"bad name {MARK}!",
    "LETTERS_TOKEN": f"arn:aws:sqs:eu-west-1:123:{MARK}",
    "TABLE_PASSWORD": f"arn:aws:dynamodb:eu-west-1:12:table/{MARK}",
    "KEY_SECRET": f"arn:aws:kms:eu-west-1:1:key/{MARK}",
    "WHEN_PASSWORD": f"name == {MARK} && name[",
    "FOR_EACH_AUTH": f"{MARK}.lines",
    "EXPRESSION_PRIVATE_KEY": f"({MARK}",
    "TEMPLATE_DSN": "{" + MARK,
    "SCHEMA_SECRET": f"schemas/{MARK}.json",
    "PLUGIN_CREDENTIALS": f"plugins/{MARK}.py",
    "INCLUDE_TOKEN": f"flows/{MARK}-*.yaml",
    "OPTION_API_KEY": MARK,
    "TYPE_PASSWORD": MARK,
    "MODE_PASSWORD": MARK,
    "VERSION_PASSWORD": MARK,
    "TIMEOUT_PASSWORD": MARK,
    "MEMORY_PASSWORD": MARK,
    "OWNER_PASSWORD": f"{MARK}-team",
    "TOPIC_PASSWORD": f"not an arn {MARK}",
    "TTL_PASSWORD": MARK,
    "ENVELOPE_PASSWORD": MARK,
    "TRANSFORM_PASSWORD": MARK,
    "META_PASSWORD": MARK,
    "HASH_PASSWORD": f"[{MARK}",
    "FILE_PASSWORD": f"tests/{MARK}.json",
    "ROUTE_TABLE_SECRET": f"{MARK}-table",
    "LONG_PASSWORD": f"{'long ' * 20}{MARK}",
    "QUOTED_PASSWORD": f'it\'s "{MARK}"\n\\',
}
CONFIG = """\
version: 1
include: "${INCLUDE_TOKEN}"
plugins: ["${PLUGIN_CREDENTIALS}"]
owner: "${OWNER_PASSWORD}"
owners: {one: {alarm_topic: "${TOPIC_PASSWORD}"}}
function: {timeout: "${TIMEOUT_PASSWORD}", memory: "${MEMORY_PASSWORD}", environment: {A: "${QUOTED_PASSWORD}"}}
queues:
  one:
    name: "${QUEUE_TOKEN}"
    dead_letter: "${LETTERS_TOKEN}"
    kms_key: "${KEY_SECRET}"
    envelope: ["${ENVELOPE_PASSWORD}"]
  two: {name: "x-${QUEUE_TOKEN}-y", retention: "${LONG_PASSWORD}"}
tables:
  one: {name: "${TABLE_PASSWORD}", key: {id: S}, ttl: "${TTL_PASSWORD}"}
routes:
  a:
    queue: one
    table: "${ROUTE_TABLE_SECRET}"
    when: "${WHEN_PASSWORD}"
    schema: "${SCHEMA_SECRET}"
    options: {devices: "${OPTION_API_KEY}"}
  b:
    queue: "${LONG_PASSWORD}"
    table: one
    for_each: "${FOR_EACH_AUTH}"
    schema:
      type: object
      properties:
        id: {type: "${TYPE_PASSWORD}"}
        x: {$ref: "${SCHEMA_SECRET}"}
        y: {pattern: "(${QUOTED_PASSWORD}"}
    write: {mode: "${MODE_PASSWORD}", version: "${VERSION_PASSWORD}"}
    item:
      id: "${EXPRESSION_PRIVATE_KEY}"
      t: {template: "${TEMPLATE_DSN}"}
      u: {from: "a.${QUOTED_PASSWORD}", transform: "${TRANSFORM_PASSWORD}"}
      v: {meta: "${META_PASSWORD}"}
      w: {hash: ["${HASH_PASSWORD}"]}
      x: {value: 1, type: "${TYPE_PASSWORD}"}
      y: {ttl: "${TIMEOUT_PASSWORD}"}
    tests:
      - {file: "${FILE_PASSWORD}"}
      - {message: {id: 1}, item: {id: "${LONG_PASSWORD}"}}
"""


@pytest.mark.parametrize("form", FORMATS)
def test_no_part_of_a_secret(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config that is wrong wherever it has a text: the report names variables instead of their values."""
    monkeypatch.chdir(tmp_path)
    Path("routes.yaml").write_text(CONFIG)

    done = CliRunner(env=PLACES).invoke(app, ["check", "--format", form, "--show-ignored"])

    assert done.exit_code == 1
    assert [each for each in texts(form, done.stdout) if MARK in each.lower()] == []
    assert MARK not in done.stderr
    assert "${QUEUE_TOKEN}" in done.stdout
