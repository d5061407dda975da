"""Checks the names in the code: no private word stands for something that AWS or Python has a name for.

`make lint` runs `python -m tests.words`, which lists each such name with the word to use instead, and then fails.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("router", "plugins", "tests", "benchmarks", "docs")

# Words that no identifier consists of or contains between underscores, each with the word to use instead.
IDENTIFIERS = {
    "crew": "receiver pool",
    "dialect": "emulator quirks",
    "endings": "results",
    "heed": "adaptive concurrency",
    "hire": "spawn",
    "holders": "cleanup",
    "letters_tens": "batches",
    "lifeline": "parent watchdog",
    "meant": "target",
    "pace": "adaptive concurrency",
    "parcels": "outgoing messages",
    "patience": "timeout",
    "plenty": "backlog",
    "relieve": "scale",
    "said": "reply",
    "sendings": "samples",
    "setup_fault": "configuration error",
    "tens": "batches",
    "told": "report",
    "turns": "run lock",
}
IDENTIFIER_PHRASES = {
    "had_already": "already_applied",
    "let_go": "release",
    "plain_names": "literal_names",
    "shown_again": "visibility set to 0",
    "take_over": "import",
}
MODULES = {
    "absent",
    "asking",
    "away",
    "cloud",
    "facts",
    "following",
    "garbage",
    "hold",
    "homes",
    "made",
    "parcels",
    "play",
    "proof",
    "proposal",
    "readers",
    "shown",
    "states",
    "tasks",
    "texts",
    "things",
}


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each name that a module defines or uses."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.keyword(arg=str(name)):
                yield node.value.lineno, name


def words(name: str) -> list[str]:
    """Split an identifier into lower-case words."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_")


def private_names(path: Path) -> list[tuple[int, str, str]]:
    """List the line, the name and its replacement for each private word among the names of a module."""
    found = set()
    if path.stem in MODULES:
        found.add((0, f"module {path.stem}", "a term of the field"))
    for line, name in identifiers(ast.parse(path.read_text(encoding="utf-8"))):
        found |= {(line, name, IDENTIFIERS[word]) for word in words(name) if word in IDENTIFIERS}
        found |= {(line, name, IDENTIFIER_PHRASES[word]) for word in IDENTIFIER_PHRASES if word in name.lower()}
    return sorted(found)


def main() -> int:
    """Print the private names of all modules; return the exit code."""
    failed = False
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line, name, instead in private_names(path):
                failed = True
                print(f"{path.relative_to(ROOT)}:{line}: {name} -> {instead}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
