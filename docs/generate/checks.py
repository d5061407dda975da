"""The page of all codes, one for each, and the examples of `router check --explain`; made from codes and fixtures."""

import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import msgspec

from router.codes import RETIRED
from router.model import Code
from router.tools.check.rule import Example, known_codes

FIXTURES = Path(__file__).parents[2] / "tests"
"""The folder with the fixtures: `checks/RTnnn` of codes of configs, `aws/live/*/RTnnn*.txt` of codes of AWS."""
RUNBOOKS = Path(__file__).parents[1] / "runbooks"
"""The folder with a page for each code that a message ends with."""
MAX_LINES = 40
"""A config with as many lines or more is not shown: its size is its fault."""
GROUPS = {
    "0": "The file",
    "1": "Its shape",
    "2": "Routes and queues",
    "3": "Schemas",
    "4": "Mappings",
    "5": "Plugins",
    "6": "Writes and keys",
    "7": "What is deployed in AWS",
    "8": "Outcomes: what logs and dead letters say",
    "9": "Changes: what `router diff` says of two configs",
}
"""Headings by the first digit of a code."""
_INTRODUCTION = """\
# Checks

<!-- Made by `make format`; edit the codes and their fixtures in `tests/checks` instead of this page. -->

`router check` validates a config and prints each fault as `file:line:column: severity RTnnn sentence; suggestion`. The
severity is `error`, `warning` or `info`. It exits with 1 if one is an error, and with `--strict` if one is a warning.
`router check --explain RT101` prints what the page of a code has. Findings that are known and accepted can be
[ignored](config.md#what-is-known-and-accepted), with a reason; errors that stop the router from starting cannot. The
codes from RT801 on are not faults of a config: in logs and dead letters they say how a message ended, and why. Those
from RT901 on are what [`router diff`](diff.md) reports of two configs: an error is a breaking change, a warning a risky
one.

## What is proved

Rules find faults. Besides, `router check` makes claims about each route. It says of each that it is *proved*, or *not
decided*, or what may happen to a message. It knows of such a message by a finding, or found an example (RT244):

| claim | of every message that the schema of the route accepts | otherwise a message |
|---|---|---|
| `when` | the expression can be evaluated | may fail: the condition then is false |
| `for_each` | the expression can be evaluated, and finds a list | may be rejected |
| `mapping` of each attribute | source and transforms do not fail, and a value that must be there is | may be rejected |
| `type` of each attribute with a `type` | its value converts to that type | may be rejected |
| `merge` | it finds a map of at most `max` entries, without a name of the route's own | may be rejected |
| `key` of each key attribute | it is there, of the table's type, not empty, and not too long | may be rejected |
| `once_key` | it is there, and can be a key | may be rejected |
| `version` | it is there, and of a type that can be compared | may be rejected or misordered |
| `ttl` | it is a number of seconds, if it is there | may never expire |
| `size` | the item has at most 400 KB | may be rejected |
| `elements` of `for_each` | no two of one message have one key | may lose data or be rejected |
| `transaction` of an `atomic` queue | with other routes, 100 writes and 4 MB at most, no item twice | may be rejected |
| `pair` with another route of its table | with no message of the other route it writes one key | may lose data |

A claim that is proved holds for each such message whose numbers DynamoDB can store (38 digits) and that nests at most
32 levels. Plugins that change items are assumed to leave them valid; after one that changes messages, nothing is
proved.

Where neither a proof nor a rule decides, `router check` makes messages that satisfy the schema, with unusual values
where the claim is about, and runs the code of the route on them. One that is rejected is the example. Transforms of
plugins are not run.

`elements` are claimed where a route would lose one of two with one key, or where its queue is `atomic`: not where a
version of the element decides which stays, or where all are added. They are *proved* to differ if a list has
`uniqueItems` and the key is the whole element. Few schemas can say that: an RT641 is an `info`, with which `--strict`
does not fail. Of a `transaction`, the routes that may take one message count together: not those whose conditions
exclude each other, nor those of `match: first`. Sizes count as far as the schemas bound them.

A `pair` is claimed where two routes of one table [could lose something](writes.md#several-events-of-one-entity) to each
other, whatever the schema of their queues. Keys are *proved* to be apart by literal texts, constants, enumerations,
patterns and formats, bounds of numbers, conditions about a part of the key, and kinds of metadata. Where two messages
with one key are found, they are run through both routes, on tables in memory, in both orders: what is lost of the items
is the finding (RT626 to RT628), with the messages and the edit. Keys that begin or end with other literal texts are
apart without a claim. The routes of one FIFO queue receive the messages of a key in order. Of many routes with keys
that are alike, each is reported with two others.

`router check` ends with a line such as `proved 41 of 44 claims; 2 things may go wrong; 1 not decided: --unproved shows
them`, and the first examples of messages that no finding tells of. `--unproved` lists each with the reason: the part
of the schema or the expression that could not be decided, and what would decide it, such as a bound in the schema; or
an example of a message. It says "no findings" only if each claim is proved. With `--strict` it fails on claims that are
not decided and on those with an example. There are two exceptions: routes without a schema, of whose messages nothing
is known (RT242), and a `size` that only a long value makes too large (RT623), as few schemas bound each text. A claim
can be accepted as other findings are:

```yaml
ignore:
  - {code: RT244, at: routes.orders.item.total, reason: "the shop sends only numbers"}
```

In `--format json` the list `claims` has an object for each: `route`, `kind` (as in the table), `subject` (the
attribute, of a `pair` the other route, or empty), `verdict` (`proved`, `refuted` or `not decided`), `reason`, `file`,
`line` and `column`; and where they apply `codes` (those of the findings), `example` (a message, as JSON text),
`assumes` (what a proof takes for granted) and `ignored` (the reason in the config). `refuted` is a claim that does not
hold for each message. In SARIF, claims that are not decided are results of the kind `open`, and those with an example
are notes.
`router explain --claims` shows the claims about the routes of a queue.

## In CI

`--format github` prints workflow commands, which GitHub Actions shows at the lines of a pull request; `--format sarif`
prints SARIF 2.1.0, which code hosts and editors read; `--format json` is for other tools. With `--no-env`, a variable
of the environment that is not set is a warning, for a CI that does not know the variables. With `--no-plugins`, no code
of [plugins](ci.md#github-actions) is run. The number of findings is on standard error.

The meaning of a code never changes, and an id is never used again.
"""
_PLACEHOLDERS = {
    "ROLE": "arn:aws:iam::123456789012:role/message-router",
    "TABLE": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    "QUEUE": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "NAME": "orders",
}
"""The placeholders in the fixtures of AWS, and what the page shows for them."""


def checks_page() -> str:
    """Returns the page with all codes, in Markdown."""
    sections = [_INTRODUCTION]
    for digit, codes in groupby(known_codes().values(), key=lambda code: code.id[2]):
        rows = "\n".join(f"| [{code.id}](codes/{code.id}.md) | {code.severity} | {_cell(code)} |" for code in codes)
        sections.append(f"## {GROUPS[digit]}\n\n| code | severity | what it says |\n|---|---|---|\n{rows}\n")
    retired = "\n".join(f"- {id_}: {reason}" for id_, reason in RETIRED.items())
    return "\n".join([*sections, f"## Retired codes\n\n{retired}\n"])


def code_pages(fixtures: Path = FIXTURES) -> Mapping[str, str]:
    """Returns the page of each code, by its path in the repository."""
    examples = collect_examples(fixtures)
    codes = known_codes().values()
    return {f"docs/codes/{code.id}.md": _page(code, examples.get(code.id)) for code in codes}


def _cell(code: Code) -> str:
    return _sentence(code).replace("|", "\\|")


def examples_file(fixtures: Path = FIXTURES) -> str:
    """Returns the text of `router/tools/check/examples.json`."""
    return msgspec.json.format(msgspec.json.encode(collect_examples(fixtures)), indent=1).decode() + "\n"


def collect_examples(fixtures: Path) -> Mapping[str, Example]:
    """Returns the examples by code, in order."""
    of_configs = {folder.name: _of_config(folder) for folder in fixtures.glob("checks/RT*")}
    of_aws = {file.stem[:5] for file in fixtures.glob("aws/live/*/RT*.txt")}
    return dict(sorted((of_configs | {code: _of_aws(fixtures, code) for code in of_aws}).items()))


def _of_config(folder: Path) -> Example:
    found = (folder / "expected.txt").read_text(encoding="utf-8").rstrip()
    return Example(found, _shown(folder / "bad.yaml"), _shown(folder / "good.yaml"))


def _of_aws(fixtures: Path, code: str) -> Example:
    """Returns the example of a code of AWS, which depends on what is deployed: only the lines that are printed."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(fixtures.glob(f"aws/live/*/{code}*.txt"))]
    lines = [line for text in texts for line in text.splitlines() if f" {code} " in line]
    for placeholder, shown in _PLACEHOLDERS.items():
        lines = [line.replace(placeholder, shown) for line in lines]
    return Example("\n".join(dict.fromkeys(lines)))


def _shown(file: Path) -> str:
    """Returns the text of a config; "" for one that is too long, or not UTF-8."""
    try:
        text = file.read_text(encoding="utf-8").rstrip()
    except UnicodeDecodeError:
        return ""
    return text if len(text.splitlines()) < MAX_LINES else ""


def _sentence(code: Code) -> str:
    return f"{code.title[0].upper()}{code.title[1:]}"


def _page(code: Code, example: Example | None) -> str:
    group = GROUPS[code.id[2]]
    parts = [f"# {code.id}", f"{_sentence(code)}. Severity: {code.severity}.", code.why]
    if example and example.bad:
        parts.append(f"```yaml title=bad.yaml\n{example.bad}\n```")
    if example:
        parts.append(f"```text\n{example.found}\n```")
    if example and example.good:
        parts.append(f"```yaml title=good.yaml\n{example.good}\n```")
    if (RUNBOOKS / f"{code.id}.md").is_file():
        parts.append(f"[What to do](../runbooks/{code.id}.md): how to see it, what to change, and when to redrive.")
    anchor = re.sub(r"[^\w\- ]", "", group.lower()).replace(" ", "-")
    parts.append(f"[{group}](../checks.md#{anchor}) has the other codes of its kind.")
    parts.append("<!-- Made by `make format`. -->")
    return "\n\n".join(parts) + "\n"


def runbooks_file() -> str:
    """Returns the text of `router/tools/check/runbooks.json`."""
    pages = sorted(RUNBOOKS.glob("RT*.md"))
    runbooks = {page.stem: page.read_text(encoding="utf-8").partition("\n")[2].strip() for page in pages}
    return msgspec.json.format(msgspec.json.encode(runbooks), indent=1).decode() + "\n"
