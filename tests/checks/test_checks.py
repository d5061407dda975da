"""Every code of `router check`, each on a config that has that fault and no other, and on the same config mended."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import router
from router.check.codes import CODES
from router.check.run import check
from router.model import Code

HERE = Path(__file__).parent
FOLDERS = sorted(folder.name for folder in HERE.glob("RT*"))
ENVIRONMENT: dict[str, str] = {}
NOT_OF_A_CONFIG = ("7", "8")
"""Codes of what is live in AWS, and of outcomes, are shown by other tests."""
OF_THE_ROUTER = ("RT009",)
"""No config is known in which a rule crashes: tests/unit/checks/test_running.py has rules that do."""
DO_SOMETHING_WHEN_IMPORTED = ("router.__main__", "router.lambda_handler")


def declared() -> Iterator[tuple[str, Code]]:
    """Every code that a module of the router has, with the module."""
    for info in pkgutil.walk_packages(router.__path__, "router."):
        if info.name not in DO_SOMETHING_WHEN_IMPORTED:
            for value in vars(importlib.import_module(info.name)).values():
                if isinstance(value, Code):
                    yield info.name, value


@pytest.mark.parametrize("name", FOLDERS)
def test_the_faulty_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints what it should, all of it of that one code."""
    monkeypatch.chdir(HERE / name)

    findings = check(Path("bad.yaml"), ENVIRONMENT)

    assert ("".join(f"{finding}\n" for finding in findings), {finding.code.id for finding in findings}) == (
        Path("expected.txt").read_text(encoding="utf-8"),
        {name},
    )


@pytest.mark.parametrize("name", FOLDERS)
def test_the_mended_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found in it."""
    monkeypatch.chdir(HERE / name)

    assert check(Path("good.yaml"), ENVIRONMENT) == []


def test_each_code_has_its_folder() -> None:
    """And no folder is without a code."""
    assert [code for code in CODES if code[2] not in NOT_OF_A_CONFIG and code not in OF_THE_ROUTER] == FOLDERS


def test_every_code_is_collected() -> None:
    """What a module declares has an entry in docs, and can be explained."""
    assert {(module, code.id) for module, code in declared() if CODES.get(code.id) is not code} == set()


def test_a_code_is_declared_once() -> None:
    """An id has one object, wherever modules import it."""
    objects: dict[str, set[int]] = {}
    for _, code in declared():
        objects.setdefault(code.id, set()).add(id(code))

    assert [name for name, those in objects.items() if len(those) > 1] == []


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_how_a_code_is_written(code: Code) -> None:
    """`RT` and three digits; a title that goes on a line; a reason that is a sentence."""
    assert (code.id[:2], code.id[2:].isdecimal(), len(code.id), code.title.endswith("."), code.why[-1]) == (
        "RT",
        True,
        5,
        False,
        ".",
    )
