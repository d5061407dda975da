"""The sizes of modules, functions and expressions, and the names of classes."""

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
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


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


def nested(tree: ast.AST) -> list[int]:
    """The lines of comprehensions that have another one inside."""
    found = []
    for node in ast.walk(tree):
        inner = [each for each in ast.walk(node) if isinstance(each, COMPREHENSIONS)]
        if isinstance(node, COMPREHENSIONS) and len(inner) > 1:
            found.append(node.lineno)
    return found


def test_a_comprehension_has_no_other_one_inside() -> None:
    """One says one thing: what it is made of has a name of its own."""
    assert nested(ast.parse("a = [b for b in (c for c in d)]\ne = [f for f in g]")) == [1]
    assert {module: lines for module, tree in TREES.items() if (lines := nested(tree))} == {}
