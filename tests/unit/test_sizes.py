"""The sizes of modules and functions, and the names of classes."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import router

FOLDER = Path(router.__file__).parent
TREES = {
    str(path.relative_to(FOLDER)): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.rglob("*.py"))
}
MODULE_LINES = 500
FUNCTION_LINES = 60


@pytest.mark.parametrize("module", TREES)
def test_sizes(module: str) -> None:
    """A module has at most 500 lines, a function at most 60, with its docstring."""
    functions = [
        node.name
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]
    lines = len((FOLDER / module).read_text(encoding="utf-8").splitlines())

    assert (functions, lines <= MODULE_LINES) == ([], True)


def test_a_class_name_occurs_once() -> None:
    """The name of a class tells which one it is, without its package."""
    names = Counter(node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))

    assert [name for name, count in names.items() if count > 1] == []
