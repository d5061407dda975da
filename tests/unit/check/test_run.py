"""All that `router check` runs: loading, second opinions, and the checks of plugins."""

from pathlib import Path
from typing import Any

import pytest

from router.check.run import check
from router.errors import UsageError

CONFIG = """\
version: 1
plugins: [own.py]
queues:
  q: {dead_letter: q-dlq}
tables:
  things: {key: {id: S}}
routes:
  r: {queue: q, table: things}
"""
CHECK = """
from router import *

@hookimpl
def router_register_checks(register):
    register(own_check)

def own_check(config):
"""


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is found in a config, with a check of a plugin's own."""
    monkeypatch.chdir(tmp_path)

    def run(body: str = "    return []", text: str = CONFIG) -> list[tuple[str, str]]:
        Path("routes.yaml").write_text(text, encoding="utf-8")
        Path("own.py").write_text(CHECK + body, encoding="utf-8")
        return [(str(finding), finding.code.severity) for finding in check(Path("routes.yaml"), {})]

    return run


def test_nothing(found: Any) -> None:
    """A good config has no findings."""
    assert found() == []


def test_a_config_that_cannot_be_read(found: Any) -> None:
    """Is found, and no more can be."""
    assert found(text="") == [
        ("routes.yaml: RT003 the config is empty; it needs the keys version, tables and routes", "error")
    ]


def test_remarks_of_a_plugin(found: Any) -> None:
    """Stand where they say, under codes of their own, with their severity, in the order of the file."""
    body = """    return [
        Remark("ACME2", f"{len(config.routes)} route", ("routes", "r", "table"), "add one", "info"),
        Remark("ACME1", "no owner", severity="warning"),
        Remark("ACME3", "not in the file", ("routes", "r", "owner")),
    ]
"""
    assert found(body) == [
        ("routes.yaml:1:1: ACME1 no owner", "warning"),
        ("routes.yaml:8:6: ACME3 not in the file", "error"),
        ("routes.yaml:8:24: ACME2 1 route; add one", "info"),
    ]


def test_a_remark_with_a_code_of_ours(found: Any) -> None:
    """Is told apart from ours."""
    assert found('    return [Remark("RT101", "mine", ("version",))]') == [("routes.yaml:1:10: X-RT101 mine", "error")]


@pytest.mark.parametrize(
    ("body", "did"),
    [
        ("    raise KeyError('x')", "raised KeyError"),
        ("    return None", "returned a value of type NoneType, not a list of Remark"),
        ("    return ['x']", "returned a value of type list, not a list of Remark"),
    ],
)
def test_a_check_that_fails(found: Any, body: str, did: str) -> None:
    """Is a finding, so that nobody takes silence for proof."""
    sentence = f"RT508 plugin 'own': router_register_checks registered a check that {did}"

    assert found(body) == [(f"routes.yaml:2:10: {sentence}; mend the plugin", "error")]


def test_checks_run_on_a_faulty_config_too(found: Any) -> None:
    """Every fault at once."""
    text = CONFIG.replace("table: things", "table: thing")

    assert [line[:24] for line, _ in found('    return [Remark("ACME1", "x", ("routes",))]', text)] == [
        "routes.yaml:8:3: ACME1 x",
        "routes.yaml:8:24: RT201 ",
    ]


def test_second_opinions(found: Any) -> None:
    """About each schema, in a file or inline, that validators disagree about."""
    draft_4 = '"$schema": "http://json-schema.org/draft-04/schema#"'
    Path("good.json").write_text("{}", encoding="utf-8")
    Path("bad.json").write_text(f'{{{draft_4}, "enum": ["a", "a"]}}', encoding="utf-8")
    routes = [
        f"  {name}: {{queue: q, table: things, schema: {schema}, item: {{id: {{value: {name}}}}}}}\n"
        for name, schema in [("one", "good.json"), ("two", "bad.json"), ("three", f"{{{draft_4}, enum: [a, a]}}")]
    ]

    assert [line.partition(":")[2] for line, _ in found(text=CONFIG.partition("  r:")[0] + "".join(routes))] == [
        "9:42: RT307 schema 'bad.json': another validator refuses it: /enum fails 'uniqueItems'",
        "10:44: RT307 schema 'routes.three.schema': another validator refuses it: /enum fails 'uniqueItems'",
    ]


def test_loading_that_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is a finding, and no traceback."""
    monkeypatch.setattr("router.check.run.load", _fail(ZeroDivisionError()))

    assert list(map(str, check(Path("routes.yaml"), {}))) == [
        "routes.yaml: RT009 loading failed with ZeroDivisionError; report it, with a config that shows it"
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UsageError("no")])
def test_what_is_no_crash(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Ends the program as ever."""
    monkeypatch.setattr("router.check.run.load", _fail(error))

    with pytest.raises(type(error)):
        check(Path("routes.yaml"), {})


def _fail(error: BaseException) -> Any:
    def fail(*_: Any) -> None:
        raise error

    return fail


def test_a_comparison_that_crashes(found: Any) -> None:
    """Is a finding beside the others."""
    found()

    assert list(map(str, check(Path("routes.yaml"), {}, _fail(KeyError("x"))))) == [
        "routes.yaml:1:1: RT009 the comparison with AWS failed with KeyError; report it, with a config that shows it"
    ]


def test_a_comparison_that_cannot_run(found: Any) -> None:
    """Says so."""
    found()

    with pytest.raises(UsageError):
        check(Path("routes.yaml"), {}, _fail(UsageError("no credentials")))
