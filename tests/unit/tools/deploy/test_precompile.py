"""A compiled config is the config: the same program in every environment, and the same findings."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.errors import ConfigError, UsageError
from router.tools.deploy.precompile import precompile
from tests.support.config import EXPRESSION_KEYS, spec
from tests.support.dev import META, make_record, read_record
from tests.support.engine import plan
from tests.support.program import Program, load_program, unpack

REPO = Path(__file__).parents[4]
CHECKS = REPO / "tests" / "checks"
CONFIGS = [
    *sorted(CHECKS.glob("RT*/good.yaml")),
    *sorted((CHECKS / "corpus").glob("*.yaml")),
    REPO / "routes.yaml",
    REPO / "tests" / "e2e" / "flows" / "routes.yaml",
]
ANYTHING: tuple[Any, ...] = ({}, [], "text", 1, None, {"id": "a"}, {"id": "", "type": "x"}, {"id": 1, "at": 2})


def compiled_beside(config: Path, env: Mapping[str, str]) -> Path:
    """The compiled file of a config, in the same folder: plugins are beside both."""
    file = config.with_suffix(".compiled.json")
    file.write_bytes(precompile(config, env))
    return file


def spoilt(message: Any) -> Iterator[Any]:
    """The message, and the same without each of its keys, or with something else there."""
    yield message
    for name in message if isinstance(message, dict) else ():
        yield {key: value for key, value in message.items() if key != name}
        yield {**message, name: [None]}


def records(program: Program, queue: str) -> Iterator[Any]:
    """Records for a queue: those of the tests of its routes, whole and spoilt, and some that fit nowhere."""
    settings_ = program.config.queues.get(queue) or spec.Queue()
    for route in program.config.routes.values():
        for each in chain(*(test.received for test in route.tests)) if route.queue == queue else ():
            yield make_record(each, settings_, folder=program.folder)
            if each.message is not None and not isinstance(each.message, type(spec.Test().message)):
                for message in spoilt(each.message):
                    yield make_record(structs.replace(each, message=message), settings_, folder=program.folder)
    for message in ANYTHING:
        yield read_record({"body": json.dumps(message), "attributes": META})


def without_tests(config: spec.Config) -> spec.Config:
    """What a compiled config keeps of a config."""
    routes = {name: structs.replace(route, tests=()) for name, route in config.routes.items()}
    return structs.replace(config, routes=routes, ignore=())


def differences(from_yaml: Program, compiled: Program) -> list[Any]:
    """What the two do not do alike."""
    found: list[Any] = []
    if (from_yaml.queues, from_yaml.routes) != (compiled.queues, compiled.routes):
        found.append((from_yaml.queues, from_yaml.routes, compiled.queues, compiled.routes))
    if without_tests(from_yaml.config) != without_tests(compiled.config):
        found.append((from_yaml.config, compiled.config))
    if list(from_yaml.engine.by_reference) != list(compiled.engine.by_reference):
        found.append((list(from_yaml.engine.by_reference), list(compiled.engine.by_reference)))
    if from_yaml.hash != compiled.hash:
        found.append((from_yaml.hash, compiled.hash))
    for name, queue in from_yaml.engine.queues.items():
        other = compiled.engine.queues[name]
        for record in records(from_yaml, name):
            one, two = plan(queue, record), plan(other, record)
            if (one.outcome, one.writes) != (two.outcome, two.writes):
                found.append((record.body, one.outcome, two.outcome, one.writes, two.writes))
    return found


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """The copy of a config, with all that is in its folder, where files may be written."""
    root = tmp_path_factory.mktemp("configs")

    def copy(config: Path) -> Path:
        target = root / config.parent.relative_to(REPO)
        if config.parent == REPO:
            for name in ("plugins", "schemas"):
                shutil.copytree(REPO / name, root / name, dirs_exist_ok=True)
            shutil.copy(config, root / config.name)
        elif not target.exists():
            shutil.copytree(config.parent, target)
        return target / config.name

    return copy


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.relative_to(REPO).as_posix())
def test_the_same_program(config: Path, copies: Any) -> None:
    """Of each sound config of the tests: the same names, settings, items, outcomes and reasons."""
    env = {"PREFIX": "p-", "STAGE": "live", "ROUTER_REDACT_KEY": "k" * 32}
    file = copies(config)

    compiled = load_program(compiled_beside(file, env), env)

    assert differences(load_program(file, env), compiled) == []


EVERYWHERE = """\
version: 1
x-times: &times {seen_at: {meta: sent_at}}
plugins: ["${PLUGIN:-own}.py"]
queues:
  in: {name: "${QUEUE}", dead_letter: "${DLQ:-dlq}", match: "${MATCH:-first}", retry: {base: "${BASE:-2s}"}}
tables:
  things: {name: "${TABLE:-things}", key: {id: "${KEY:-S}"}, ttl: "${TTL:-}"}
routes:
  first:
    queue: in
    table: things
    when: "stage == '${STAGE:-dev}' && n > `1.5`"
    schema: ${SCHEMA:-schemas/a}.json
    plugins: ["${OWN:-own}"]
    options: {own: {note: "${NOTE:-}"}}
    item:
      <<: *times
      id: id
      label: {template: "{id}#${LABEL:-x}#{${FIELD:-n}}", missing: error}
      value: {value: ["${NOTE:-}", 1.50, 2.]}
      hash: {hash: [id, "${FIELD:-n}", "length(id)"]}
      ends: {ttl: "${AFTER:-90d}"}
      loud: {from: id, transform: [{shout: "!"}, "${TRANSFORM:-strip}"]}
      scaled: {from: n, transform: [{scale: 2.}]}
    write: {mode: "${MODE:-put}"}
    on_invalid: ${INVALID:-drop}
    tests: [{message: {id: "${TESTED:-a}"}}, {body: "{}", outcome: "${OUTCOME:-dropped}"}]
  second:
    queue: in
    table: "${NAMED:-things}"
    schema: {type: object, properties: {id: {type: string, maxLength: 1.e1, pattern: "${PATTERN:-^a}"}}}
    item: {id: {from: "id || '${NOTE:-}'"}, n: {from: n, type: "${TYPE:-N}", default: "${DEFAULT:-1}"}}
ignore: [{code: RT203, reason: "${REASON:-known}"}]
"""
PLUGIN = """\
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", lambda value, mark: value.upper() + mark)

@hookimpl
def router_transform_item(item, message, route):
    return {**item, "note": route.options.get("own", {}).get("note", "")}
"""
VARIABLES = sorted({piece.partition(":")[0].partition("}")[0] for piece in EVERYWHERE.split("${")[1:]})
VALUES = st.sampled_from(
    [
        "", "a", "b", "x", "n", "n.o", "n[0]", "a\n", "90d", "90d\n", "5", "1h", "N", "S", "put", "newest", "first",
        "all", "retry", "schemas/a", "schemas/b", "schemas/gone", "../a", "own", "none", "things", "rejected",
        "dropped", "shout", "strip", "'", "^a", "(", "é#", "${A}", "arn:aws:sqs:eu-west-1:123456789012:in", "in dlq",
    ]
)  # fmt: skip
MESSAGES = [{"stage": "dev", "n": 2, "id": "abc"}, {"stage": "a", "n": 2, "id": "b"}, {"id": "a", "n": "x"}, {"n": 1}]


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A config with variables wherever there can be some, and the compiled one, from where none is set."""
    folder = tmp_path_factory.mktemp("everywhere")
    (folder / "schemas").mkdir()
    (folder / "routes.yaml").write_text(EVERYWHERE)
    (folder / "own.py").write_text(PLUGIN)
    (folder / "schemas" / "a.json").write_text('{"required": ["id"], "properties": {"n": {"multipleOf": 0.5}}}')
    (folder / "schemas" / "b.json").write_text('{"$ref": "a.json"}')
    return folder / "routes.yaml", compiled_beside(folder / "routes.yaml", {})


def output(path: Path, env: Mapping[str, str]) -> tuple[list[str], Program | None]:
    """The findings that stop a config, or its program."""
    try:
        return [], load_program(path, env)
    except ConfigError as error:
        return [str(finding) for finding in error.findings], None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(VARIABLES), VALUES, max_size=4), st.booleans())
def test_any_environment(everywhere: tuple[Path, Path], changed: dict[str, str], complete: bool) -> None:
    """Whatever the variables are: the same findings at the same places, or the same program."""
    env = {"QUEUE": "in", **changed} if complete else changed
    plain, compiled = everywhere

    (found, from_yaml), (found_too, from_compiled) = output(plain, env), output(compiled, env)

    assert found == found_too
    assert from_yaml is None or from_compiled is None or differences(from_yaml, from_compiled) == []


def test_the_bytes_are_the_same(everywhere: tuple[Path, Path], tmp_path: Path) -> None:
    """Elsewhere, later, with variables set: neither folders nor times nor the environment are in a compiled config."""
    plain, compiled = everywhere
    elsewhere = tmp_path / "else" / "where"
    shutil.copytree(plain.parent, elsewhere)

    again = precompile(elsewhere / "routes.yaml", {"QUEUE": "q", "SCHEMA": "schemas/b", "NOTE": "secret"})

    assert again == compiled.read_bytes()


def test_a_config_with_errors(tmp_path: Path) -> None:
    """Is not compiled, and says why."""
    (tmp_path / "routes.yaml").write_text(EVERYWHERE)

    with pytest.raises(ConfigError) as raised:
        precompile(tmp_path / "routes.yaml", {})

    assert {finding.code.id for finding in raised.value.findings} == {"RT005", "RT301", "RT501"}


INCLUDING = """\
version: 1
include: "flows/${TEAM:-*}.yaml"
plugins: [own.py]
queues: {in: {dead_letter: dlq}}
tables: {things: {key: {id: S}}}
"""
FLOW = """\
plugins: ["${PLUGIN:-more}.py"]
queues: {"QUEUE": {dead_letter: "${DLQ:-dlq}"}}
routes:
  ROUTE: {queue: QUEUE, table: things, schema: "${SCHEMA:-of}.json", item: {id: "${ID:-id}"}}
"""


@pytest.fixture
def including(tmp_path: Path) -> Path:
    """A config with two flows, each with a plugin and a schema of its own folder."""
    flows = tmp_path / "flows"
    flows.mkdir()
    (tmp_path / "routes.yaml").write_text(INCLUDING)
    (tmp_path / "own.py").write_text(PLUGIN)
    for name in ("a", "b"):
        (flows / f"{name}.yaml").write_text(FLOW.replace("QUEUE", f"q-{name}").replace("ROUTE", f"r-{name}"))
    (flows / "more.py").write_text("")
    (flows / "of.json").write_text('{"required": ["id"]}')
    (flows / "linked.json").symlink_to("of.json")
    return tmp_path / "routes.yaml"


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"ID": "no path"},
        {"SCHEMA": "linked"},
        {"SCHEMA": "gone"},
        {"PLUGIN": "gone"},
        {"PLUGIN": "../own"},
        {"DLQ": "q-a"},
        {"DLQ": "not a name", "ID": "a b"},
    ],
)
def test_included_files(including: Path, env: dict[str, str]) -> None:
    """Are merged as when they are read, and their faults stand in them."""
    compiled = compiled_beside(including, {})

    (found, from_yaml), (found_too, from_compiled) = output(including, env), output(compiled, env)

    assert found == found_too
    assert from_yaml is None or from_compiled is None or differences(from_yaml, from_compiled) == []


def test_other_files_to_include(including: Path) -> None:
    """A compiled config has the files of the environment that it was compiled in, and says so in another."""
    compiled = compiled_beside(including, {})

    with pytest.raises(UsageError) as raised:
        load_program(compiled, {"TEAM": "a"})

    assert str(raised.value) == (
        f"{compiled} was compiled to include 'flows/*.yaml', and is to include 'flows/a.yaml' in this environment: "
        "compile it in this one, or name the same files in all of them"
    )


def test_a_variable_of_include_that_is_not_set(including: Path) -> None:
    """Is the finding that it is in YAML."""
    including.write_text(INCLUDING.replace("${TEAM:-*}", "${TEAM}") + "routes: {r: {queue: in, table: things}}\n")
    compiled = compiled_beside(including, {"TEAM": "a"})

    assert output(compiled, {}) == output(including, {})


def test_a_schema_that_is_not_in_the_file(everywhere: tuple[Path, Path]) -> None:
    """Because only a variable names it, in a way that no pattern finds: is read from beside the compiled config."""
    plain, compiled = everywhere
    env = {"QUEUE": "in", "SCHEMA": "./schemas/../schemas/b"}

    assert differences(load_program(plain, env), load_program(compiled, env)) == []


def test_nothing_is_read_but_the_file(everywhere: tuple[Path, Path], tmp_path: Path) -> None:
    """And its plugins: alone with them, it gives the same program."""
    plain, compiled = everywhere
    for file in (compiled, plain.parent / "own.py"):
        shutil.copy(file, tmp_path)

    alone = load_program(tmp_path / compiled.name, {"QUEUE": "in", "SCHEMA": "schemas/b"})

    assert differences(load_program(plain, {"QUEUE": "in", "SCHEMA": "schemas/b"}), alone) == []


def test_each_key_with_an_expression_has_its_tree(tmp_path: Path) -> None:
    """A start does not parse it."""
    write = {"mode": "update", "add": ["n"], "once": "keys", "once_key": "to_string(once_key)"}
    of_route = {key: f"not_null({key})" for key in EXPRESSION_KEYS if key not in ("item", "once_key")}
    route = {"queue": "q", "table": "things", "item": {"id": "id", "n": "not_null(item)"}, "write": write, **of_route}
    tables = {name: {"key": {"id": "S"}} for name in ("things", "keys")}
    config = {"version": 1, "queues": {"q": {"dead_letter": "d"}}, "tables": tables, "routes": {"r": route}}
    (tmp_path / "routes.yaml").write_text(json.dumps(config), encoding="utf-8")

    trees = unpack(precompile(tmp_path / "routes.yaml", {}), "it").trees

    assert [key for key in EXPRESSION_KEYS if not any(key in text for text in trees)] == []
