"""The project uses the terms of the field: no private word stands for something that AWS or Python has a name for.

`python tests/unit/test_words.py` lists each leftover and counts them by directory.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted(path for folder in ("router", "plugins", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
PROSE = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])

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

# Phrases of documentation, docstrings, comments and messages.
PHRASES = {
    r"comes? twice": "duplicate",
    r"comes? late\b": "out of order",
    r"set-up (?:fault|is at fault)|faults? of the set-up": "configuration error",
    r"effects? (?:was|were) had|had (?:their|its) effect": "already applied",
    r"shown? (?:to other receivers )?again": "visibility timeout set to 0",
    r"what (?:it|this|a batch|they) comes? to\b": "result",
    r"prove[sd]? (?:a|the|that) (?:config|file)": "validate",
    r"\blet go\b": "release, retain",
    r"\btaken? over\b|\btakes? over\b": "import",
    r"has its say|have their say": "is applied",
    r"\b(?:is|are|was|were) at home\b": "is defined",
    r"what is there(?! any)": "the existing item",
    r"\bis told\b|\bare told\b": "is reported",
    r"\blooked over\b": "checked",
    r"\bhands? on\b|\bhanded on\b": "passes",
    r"\bto and fro\b": "back and forth",
    r"\bhand-over\b": "handoff",
    r"\bheeds?\b|\bheeded\b": "follows",
    r"does not speak of|speaks? of\b": "declare, mention",
    r"\bin hand\b": "in flight",
    r"\bhide(?:s|n)? (?:the |a |that )?messages?\b": "extend the visibility timeout",
    r"\bcrew\b|\blifeline\b|\bsendings\b|\bpatience\b": "a term of the field",
    r"of our own\b|of ours\b": "own",
    r"\bis asked for\b|\bare asked for\b|\bwas asked for\b": "is requested",
    r"what is meant\b": "the intent",
    r"\bmended?\b": "fix",
    r"a good deal\b|ever so\b": "plain quantity",
}  # fmt: skip


def room(path: Path) -> str:
    """The directory that a leftover is counted for."""
    parts = path.relative_to(ROOT).parts[:-1]
    return "/".join(parts[: 3 if parts[:1] == ("tests",) else 2]) or "."


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


def leftovers(path: Path) -> list[tuple[int, str, str]]:
    """List the line, the private word and its replacement for each leftover in a file."""
    if path == Path(__file__):
        return []
    text = path.read_text(encoding="utf-8")
    found = set()
    if path.suffix == ".py":
        if path.stem in MODULES:
            found.add((0, f"module {path.stem}", "a term of the field"))
        for line, name in identifiers(ast.parse(text)):
            found |= {(line, name, IDENTIFIERS[word]) for word in words(name) if word in IDENTIFIERS}
            found |= {(line, name, IDENTIFIER_PHRASES[word]) for word in IDENTIFIER_PHRASES if word in name.lower()}
    for pattern, replacement in PHRASES.items():
        joined = re.sub(r"\s*\n\s*(?:#:? |\.\.\. |\* |- )?", lambda gap: " " * len(gap[0]), text)
        for match in re.finditer(pattern.replace(" ", " +"), joined, re.IGNORECASE):
            found.add((text.count("\n", 0, match.start()) + 1, re.sub(" +", " ", match[0]), replacement))
    return sorted(found)


@pytest.mark.parametrize("path", [*CODE, *PROSE], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_private_words(path: Path) -> None:
    """A file uses no private word."""
    assert leftovers(path) == []


if __name__ == "__main__":
    counts: Counter[str] = Counter()
    for source in [*CODE, *PROSE]:
        for number, word, instead in leftovers(source):
            counts[room(source)] += 1
            if not sys.argv[1:] or source.relative_to(ROOT).as_posix().startswith(tuple(sys.argv[1:])):
                print(f"{source.relative_to(ROOT)}:{number}: {word} -> {instead}")
    for directory, count in counts.most_common():
        print(f"{count:5} {directory}", file=sys.stderr)
