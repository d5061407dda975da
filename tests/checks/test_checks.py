"""Every code of `router check`: a fixture has a config with that fault, and the same config without it.

A fixture runs loading and the rule that reports its code, so that a new rule changes no other fixture. That no rule
reports anything in sound configs is tested in test_sound_configs.py.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import router
from router.codes import RETIRED, declare
from router.model import Code
from router.tools.check.live.deployed import LIVE_RULES
from router.tools.check.rule import RULES, known_codes
from tests.support.check import check, rules_reporting

HERE = Path(__file__).parent
FOLDERS = sorted(folder.name for folder in HERE.glob("RT*"))
NOT_OF_A_CONFIG = ("7", "8", "9")
"""The groups of codes of AWS, of outcomes and of changes, which have tests of their own."""
ENVIRONMENT = {"ROUTER_REDACT_KEY": "k" * 32}
OF_THE_ROUTER = ("RT009",)
"""No config is known in which a rule fails: tests/unit/tools/check/test_run.py has rules that do."""
OF_THE_LEDGER = ("RT241", "RT242", "RT244", "RT623")
"""Claims that are not decided, or that a message refutes, are no findings; tests/unit/tools/check is about them."""
DO_SOMETHING_WHEN_IMPORTED = ("router.__main__", "router.lambda_handler")


def codes_in_modules() -> Iterator[tuple[str, Code]]:
    """Yields every code that a module of the router declares or imports, with the module."""
    for info in pkgutil.walk_packages(router.__path__, "router."):
        if info.name not in DO_SOMETHING_WHEN_IMPORTED:
            for value in vars(importlib.import_module(info.name)).values():
                if isinstance(value, Code):
                    yield info.name, value


@pytest.mark.parametrize("name", FOLDERS)
def test_the_faulty_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its findings are as expected, and all have the code of the fixture."""
    monkeypatch.chdir(HERE / name)

    findings = check(Path("bad.yaml"), ENVIRONMENT, rules=rules_reporting(name))

    others = [str(finding) for finding in findings if finding.code.id != name]
    assert others == [], f"bad.yaml of {name} has another fault: correct it there and in good.yaml"
    shown = "".join(f"{finding}\n" for finding in findings)
    assert shown == Path("expected.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FOLDERS)
def test_the_fixed_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no findings; those that `ignore` names are of RT203."""
    monkeypatch.chdir(HERE / name)
    rules = [*rules_reporting(name), *rules_reporting("RT203")]

    assert check(Path("good.yaml"), ENVIRONMENT, rules=rules) == []


def test_each_code_has_a_fixture() -> None:
    """Each code of a config has a fixture, and each fixture a code."""
    of_configs = {code for code in known_codes() if code[2] not in NOT_OF_A_CONFIG}

    assert of_configs - {*OF_THE_ROUTER, *OF_THE_LEDGER} == set(FOLDERS)


def test_each_code_is_known() -> None:
    """The packages that are searched for codes are all that declare any."""
    assert {(module, code.id) for module, code in codes_in_modules() if known_codes().get(code.id) is not code} == set()


def test_each_rule_is_registered_once() -> None:
    """Every code that a module of rules declares is reported by one of its rules."""
    reported = {
        "router.tools.check.rules.": {code for rule in RULES.all() for code in rule.codes},
        "router.tools.check.live.": {code for rule in LIVE_RULES.all() for code in rule.codes},
    }
    unreported = {
        code.id
        for module, code in codes_in_modules()
        for package, codes in reported.items()
        if module.startswith(package) and code not in codes
    }

    assert unreported == {"RT756"}  # reported without a call to AWS, when the config has errors


@pytest.mark.parametrize("id_", ["RT101", *RETIRED])
def test_an_id_in_use(id_: str) -> None:
    """An id is declared once, and a retired one never again."""
    known_codes()

    with pytest.raises(ValueError, match=f"{id_} is declared twice, or is retired"):
        declare(id_, "another title", "Another reason.")


def test_two_rules_with_one_code() -> None:
    """A code is reported by one rule."""
    rule = RULES.all()[0]

    with pytest.raises(ValueError, match=f"two rules report {rule.codes[0].id}"):
        RULES.register(*rule.codes)(rule.find)


@pytest.mark.parametrize("code", known_codes().values(), ids=known_codes())
def test_how_a_code_is_written(code: Code) -> None:
    """`RT` and three digits; a title without a full stop; a reason that is a sentence."""
    assert (code.id[:2], code.id[2:].isdecimal(), len(code.id), code.title.endswith("."), code.why[-1]) == (
        "RT",
        True,
        5,
        False,
        ".",
    )
