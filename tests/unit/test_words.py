"""Texts use the terms of the field, and pages for users none of proofs; `tests/words.py` checks names."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.words import FOLDERS, private_names

ROOT = Path(__file__).parents[2]
CODE = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
OF_CONTRIBUTORS = ("architecture.md",)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROSE = [*PAGES, *sorted((ROOT / "docs" / "decisions").glob("*.md")), *sorted((ROOT / ".github").rglob("*.md"))]

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

# Phrases of the pages for users; the verdicts in JSON stay.
PHRASES_FOR_USERS = {
    r"(?<!`)\brefut\w+": "may be rejected, with an example",
}


def leftovers(path: Path, phrases: Mapping[str, str]) -> list[str]:
    """List each phrase in a file that is not one of the field, with its line and its replacement."""
    text = path.read_text(encoding="utf-8")
    # A phrase may go on in the next line. Spaces take the place of the break, so that positions stay.
    joined = re.sub(r"\s*\n\s*(?:#:? |\.\.\. |\* |- )?", lambda gap: " " * len(gap[0]), text)
    found = []
    for pattern, replacement in phrases.items():
        for match in re.finditer(pattern.replace(" ", " +"), joined, re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(ROOT)}:{line}: {re.sub(' +', ' ', match[0])} -> {replacement}")
    return found


def test_texts_have_the_terms_of_the_field() -> None:
    """No page, docstring, comment or message has a private phrase."""
    lists = (Path(__file__), ROOT / "tests" / "words.py")
    files = [path for path in (*CODE, *PROSE) if path not in lists]

    assert [each for path in files for each in leftovers(path, PHRASES)] == []


def test_pages_for_users_have_no_term_of_proofs() -> None:
    """What a claim means for a message is said in words."""
    pages = [path for path in PAGES if path.name not in OF_CONTRIBUTORS]

    assert [each for path in pages for each in leftovers(path, PHRASES_FOR_USERS)] == []


def test_private_names_are_found(tmp_path: Path) -> None:
    """A name that consists of a private word, has one between underscores, or is that of a module."""
    module = tmp_path / "parcels.py"
    module.write_text("def let_go(crew): ...\nPlentyOf = call(message_sendings=1)\n", encoding="utf-8")

    assert [(line, name) for line, name, _ in private_names(module)] == [
        (0, "module parcels"),
        (1, "crew"),
        (1, "let_go"),
        (2, "PlentyOf"),
        (2, "message_sendings"),
    ]
