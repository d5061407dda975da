"""The file of a compiled config: exact, whole, and of this version."""

import subprocess
import sys
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from router import __version__
from router.errors import ConfigError, UsageError
from router.runtime.program.load import load, load_program
from router.runtime.program.precompiled import NO_BUNDLE, File, Files, is_precompiled, locate_by, unpack
from tests.support.config import parse_text
from tests.support.ops import list_places, precompile, write

CONFIG = """\
version: 1
queues: {q: {dead_letter: dlq}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: things}}
"""
AGAIN = "compile the config again, with router compile"


def written(data: Any) -> bytes:
    """The bytes of a compiled config with some data."""
    file = File("routes.yaml", "", (("a", 0),), data)
    return write(Files((), (file,)), NO_BUNDLE, {"a[0]": {"type": "x", "children": []}}, [[1, 2, 3]])


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """The compiled file of a small config."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    file = tmp_path / "routes.compiled.json"
    file.write_bytes(precompile(tmp_path / "routes.yaml", {}))
    return file


def test_the_version() -> None:
    """Is that of the distribution."""
    assert version("message-router") == __version__


def test_data_comes_back_as_it_was() -> None:
    """Numbers too, with their digits and types."""
    data = {
        "whole": [0, -1, 2**70],
        "decimal": [Decimal("1.10"), Decimal("2"), Decimal("-0"), Decimal("1E+5"), Decimal("1E-7"), Decimal("0.0")],
        "other": [None, True, False, "", "é\n", {"b": {}, "a": []}],
    }

    opened = unpack(written(data), "x")

    assert (repr(opened.files.files[0].data), opened.trees, opened.places()) == (
        repr(data),
        {"a[0]": {"type": "x", "children": []}},
        [[1, 2, 3]],
    )


def test_text_that_no_file_can_hold() -> None:
    """Half of a surrogate pair is none of UTF-8's characters."""
    with pytest.raises(UsageError, match="half of a surrogate pair"):
        written({"a": "\ud800"})


@pytest.mark.parametrize(
    ("old", "new", "output"),
    [
        (
            '"router":"0.1.0"',
            '"router":"0.0.9"',
            f"was compiled by router 0.0.9, and this is router {__version__}: {AGAIN}",
        ),
        (
            '_config":1,',
            '_config":2,',
            f"was compiled by another version of the router, and this is router {__version__}: {AGAIN}",
        ),
        (
            '"router":"0.1.0",',
            "",
            f"was compiled by another version of the router, and this is router {__version__}: {AGAIN}",
        ),
        ("things", "thongs", f"is damaged: {AGAIN}"),
    ],
)
def test_a_file_that_is_not_ours(compiled: Path, old: str, new: str, output: str) -> None:
    """Is refused with what to do, whatever may have become of what it holds."""
    compiled.write_text(compiled.read_text().replace(old, new))

    with pytest.raises(UsageError) as raised:
        load_program(compiled, {})

    assert str(raised.value) == f"{compiled} {output}"


def test_a_file_of_another_version_to_look_at(compiled: Path) -> None:
    """Is read where it is not to run, without its trees: they are made from the texts."""
    content = compiled.read_bytes().replace(b'"router":"0.1.0"', b'"router":"0.0.9"')

    opened = unpack(content, "x", any_version=True)

    assert (opened.files.files[0].name, opened.trees) == ("routes.yaml", {})


def test_telling_the_two_apart(compiled: Path, tmp_path: Path) -> None:
    """By how a file begins; what cannot be read is neither."""
    reported = [is_precompiled(path) for path in (compiled, tmp_path / "routes.yaml", tmp_path / "gone", tmp_path)]

    assert reported == [True, False, False, False]


def test_what_reads_yaml(compiled: Path) -> None:
    """Says so of a compiled config: it has not all of what it was made from."""
    with pytest.raises(UsageError) as raised:
        load(compiled, {})

    assert str(raised.value) == f"{compiled} is a compiled config: name the YAML file that it was made from"


def test_a_config_that_is_gone(tmp_path: Path) -> None:
    """Is the finding of one in YAML."""
    with pytest.raises(ConfigError) as raised:
        load_program(tmp_path / "gone", {})

    assert [finding.code.id for finding in raised.value.findings] == ["RT001"]


# In a process of its own: what a test runner has imported does not count.
START = """
import pathlib, sys
from router.runtime.program.load import load_program
program = load_program(pathlib.Path(sys.argv[1]), {})
names = ("yaml", "jmespath", "pluggy", "difflib", "jsonschema_rs", "router.runtime.config.parse")
print(len(program.routes), *(name for name in names if name in sys.modules))
"""
ROUTES = {
    "plain paths": ("item: {id: id, b: a.b}", "", ""),
    "an expression": ("when: \"length(id) > `1`\", item: {id: 'a[0] || b', t: {template: '{a[1]}#{b.c}'}}", "", ""),
    "a schema": ("schema: s.yaml, item: {id: id}", "", " jsonschema_rs"),
    "a plugin": ("item: {id: id}", "plugins: [own.py]\n", " pluggy"),
    "variables that the config takes": ("on_invalid: '${O:-retry}', item: {a: {ttl: '${A:-90d}'}, id: id}", "", ""),
    "a variable in other letters": (
        "item: {id: id, a: {meta: '${A:-attribute.é}'}}",
        "",
        " jsonschema_rs router.runtime.config.parse",
    ),
    "an expression that a variable changes": ("item: {id: 'a[${N:-0}]'}", "", " jmespath"),
}


@pytest.mark.parametrize("name", ROUTES)
def test_what_a_start_imports(tmp_path: Path, name: str) -> None:
    """Neither YAML, nor a parser of expressions, nor what only findings need; the rest if it is used."""
    route, plugins, imported = ROUTES[name]
    config = tmp_path / "routes.yaml"
    config.write_text(CONFIG.replace("table: things}", f"table: things, {route}}}") + plugins)
    (tmp_path / "s.yaml").write_text("required: [id]\n")
    (tmp_path / "own.py").write_text("")
    file = tmp_path / "routes.compiled.json"
    file.write_bytes(precompile(config, {}))

    output = subprocess.run([sys.executable, "-c", START, str(file)], capture_output=True, text=True, check=True)

    assert output.stdout == f"1{imported}\n"


TEXT = """\
version: 1
anchors: &all {a: 1, "b c": [1, {d: null}, []]}
nothing:
merged:
  <<: *all
  a: [x,
    y]
again: *all
x-left-out: 1
"""
PATHS = [
    (),
    ("version",),
    ("anchors", "b c", 1, "d"),
    ("anchors", "b c", 2),
    ("nothing",),
    ("merged", "a", 1),
    ("merged", "b c", 0),
    ("again", "a"),
    ("again", "b c", 9),
    ("gone", "below"),
    ("version", "below"),
    ("anchors", "b c", "name"),
    ("anchors", 0),
]


def test_each_path() -> None:
    """Values and keys are found through anchors and merges; a path that does not exist has its parent's place."""
    source = parse_text(TEXT, label="routes.yaml")
    locate = locate_by("routes.yaml", source.data, list_places(source.data, source.findings.locate))

    found = {path: (locate(path, False), locate(path, True)) for path in PATHS}

    assert found == {path: (source.findings.locate(path, False), source.findings.locate(path, True)) for path in PATHS}
