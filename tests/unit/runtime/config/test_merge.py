"""Configs that include other files."""

# ruff: noqa: E501, ISC004  (lines as they are printed are long)

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from router.runtime.config import spec
from router.runtime.config.merge import Reading
from router.runtime.config.source import read_config

ROOT = """\
version: 1
include: flows/*.yaml
tables: {things: {key: {id: S}}}
routes:
  first: {queue: first, table: things}
"""
FLOW = """\
queues: {second: {dead_letter: dlq}}
routes:
  second: {queue: second, table: things}
"""
Read = Callable[..., Reading]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read files, given by name; the first is the config."""
    monkeypatch.chdir(tmp_path)

    def run(root: str = ROOT, **flows: str) -> Reading:
        Path("routes.yaml").write_text(root, encoding="utf-8")
        for name, text in flows.items():
            file = Path("flows") / f"{name}.yaml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return read_config(Path("routes.yaml"), {"TEAM": "b"})

    return run


def lines(reading: Reading) -> list[str]:
    return [str(finding) for finding in reading.findings]


def test_without_include(read: Read) -> None:
    """A config without includes is one file."""
    reading = read(ROOT.replace("include: flows/*.yaml\n", ""))

    assert (lines(reading), reading.config and list(reading.config.routes), reading.complete) == ([], ["first"], True)


def test_files_make_one_config(read: Read) -> None:
    """The file's own routes come first, then those of the included files, in the order of their names."""
    reading = read(b=FLOW, a=FLOW.replace("second", "third").replace("queues: {third: {dead_letter: dlq}}\n", ""))

    assert (lines(reading), reading.config) == (
        [],
        spec.Config(
            version=1,
            include=("flows/*.yaml",),
            queues={"second": spec.Queue(dead_letter="dlq")},
            tables={"things": spec.TableSettings(key={"id": "S"})},
            routes={name: spec.RouteSettings(queue=name, table="things") for name in ("first", "third", "second")},
        ),
    )


def test_all_routes_may_be_included(read: Read) -> None:
    """The config itself needs no routes if it includes files with some."""
    reading = read("version: 1\ninclude: [flows/*.yaml]\ntables: {things: {key: {id: S}}}\n", a=FLOW)

    assert (lines(reading), reading.config and list(reading.config.routes)) == ([], ["second"])


@pytest.mark.parametrize(
    ("include", "names"),
    [
        ("flows/b.yaml", ["b"]),
        ("[flows/b.yaml, flows/*.yaml]", ["b", "a"]),
        ("'**/*.yaml'", ["a", "b"]),
        ("'flows/${TEAM}.yaml'", ["b"]),
        ("./flows/../flows/[b].yaml", ["b"]),
        ("[flows, flows/b.*, '*.yaml', flows/b.yaml]", ["b"]),
    ],
)
def test_what_patterns_find(read: Read, include: str, names: list[str]) -> None:
    """Each file once, never the config itself, a folder, or a hidden file."""
    flows = {name: FLOW.replace("second", name) for name in ("a", "b", ".hidden")}

    reading = read(ROOT.replace("flows/*.yaml", include), **flows)

    assert reading.config is not None
    assert list(reading.config.routes) == ["first", *names]


@pytest.mark.parametrize(
    ("include", "finding"),
    [
        ("flow/*.yaml", "2:10: error RT107 include 'flow/*.yaml' finds no files; it is relative to the folder of this file"),
        ("[flows/a.yaml, b]", "2:25: error RT107 include 'b' finds no files; it is relative to the folder of this file"),
        ("routes.yaml", "2:10: error RT107 include 'routes.yaml' finds no files; it is relative to the folder of this file"),
        (f"{'a' * 300}.yaml", f"2:10: error RT107 include '{'a' * 57}…' finds no files; it is relative to the folder of this file"),
        ('"\\0/*"', "2:10: error RT107 include '\\x00/*' finds no files; it is relative to the folder of this file"),
        ("../*.yaml", "2:10: error RT107 include '../*.yaml' leads out of the folder of the config; name files in that "
                      "folder, relative to it"),
        ("flows/out.yaml", "2:10: error RT107 include 'flows/out.yaml' leads out of the folder of the config, by the link "
                           "'flows/out.yaml'; narrow the pattern to the folders that have the files"),
        ("/etc/passwd", "2:10: error RT107 include '/etc/passwd' leads out of the folder of the config; name files in that "
                        "folder, relative to it"),
    ],
)  # fmt: skip
def test_an_include_that_finds_nothing(read: Read, tmp_path: Path, include: str, finding: str) -> None:
    """The finding has the place of the pattern; files outside of the folder are not read."""
    outside = tmp_path.parent / f"{tmp_path.name}.yaml"
    outside.write_text(FLOW)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "out.yaml").symlink_to(outside)

    reading = read(ROOT.replace("flows/*.yaml", include), a=FLOW)

    assert lines(reading) == [f"routes.yaml:{finding}"]


def test_a_pattern_of_the_environment_that_is_not_set(read: Read) -> None:
    """There is one finding, and none that the pattern matches no files."""
    reading = read(ROOT.replace("flows/*.yaml", "flows/${NONE}.yaml"))

    assert [finding.code.id for finding in reading.findings] == ["RT005"]


def test_faults_stand_in_their_files(read: Read) -> None:
    """Faults of reading and of shape are findings, in the order of the files' names."""
    reading = read(
        ROOT.replace("version: 1", "version: 2"),
        a="queues: []\ninclude: x\nversion: 2\nplugins: [{}]\n",
        b=FLOW.replace("queue:", "queu:") + "queues: {}\n",
    )

    assert lines(reading) == [
        "flows/a.yaml:1:9: error RT103 'queues' must be a map, not a list",
        "flows/a.yaml:2:1: error RT101 unknown key 'include' in the config; it takes version, plugins, queues, tables, routes, "
        "ignore, owner, tags",
        "flows/a.yaml:3:10: error RT104 'version' must be 1, not 2",
        "flows/a.yaml:4:11: error RT103 entry 1 of 'plugins' must be text, not a map",
        "flows/b.yaml:3:12: error RT101 unknown key 'queu' in route 'second'; did you mean 'queue'?",
        "flows/b.yaml:4:1: error RT004 duplicate key 'queues'; the first is on line 1; keep one of the two",
        "routes.yaml:1:10: error RT104 'version' must be 1, not 2",
    ]


def test_a_file_that_cannot_be_read(read: Read) -> None:
    """The file is a finding, and routes to tables that it may define are left out without findings."""
    reading = read(a="tables: [", b=FLOW.replace("things", "others"))

    assert (
        [(finding.place.file, finding.code.id) for finding in reading.findings],
        reading.config and list(reading.config.routes),
        reading.complete,
    ) == ([("flows/a.yaml", "RT002")], ["first"], False)


def test_a_config_that_cannot_be_read(read: Read) -> None:
    """A faulty `include` includes no files."""
    reading = read("", a=FLOW)

    assert (lines(reading), reading.config, reading.complete) == (
        ["routes.yaml: error RT003 the config is empty; it needs the keys version, tables and routes"],
        None,
        False,
    )


def test_no_routes_anywhere(read: Read) -> None:
    """The finding has the place of `include`."""
    reading = read("version: 1\ninclude: flows/a.yaml\n", a="tables: {things: {key: {id: S}}}\n")

    assert lines(reading) == [
        "routes.yaml:2:10: error RT102 there are no routes, neither in the config nor in what it includes; add 'routes: …'"
    ]


def test_places(read: Read) -> None:
    """Findings of later steps have places in the right file."""
    reading = read(
        ROOT + "plugins: [a.py]\nignore: [{code: RT1, reason: x}]\n",
        a=FLOW + "plugins:\n- b.py\nignore:\n- {code: RT2, reason: y}\n",
    )

    paths = [("routes", "first", "table"), ("routes", "second", "table"), ("queues", "second"), ("plugins", 0)]
    assert [
        str(reading.findings.locate(path)) for path in [*paths, ("plugins", 1), ("ignore", 1), ("version",), ()]
    ] == [
        "routes.yaml:5:32",
        "flows/a.yaml:3:34",
        "flows/a.yaml:1:18",
        "routes.yaml:6:11",
        "flows/a.yaml:5:3",
        "flows/a.yaml:7:3",
        "routes.yaml:1:10",
        "routes.yaml:1:1",
    ]


def test_names_of_files_are_relative_to_their_file(read: Read) -> None:
    """Relative names are those of schemas, plugins and messages of tests, and not to modules or inline schemas."""
    reading = read(
        ROOT + "plugins: [plugins/own.py]\n",
        a="plugins: [../plugins/own.py, other.py, module]\n"
        "routes:\n"
        "  one: {queue: q, table: things, schema: a.json, tests: [{file: m.json, outcome: dropped}, {message: 1}, "
        "{messages: [{file: n.json}, {body: x}]}]}\n"
        "  two: {queue: q, table: things, schema: true}\n"
        "  three: {queue: q, table: things, schema: ../b.json}\n",
    )

    assert reading.config is not None
    routes = list(reading.config.routes.values())[1:]
    assert (
        reading.config.plugins,
        [route.schema for route in routes],
        [test.file for test in routes[0].tests][:1],
        [message.file for message in routes[0].tests[2].messages][:1],
    ) == (
        ("plugins/own.py", "flows/other.py", "module"),
        ["flows/a.json", True, "b.json"],
        ["flows/m.json"],
        ["flows/n.json"],
    )


def test_a_file_beside_the_config(read: Read) -> None:
    """File names of an included file in the same folder do not change."""
    Path("more.yaml").write_text(FLOW.replace("things}", "things, schema: a.json}"))

    reading = read(ROOT.replace("flows/*.yaml", "more.yaml"))

    assert reading.config is not None
    assert reading.config.routes["second"].schema == "a.json"


def test_a_name_defined_twice(read: Read) -> None:
    """The finding shows both places; of two tables that differ, neither is used."""
    reading = read(
        ROOT + "queues: {q: {dead_letter: dlq}}\n",
        a="tables: {things: {key: {id: N}}}\nroutes: {first: {queue: q, table: things}}\n",
        b="queues: {q: {dead_letter: dlq}}\ntables: {things: {key: {id: S}}}\n",
    )

    again = "is defined twice; the first is at routes.yaml"
    assert (lines(reading), reading.config and (list(reading.config.queues), list(reading.config.routes))) == (
        [
            f"flows/a.yaml:1:10: error RT108 table 'things' {again}:3:10; rename one, or take it out",
            f"flows/a.yaml:2:10: error RT108 route 'first' {again}:5:3; rename one, or take it out",
            f"flows/b.yaml:1:10: error RT108 queue 'q' {again}:6:10; rename one, or take it out",
            f"flows/b.yaml:2:10: error RT108 table 'things' {again}:3:10; rename one, or take it out",
        ],
        (["q"], []),
    )


def test_a_name_defined_twice_once_with_a_fault(read: Read) -> None:
    """An entry with a fault is still a definition."""
    reading = read(a="tables: {more: {key: 5}, things: {key: 5}}\n", b="tables: {more: {key: {id: S}}}\n")

    assert lines(reading) == [
        "flows/a.yaml:1:22: error RT103 'key' of table 'more' must be a map, not a whole number",
        "flows/a.yaml:1:40: error RT103 'key' of table 'things' must be a map, not a whole number",
        "flows/b.yaml:1:10: error RT108 table 'more' is defined twice; the first is at flows/a.yaml:1:10; rename one, or take "
        "it out",
    ]


def plugins_of(reading: Reading) -> dict[str, object]:
    assert reading.config is not None
    return {name: route.plugins for name, route in reading.config.routes.items()}


def test_plugins_run_for_the_routes_of_their_file(read: Read) -> None:
    """Those of the root file run for all routes, those of an included file after them, and only for its routes."""
    reading = read(
        ROOT + "plugins: [plugins/all.py]\n",
        a="plugins: [a.py, ../plugins/all.py, acme.routes]\nroutes: {a: {queue: a, table: things}}\n",
        b="plugins: [a.py]\nroutes: {b: {queue: b, table: things}, none: {queue: b, table: things, plugins: []}}\n",
        c="routes: {c: {queue: c, table: things}, other: {queue: c, table: things, plugins: [acme.routes]}}\n",
    )

    assert reading.config is not None
    assert (lines(reading), reading.config.plugins, plugins_of(reading)) == (
        [],
        ("plugins/all.py", "flows/a.py", "acme.routes"),
        {
            "first": ("all",),
            "a": ("all", "a", "acme.routes"),
            "b": ("all", "a"),
            "none": (),
            "c": ("all",),
            "other": ("acme.routes",),
        },
    )


def test_without_plugins_in_included_files(read: Read) -> None:
    """All plugins are those of the root file, so that routes that name none run all."""
    reading = read(ROOT + "plugins: [plugins/all.py]\n", a=FLOW)

    assert plugins_of(reading) == {"first": None, "second": None}


@pytest.mark.parametrize(
    ("include", "finding"),
    [
        ("'**/*.yaml'", "RT107 include '**/*.yaml' leads out of the folder of the config, by the link 'flows/all'; "
                        "narrow the pattern to the folders that have the files"),
        ("'**'", "RT107 include '**' leads out of the folder of the config, by the link 'flows/all'; "
                 "narrow the pattern to the folders that have the files"),
        ("flows/all/etc/*", "RT107 include 'flows/all/etc/*' leads out of the folder of the config, by the link "
                            "'flows/all'; narrow the pattern to the folders that have the files"),
        ("'flows/*/*'", "RT107 include 'flows/*/*' leads out of the folder of the config, by the link 'flows/all'; "
                        "narrow the pattern to the folders that have the files"),
        ("/**/*.yaml", "RT107 include '/**/*.yaml' leads out of the folder of the config; name files in that folder, relative "
                       "to it"),
        ("'../**'", "RT107 include '../**' leads out of the folder of the config; name files in that folder, relative to it"),
    ],
)  # fmt: skip
@pytest.mark.timeout(60)
def test_links_to_folders_outside(read: Read, include: str, finding: str) -> None:
    """They are not followed, since a link can lead to endless files; the finding names the link."""
    Path("flows").mkdir()
    Path("flows/all").symlink_to("/")

    reading = read(ROOT.replace("flows/*.yaml", include), a=FLOW)

    assert lines(reading) == [f"routes.yaml:2:10: error {finding}"]


@pytest.mark.timeout(60)
def test_links_inside(read: Read) -> None:
    """Links in circles end, and a file that has two names is included once."""
    Path("flows/deep").mkdir(parents=True)
    Path("flows/deep/up").symlink_to("..")
    Path("flows/deep/self").symlink_to("self")
    Path("linked").symlink_to("flows")
    os.mkfifo("flows/pipe.yaml")

    reading = read(ROOT.replace("flows/*.yaml", "'**/*.yaml'"), a=FLOW)

    assert (lines(reading), reading.config and list(reading.config.routes)) == ([], ["first", "second"])


def test_a_walk_is_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that looks at too many files is a finding, before it takes minutes."""
    monkeypatch.setattr("router.runtime.config.include.MAX_ENTRIES", 20)
    for index in range(21):
        Path(f"file-{index}").touch()

    reading = read(ROOT.replace("flows/*.yaml", "['**/*.yaml', 'flows/*.yaml']"), a=FLOW)

    assert lines(reading) == [
        "routes.yaml:2:11: error RT107 include '**/*.yaml' looks at more than 20 files and folders; narrow the pattern to "
        "the folders that have the files"
    ]


def test_a_folder_that_cannot_be_read(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have files that the pattern matches, so that it is not passed over in silence."""

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)

    assert lines(read(a=FLOW)) == [
        "routes.yaml:2:10: error RT107 include 'flows/*.yaml' cannot read the folder 'flows': permission denied; narrow the "
        "pattern to the folders that have the files"
    ]
