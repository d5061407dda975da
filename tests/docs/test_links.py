"""Where the texts of the program lead; tests/docs/test_site.py looks for each address of a code on the site."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from router.codes import RETIRED
from tests.support.check import known_codes, shipped_runbooks

ROOT = Path(__file__).parents[2]
WRITTEN = {"README.md", "comment.md"}
"""The files that commands write, or that their help has as an example."""


def texts() -> Iterator[str]:
    """Yield the texts of the program that are no comments: what it can print, log or write."""
    for path in (ROOT / "router").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        comments = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in comments:
                yield node.value


def test_no_text_of_the_program_leads_to_a_page_that_its_reader_may_not_have() -> None:
    """It is installed without `docs/`: its texts name commands, such as `router check --explain RT813`."""
    _, _, help_of_commands = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").partition("\n## ")
    printed = "\n".join([*texts(), *shipped_runbooks().values(), help_of_commands])

    assert {*re.findall(r"\bdocs/[\w./-]+|[\w./-]+\.md\b", printed)} == WRITTEN


def test_each_code_that_a_text_names_can_be_explained() -> None:
    """An alarm names the codes of its runbooks."""
    named = {code for text in [*texts(), *shipped_runbooks().values()] for code in re.findall(r"\bRT\d{3}\b", text)}
    alarms = (ROOT / "router" / "tools" / "deploy" / "template" / "alarms.py").read_text(encoding="utf-8")

    assert named - {*known_codes(), *RETIRED} == set()
    assert {*re.findall(r"\bRT\d{3}\b", alarms)} - {*shipped_runbooks()} == set()
