"""Numbers, and true or false, from variables: in a config in YAML and in the compiled one."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from router.errors import ConfigError
from router.runtime.program.load import load_program
from tests.support.config import config_schema, parse_text
from tests.support.ops import precompile

CONFIG = """\
version: 1
include: more.yaml
queues:
  q:
    dead_letter: dlq
    managed: ${MANAGED:-true}
    lambda: {batch_size: "${BATCH:-50}"}
tables: {things: {key: {id: S}}}
worker: {cpu: "${CPU:-256}", memory: 512}
routes:
  r:
    queue: q
    table: things
    item: {id: id, limit: {value: "${BATCH:-50}"}}
"""
MORE = """\
queues: {other: {dead_letter: dlq, atomic: "${ATOMIC:-FALSE}"}}
routes: {s: {queue: other, table: things, item: {id: id}}}
"""


@pytest.fixture(params=["yaml", "compiled"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The config, in YAML or compiled."""
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG)
    (tmp_path / "more.yaml").write_text(MORE)
    if request.param == "yaml":
        return path
    compiled = tmp_path / "routes.compiled.json"
    compiled.write_bytes(precompile(path, {}))
    return compiled


def typed(config: Path, env: dict[str, str]) -> tuple[Any, ...]:
    """The values of the variables in the config."""
    read = load_program(config, env).config
    item = read.routes["r"].item
    assert isinstance(item, dict)
    limit: Any = item["limit"]
    queue = read.queues["q"]
    return queue.lambda_.batch_size, queue.managed, read.worker.cpu, read.queues["other"].atomic, limit.value


@pytest.mark.parametrize(
    ("env", "values"),
    [
        ({}, (50, True, 256, False, "50")),
        ({"BATCH": "5", "MANAGED": "false", "CPU": "512", "ATOMIC": "true"}, (5, False, 512, True, "5")),
    ],
)
def test_values(config: Path, env: dict[str, str], values: tuple[Any, ...]) -> None:
    """A whole number, or true or false, where the config takes that; text elsewhere."""
    assert typed(config, env) == values


@pytest.mark.parametrize(
    ("env", "finding"),
    [
        ({"BATCH": "many"}, "RT005 the variables in 'batch_size' do not make a whole number; set them so that it is a"),
        ({"BATCH": "5.0"}, "RT005 the variables in 'batch_size' do not make a whole number; set them so that it is a"),
        ({"MANAGED": "yes"}, "RT005 the variables in 'managed' do not make true or false; set them so that it is true"),
        ({"BATCH": "0"}, "RT105 'batch_size' of 'lambda' of queue 'q' must be a whole number from 1 to 10000, not 0"),
        ({"CPU": "100"}, "RT104 "),
    ],
)
def test_faults(config: Path, env: dict[str, str], finding: str) -> None:
    """A value that is none is one finding, at its place, and is not shown."""
    with pytest.raises(ConfigError) as raised:
        load_program(config, env)

    (found,) = raised.value.findings
    assert (finding in str(found), "many" in str(found)) == (True, False), str(found)


@pytest.mark.parametrize("env", [{"MANAGED": "x", "BATCH": "y", "CPU": "z"}, {"MANAGED": "x", "CPU": "100"}])
def test_places_of_faults(tmp_path: Path, env: dict[str, str]) -> None:
    """A compiled config has them where the YAML has them, also those after a value that is none."""
    path, compiled = tmp_path / "routes.yaml", tmp_path / "routes.compiled.json"
    path.write_text(CONFIG.replace("include: more.yaml\n", ""))
    compiled.write_bytes(precompile(path, {}))
    places = []
    for config in (path, compiled):
        with pytest.raises(ConfigError) as raised:
            load_program(config, env)
        places.append([(each.place.line, each.place.column) for each in raised.value.findings])

    assert places[0] == places[1]
    assert len(places[0]) == len(env)


def test_not_set(tmp_path: Path) -> None:
    """A variable without a value is that finding, and no other."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace(":-50", "").replace("include: more.yaml\n", ""))

    with pytest.raises(ConfigError) as raised:
        load_program(tmp_path / "routes.yaml", {})

    assert {str(each).split(": ", 1)[1] for each in raised.value.findings} == {
        "error RT005 environment variable 'BATCH' is not set; set it, or give it a default: ${BATCH:-…}"
    }


def test_quoted_numbers(tmp_path: Path) -> None:
    """Text without a variable is not converted."""
    (tmp_path / "routes.yaml").write_text(
        CONFIG.replace('"${BATCH:-50}"}\n', '"50"}\n').replace("include: more.yaml\n", "")
    )

    with pytest.raises(ConfigError, match="RT103"):
        load_program(tmp_path / "routes.yaml", {})


def test_editors() -> None:
    """The published schema accepts them."""
    validator = jsonschema_rs.validator_for(config_schema())

    assert [str(each) for each in validator.iter_errors(parse_text(CONFIG).data)] == []
