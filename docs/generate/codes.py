"""The pages of the codes, which the site has, and what `router check --explain` shows; made from codes and fixtures."""

import re
from collections.abc import Mapping
from pathlib import Path

from router.model import Code
from router.tools.check.rule import Example, known_codes

FIXTURES = Path(__file__).parents[2] / "tests"
"""The folder with the fixtures: `checks/RTnnn` of codes of configs, `aws/live/*/RTnnn*.txt` of codes of AWS."""
RUNBOOKS = Path(__file__).parents[1] / "runbooks.md"
"""The page with a section for each code that a message ends with: `## RT801: title`."""
MAX_LINES = 40
"""A config with as many lines or more is not shown: its size is its fault."""
_INTRODUCTION = """\
# Codes

Each code has a page with an example. `router check --explain RT101` prints the same without a network. The meaning of a
code never changes, and an id is never used again. [Check](../check.md) explains how findings are reported. RT0 and
RT1 are about the file, RT2 routes and queues, RT3 schemas, RT4 mappings, RT5 plugins, RT6 writes and keys, RT7 what is
deployed, RT8 outcomes, RT9 changes.
"""
_PLACEHOLDERS = {
    "ROLE": "arn:aws:iam::123456789012:role/message-router",
    "TABLE": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    "QUEUE": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "NAME": "orders",
}
"""The placeholders in the fixtures of AWS, and what the page shows for them."""


def code_pages(fixtures: Path = FIXTURES) -> Mapping[str, str]:
    """Return the page that lists all codes, and the page of each, by its path on the site."""
    examples = collect_examples(fixtures)
    told = runbooks()
    pages = {f"codes/{id_}.md": _page(code, examples.get(id_), id_ in told) for id_, code in known_codes().items()}
    return {"codes/README.md": _list_page(), **pages}


def _list_page() -> str:
    rows = [f"| [{code.id}]({code.id}.md) | {code.severity} | {_sentence(code)} |" for code in known_codes().values()]
    return "\n".join([_INTRODUCTION, "| code | severity | what it says |", "|---|---|---|", *rows, ""])


def collect_examples(fixtures: Path = FIXTURES) -> Mapping[str, Example]:
    """Return the examples by code, in order."""
    of_configs = {folder.name: _of_config(folder) for folder in fixtures.glob("checks/RT*")}
    of_aws = {file.stem[:5] for file in fixtures.glob("aws/live/*/RT*.txt")}
    return dict(sorted((of_configs | {code: _of_aws(fixtures, code) for code in of_aws}).items()))


def _of_config(folder: Path) -> Example:
    found = (folder / "expected.txt").read_text(encoding="utf-8").rstrip()
    return Example(found, _shown(folder / "bad.yaml"), _shown(folder / "good.yaml"))


def _of_aws(fixtures: Path, code: str) -> Example:
    """Return the example of a code of AWS, which depends on what is deployed: only the lines that are printed."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(fixtures.glob(f"aws/live/*/{code}*.txt"))]
    lines = [line for text in texts for line in text.splitlines() if f" {code} " in line]
    for placeholder, shown in _PLACEHOLDERS.items():
        lines = [line.replace(placeholder, shown) for line in lines]
    return Example("\n".join(dict.fromkeys(lines)))


def _shown(file: Path) -> str:
    """Return the text of a config; "" for one that is too long, or not UTF-8."""
    try:
        text = file.read_text(encoding="utf-8").rstrip()
    except UnicodeDecodeError:
        return ""
    return text if len(text.splitlines()) < MAX_LINES else ""


def _sentence(code: Code) -> str:
    return f"{code.title[0].upper()}{code.title[1:]}"


def _page(code: Code, example: Example | None, has_runbook: bool) -> str:
    parts = [f"# {code.id}", f"{_sentence(code)}. Severity: {code.severity}.", code.why]
    if example and example.bad:
        parts.append(f"```yaml title=bad.yaml\n{example.bad}\n```")
    if example:
        parts.append(f"```text\n{example.found}\n```")
    if example and example.good:
        parts.append(f"```yaml title=good.yaml\n{example.good}\n```")
    if has_runbook:
        parts.append(f"[What to do](../runbooks.md#{anchor(f'{code.id}: {code.title}')})")
    return "\n\n".join(parts) + "\n"


def anchor(heading: str) -> str:
    """Return the anchor that GitHub and the site give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def runbooks() -> Mapping[str, str]:
    """Return the section of each code on the page of runbooks, without its heading and without links to pages."""
    page = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", RUNBOOKS.read_text(encoding="utf-8"))
    sections = re.split(r"^## (RT\d+): .*\n", page, flags=re.MULTILINE)[1:]
    return {code: text.strip() for code, text in zip(sections[::2], sections[1::2], strict=True)}
