"""What `router check` runs: loading, rules, the checks of plugins, and the comparison with AWS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from router.errors import MissingExtra, UsageError
from router.model import Code, Place
from router.tools.check.rule import Found, Rule
from router.tools.check.run import examine, run_rules
from tests.support.check import check
from tests.support.config import Findings

FOUND = Code("RT499", "t", "w.")

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
        return [(str(finding), finding.code.severity) for finding in check(Path("routes.yaml"), {}, rules=())]

    return run


def test_nothing(found: Any) -> None:
    """A sound config has no findings."""
    assert found() == []


def test_a_config_that_cannot_be_read(found: Any) -> None:
    """It is the only finding."""
    assert found(text="") == [
        ("routes.yaml: error RT003 the config is empty; it needs the keys version, tables and routes", "error")
    ]


def test_remarks_of_a_plugin(found: Any) -> None:
    """They have their own places, codes and severities, and are in the order of the file."""
    body = """    return [
        Remark("ACME2", f"{len(config.routes)} route", ("routes", "r", "table"), "add one", "info"),
        Remark("ACME1", "no owner", severity="warning"),
        Remark("ACME3", "not in the file", ("routes", "r", "owner")),
    ]
"""
    assert found(body) == [
        ("routes.yaml:1:1: warning ACME1 no owner", "warning"),
        ("routes.yaml:8:6: error ACME3 not in the file", "error"),
        ("routes.yaml:8:24: info ACME2 1 route; add one", "info"),
    ]


def test_a_remark_with_a_code_of_ours(found: Any) -> None:
    """The code gets a prefix."""
    assert found('    return [Remark("RT101", "mine", ("version",))]') == [
        ("routes.yaml:1:10: error X-RT101 mine", "error")
    ]


@pytest.mark.parametrize(
    ("body", "did"),
    [
        ("    raise KeyError('x')", "raised KeyError (own.py:9)"),
        ("    return None", "returned a value of type NoneType, not a list of Remark"),
        ("    return ['x']", "returned a value of type list, not a list of Remark"),
    ],
)
def test_a_check_that_fails(found: Any, body: str, did: str) -> None:
    """It is a finding, since its result is unknown."""
    sentence = f"RT508 plugin 'own': router_register_checks registered a check that {did}"

    assert found(body) == [(f"routes.yaml:2:10: error {sentence}; fix the plugin", "error")]


def test_checks_run_on_a_faulty_config_too(found: Any) -> None:
    """A faulty config is checked by plugins, too."""
    text = CONFIG.replace("table: things", "table: thing")

    assert [line[:30] for line, _ in found('    return [Remark("ACME1", "x", ("routes",))]', text)] == [
        "routes.yaml:8:3: error ACME1 x",
        "routes.yaml:8:24: error RT201 ",
    ]


def crash(error: BaseException) -> Rule[str]:
    def crashing(subject: str) -> Iterator[Found]:
        yield Found(FOUND, "before", ())
        raise error

    return Rule((FOUND,), crashing)


def sound(subject: str) -> Iterator[Found]:
    yield Found(FOUND, subject, ("a",), "fix it", key=True)


class Panic(BaseException):
    """What a library raises that is not an Exception."""


@pytest.mark.parametrize("error", [KeyError("secret"), Panic()])
def test_a_rule_that_crashes(error: BaseException) -> None:
    """It is a finding without the exception's text; its earlier findings stay, and other rules run."""
    findings = Findings(lambda path, key: Place("routes.yaml", 1, 1 + len(path)))

    run_rules([crash(error), Rule((FOUND,), sound)], "after", findings)

    sentence = f"rule 'crashing' failed with {type(error).__name__}; report it, with a config that reproduces it"
    assert [str(finding) for finding in findings] == [
        f"routes.yaml:1:1: error RT009 {sentence}",
        "routes.yaml:1:1: error RT499 before",
        "routes.yaml:1:2: error RT499 after; fix it",
    ]


@pytest.mark.parametrize("error", [MissingExtra("x", "cli"), KeyboardInterrupt(), SystemExit()])
def test_a_rule_that_ends_the_command(error: BaseException) -> None:
    """A command that cannot run, or is interrupted, ends."""
    with pytest.raises(type(error)):
        run_rules([crash(error)], "", Findings(lambda path, key: Place("routes.yaml")))


@pytest.fixture
def variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config that refers to a variable, in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = Path("routes.yaml")
    file.write_text("version: ${VERSION}\n", encoding="utf-8")
    return file


class Failing(dict[str, str]):
    """An environment whose variables cannot be read."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def get(self, *_: Any) -> NoReturn:
        """Raise the error."""
        raise self._error


def test_loading_that_crashes(variable: Path) -> None:
    """It is a finding, without a traceback."""
    assert list(map(str, check(variable, Failing(ZeroDivisionError())))) == [
        "routes.yaml: error RT009 loading failed with ZeroDivisionError; report it, with a config that reproduces it"
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UsageError("no")])
def test_loading_that_ends_the_command(variable: Path, error: BaseException) -> None:
    """The command ends."""
    with pytest.raises(type(error)):
        check(variable, Failing(error))


def _fail(error: BaseException) -> Any:
    def fail(*_: Any) -> None:
        raise error

    return fail


def test_a_comparison_that_crashes(found: Any) -> None:
    """It is a finding besides the others."""
    found()

    assert list(map(str, check(Path("routes.yaml"), {}, _fail(KeyError("x")), rules=()))) == [
        (
            "routes.yaml:1:1: error RT009 the comparison with AWS failed with KeyError; "
            "report it, with a config that reproduces it"
        )
    ]


def test_a_comparison_that_cannot_run(found: Any) -> None:
    """The command ends with the reason."""
    found()

    with pytest.raises(UsageError):
        check(Path("routes.yaml"), {}, _fail(UsageError("no credentials")))


UNLOADED = """\
version: 1
plugins: [own.py]
queues: {q: {dead_letter: dlq, envelope: [acme]}}
tables: {things: {key: {id: S}}, others: {key: {id: S}}}
ignore: [{code: OWN-1, reason: of a plugin}]
routes:
  all: {queue: q, table: things, schema: {$ref: '#/$defs/thing', $defs: THING}}
  none:
    queue: q
    table: others
    plugins: []
    schema: {$ref: '#/$defs/thing', $defs: THING}
    item: {id: id, shouted: {from: id, transform: shout}, plain: {from: id, transform: upper}}
"""
THING = """\
{thing: {type: object, required: [id], maxProperties: 1, properties: {id: {type: string, minLength: 1, maxLength: 9}}}}
"""


def test_plugins_that_are_not_loaded(tmp_path: Path) -> None:
    """Nothing of them is run, and nothing is decided about what they may change or register."""
    (tmp_path / "own.py").write_text("raise SystemExit('it ran')\n", encoding="utf-8")
    (tmp_path / "routes.yaml").write_text(UNLOADED.replace("THING", THING.strip()), encoding="utf-8")

    report = examine(tmp_path / "routes.yaml", {}, with_plugins=False)

    undecided = [
        (each.route, each.kind, each.subject, each.reason)
        for each in report.ledger.entries
        if each.verdict == "not decided"
    ]
    assert (report.findings, report.left_out) == ((), ("own",))
    assert undecided == [
        ("all", "mapping", "", "its plugins are not loaded"),
        ("all", "key", "id", "its plugins are not loaded"),
        ("all", "size", "", "its plugins are not loaded"),
        ("none", "mapping", "shouted", "transform 'shout' is a plugin's"),
        ("none", "size", "", "'shouted' is not bounded"),
    ]
