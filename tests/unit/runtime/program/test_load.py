"""From the path of a config to a program."""

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from router.errors import ConfigError, UsageError
from router.model import Record, Route, Table
from router.runtime.program.load import load, load_program, without_garbage_collector
from tests.support.engine import plan
from tests.support.ops import precompile

UNREADABLE = "cannot read the config: no such file or directory; check the path of the config"
CONFIG = """\
version: 1
queues:
  b: {name: "${STAGE:-dev}-b", dead_letter: dlq}
  a: {dead_letter: dlq}
tables:
  things: {name: "${STAGE:-dev}-things", key: {id: S, at: N}}
routes:
  second: {queue: a, table: things, options: {}}
  first: {queue: b, table: things}
  third: {queue: a, table: things}
"""


def test_a_program(load_text: Any) -> None:
    """It knows its queues and routes, in the order of the file."""
    program = load_text(CONFIG).loaded.program

    assert (program.queues, program.routes) == (
        ("b", "a"),
        (Route("second", "a", "things"), Route("first", "b", "things"), Route("third", "a", "things")),
    )


def test_a_queue_that_no_route_reads(load_text: Any) -> None:
    """Is refused with the names of those that there are; any other is returned."""
    program = load_text(CONFIG).loaded.program

    with pytest.raises(UsageError, match=r"^no route reads the queue 'c'; there are b, a$"):
        program.queue("c")

    assert program.queue("a") is program.engine.queues["a"]


def test_the_environment(load_text: Any) -> None:
    """Is put in at load."""
    queue = load_text(CONFIG, {"STAGE": "live"}).loaded.program.engine.queues["b"]

    assert (queue.reference, queue.routes[0].write.table) == (
        "live-b",
        Table("live-things", (("id", "S"), ("at", "N"))),
    )


def test_load_program(tmp_path: Path) -> None:
    """The program of a config without errors, by its path or its name; warnings do not stop it."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace(", dead_letter: dlq", ""))

    programs = [load_program(tmp_path / "routes.yaml", {}), load_program(f"{tmp_path}/routes.yaml", {})]

    assert [program.queues for program in programs] == [("b", "a"), ("b", "a")]


def test_load_program_of_a_faulty_config(tmp_path: Path) -> None:
    """Raises with every finding."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("table: things", "table: thing"))

    with pytest.raises(ConfigError) as raised:
        load_program(tmp_path / "routes.yaml", {})

    assert [(finding.code.id, finding.place.line) for finding in raised.value.findings] == [
        ("RT201", 8),
        ("RT201", 9),
        ("RT201", 10),
    ]


def test_a_config_that_cannot_be_read(tmp_path: Path) -> None:
    """Is a finding, and nothing else is there."""
    loaded = load(tmp_path / "routes.yaml", {})

    assert (
        loaded.program,
        [str(finding) for finding in loaded.findings],
        loaded.config,
        loaded.plugins,
        loaded.schemas,
    ) == (
        None,
        [f"{tmp_path / 'routes.yaml'}: error RT001 {UNREADABLE}"],
        None,
        None,
        None,
    )


def test_a_config_without_shape(load_text: Any) -> None:
    """Has its findings, and is not compiled."""
    made = load_text("version: 1\nroutes: []\n")

    assert (made.loaded.config, [sentence[:5] for sentence in made.sentences]) == (None, ["RT103"])


LEFT_OUT = """\
version: 1
plugins: PLUGINS
queues: {q: {envelope: [theirs], dead_letter: dlq}}
tables: {things: {key: {id: S}}}
routes:
  r: {queue: q, table: things, plugins: OWN, item: {id: {from: id, transform: theirs}}}
"""


@pytest.mark.parametrize(
    ("plugins", "own", "codes"),
    [("[gone.py]", "[gone]", ["RT501"]), ("{}", "[theirs]", ["RT103"]), ("[]", "[]", ["RT205", "RT403"])],
)
def test_what_may_be_of_a_plugin_that_is_left_out(load_text: Any, plugins: str, own: str, codes: list[str]) -> None:
    """Is not called unknown: transforms, envelopes, and plugins where none could be read."""
    loaded = load_text(LEFT_OUT.replace("PLUGINS", plugins).replace("OWN", own)).loaded

    assert [finding.code.id for finding in loaded.findings] == codes


def test_what_placeholders_make_of_a_route(tmp_path: Path) -> None:
    """Where variables are not set, and that is no error, a route may be none: there is no program then."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("options: {}", 'item: {id: "${A} =", at: at}'))

    loaded = load(tmp_path / "routes.yaml", {}, unset="warning")

    assert (loaded.program, [finding.code.id for finding in loaded.findings]) == (None, ["RT005"])


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("ab: {key: {id: S}}", "routes.yaml:3:3: error RT202 'ab' is not a valid table name"),
        ("things: {name: ab, key: {id: S}}", "routes.yaml:3:18: error RT202 'ab' is not a valid table name"),
        (
            "things: {name: 'arn:aws:s3:::x', key: {id: S}}",
            "routes.yaml:3:18: error RT202 'arn:aws:s3:::x' is no ARN of a table",
        ),
    ],
)
def test_names_of_tables(load_text: Any, table: str, found: str) -> None:
    """Follow AWS's rules, found at the name, or at the key that is the name."""
    name = table.partition(":")[0]
    made = load_text(
        f"version: 1\ntables:\n  {table}\nqueues: {{q: {{dead_letter: d}}}}\n"
        f"routes: {{r: {{queue: q, table: {name}}}}}\n"
    )

    assert [line.rpartition(": ")[0] for line in made.found] == [found]


# In a process of its own, where no test runner looks over its shoulder; processor time, since machines are noisy.
LOAD = """
import pathlib, sys, time
from router.runtime.program.load import load
loaded = load(pathlib.Path(sys.argv[1]), {})
print(len(loaded.program.routes), time.process_time() < 3)
"""


@pytest.mark.timing
def test_a_thousand_routes_load_in_three_seconds(tmp_path: Path) -> None:
    """On slow machines too: it takes about one, start-up included."""
    route = (
        "queue: q{0}, table: things, when: \"type == 't{0}' && n > `{0}`\", item: {{id: id, at: n, x: {{hash: [a.b]}}}}"
    )
    routes = "".join(f"  r{index}: {{{route.format(index)}}}\n" for index in range(1000))
    config = tmp_path / "routes.yaml"
    config.write_text(f"version: 1\ntables: {{things: {{key: {{id: S, at: N}}}}}}\nroutes:\n{routes}")

    output = subprocess.run([sys.executable, "-c", LOAD, str(config)], capture_output=True, text=True, check=True)

    assert output.stdout == "1000 True\n"


TEAM = """\
from router import hookimpl


@hookimpl
def router_transform_item(item):
    return {**item, "NAME": True}
"""


@pytest.mark.parametrize("compiled", [False, True], ids=["yaml", "compiled"])
def test_plugins_of_an_included_file(tmp_path: Path, compiled: bool) -> None:
    """They do not change the items of other files' routes, neither of the root file's."""
    (tmp_path / "routes.yaml").write_text(
        "version: 1\ninclude: '*/routes.yaml'\nplugins: [common.py]\ntables: {things: {key: {id: S}}}\n"
        "queues: {q: {dead_letter: dlq}}\nroutes: {root: {queue: q, table: things}}\n"
    )
    (tmp_path / "common.py").write_text(TEAM.replace("NAME", "common"))
    for team in ("one", "two"):
        (tmp_path / team).mkdir()
        (tmp_path / team / f"{team}.py").write_text(TEAM.replace("NAME", team))
        (tmp_path / team / "routes.yaml").write_text(
            f"plugins: [{team}.py]\nroutes: {{{team}: {{queue: q, table: things}}}}\n"
        )
    path = tmp_path / "routes.yaml"
    if compiled:
        path = tmp_path / "routes.compiled.json"
        path.write_bytes(precompile(tmp_path / "routes.yaml", {}))
    program = load_program(path, {})

    ticket = plan(program.engine.queues["q"], Record("m", "r", '{"id": "a"}', {}))

    assert {write.route: set(write.item) - {"id"} for write in ticket.writes} == {
        "root": {"common"},
        "one": {"common", "one"},
        "two": {"common", "two"},
    }


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: Any) -> None:
    """It is disabled inside, and enabled again only if it was enabled before."""
    (gc.enable if enabled else gc.disable)()
    try:
        with without_garbage_collector():
            inside = gc.isenabled()
        after = gc.isenabled()
    finally:
        gc.enable()

    assert (inside, after) == (False, enabled)


def test_an_unsaved_schema(tmp_path: Path) -> None:
    """A schema is read as an editor has it."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("table: things}", "table: things, schema: s.json}", 1))
    (tmp_path / "s.json").write_text("{}")

    loaded = load(tmp_path / "routes.yaml", {}, unsaved={tmp_path / "s.json": b'{"type": 1}'})

    assert [finding.sentence for finding in loaded.findings] == [
        "schema 's.json' is not a valid schema: /type fails 'anyOf' of its meta-schema"
    ]


def test_unsaved_files(tmp_path: Path) -> None:
    """The config and what it includes are read as an editor has them; other files are read from the disk."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "more.yaml").write_text("routes: {}")
    path = tmp_path / "routes.yaml"
    unsaved = {
        path: f"{CONFIG}include: '*.yaml'\n".encode(),
        tmp_path / "more.yaml": b"routes:\n  fourth: {queue: b, table: thing}\n",
        tmp_path / "other.yaml": b"routes: {fifth: {queue: b, table: things}}",
    }

    loaded = load(path, {}, unsaved=unsaved)

    assert [str(finding) for finding in loaded.findings] == [
        f"{tmp_path}/more.yaml:2:29: error RT201 unknown table 'thing'; did you mean 'things'?"
    ]


def test_what_validates_the_messages_of_a_route(load_text: Any) -> None:
    """Nothing without a schema, or if the config could not be read."""
    config = """
version: 1
queues: {q: {dead_letter: letters}}
tables: {things: {key: {id: S}}}
routes:
  plain: {queue: q, table: things, item: {id: id}}
  checked: {queue: q, table: things, schema: {type: object}, item: {id: id}}
"""
    loaded, unread = load_text(config).loaded, load_text("[").loaded

    assert [each.validation(route) is None for each in (loaded, unread) for route in ("plain", "checked")] == [
        True,
        False,
        True,
        True,
    ]
