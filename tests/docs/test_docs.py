"""The README and the pages of `docs/` are correct: configurations, commands, links, paths, names, codes and tables."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from router import codes as outcome_codes
from router.codes import RETIRED
from router.model import META_NAMES, META_TIMES, Code, Message, Outcome, Record, Result, Summary
from tests.support.aws import Duration
from tests.support.check import examine, known_codes
from tests.support.cli import cli_commands
from tests.support.cli import worker_command as worker
from tests.support.config import config_schema
from tests.support.deliver import (
    FixedDeadline,
    StartLimit,
    log_batch,
    log_results,
    send_dead_letters,
)
from tests.support.dev import MESSAGE_ID, META, Suite
from tests.support.engine import plan
from tests.support.program import HOOKS, Program, load, load_program

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / ".github").rglob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
_BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:router|tests|benchmarks|docs|\.github|\.ci)/[\w./-]+)`")


def blocks(*languages: str) -> list[Any]:
    """Return the code blocks in these languages, each with the id of its page and position."""
    return [
        pytest.param(re.sub(f"^{indent}", "", code, flags=re.MULTILINE), id=f"{page}-{number}")
        for page, text in TEXTS.items()
        for number, (indent, language, code) in enumerate(_BLOCK.findall(text))
        if language in languages
    ]


def commands() -> list[Any]:
    """Return the commands of the router and of make in shell blocks."""
    return [
        pytest.param(text, id=f"{block.id}: {text}")
        for block in blocks("console", "bash")
        for text in (line.removeprefix("$ ") for line in block.values[0].splitlines())
        if re.search(r"(^|\| )(router|make) ", text)
    ]


ENVIRONMENT = {"ROUTER_REDACT_KEY": "k" * 32}
"""What configs with `redact` need."""


def slugs(text: str) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def sample() -> Program:
    return load_program(ROOT / "routes.yaml", {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the schemas and plugins of the sample configuration."""
    for name in ("schemas", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def configs() -> list[Any]:
    """The configurations that pages show: the text of each, with the files beside it by their names."""
    shown = []
    for page, text in TEXTS.items():
        titled = dict(re.findall(r"^```\w+ title=(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        shown += [pytest.param(titled.pop("routes.yaml"), titled, id=page)] if "routes.yaml" in titled else []
    return shown + [
        pytest.param(*block.values, {}, id=block.id) for block in blocks("yaml") if "version: 1" in block.values[0]
    ]


@pytest.mark.parametrize(("text", "beside"), configs())
def test_each_config_is_without_errors(text: str, beside: dict[str, str], folder: Path) -> None:
    """A configuration on a page has no errors, and the tests in it pass."""
    (folder / "routes.yaml").write_text(text, encoding="utf-8")
    for name, content in beside.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
        for schema in re.findall(r"schema: ([\w./-]+\.json)", content):  # the page shows the configuration only
            shutil.copy(ROOT / "schemas" / "user-metadata.json", (folder / name).parent / schema)

    loaded = load(folder / "routes.yaml", ENVIRONMENT)

    failed = (
        [verdict for verdict in Suite(folder / "routes.yaml", ENVIRONMENT).run() if not verdict.passed]
        if loaded.program
        else []
    )
    assert ([str(finding) for finding in loaded.findings if finding.code.severity == "error"], failed) == ([], [])


@pytest.mark.parametrize("page", ["docs/deploy.md", "docs/check.md", "docs/stack.md"])
def test_examples_have_no_findings(page: str, folder: Path) -> None:
    """What a page about deployments shows has no warning either."""
    texts = [each.values[0] for each in configs() if each.id and each.id.startswith(page)]
    found = {}
    for text in texts:
        (folder / "routes.yaml").write_text(text, encoding="utf-8")
        findings = examine(folder / "routes.yaml", ENVIRONMENT).findings
        found[text] = [str(each) for each in findings if each.code.severity != "info"]

    assert found == {text: [] for text in texts}


@pytest.mark.parametrize("text", commands())
def test_each_command_exists(text: str) -> None:
    """Each command on a page is a command of the router or a target of the Makefile."""
    program, name = re.findall(r"(router|make) (\S+)", text)[-1]

    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    assert name in (cli_commands() if program == "router" else targets)


@pytest.mark.parametrize(
    "text",
    [
        line
        for line in commands()
        if re.search(r"router (check|test|explain|schema|--help)", line.values[0])
        # Tests run these in the folder that the page makes, or in the state that it is about:
        # tests/e2e/test_tutorial.py, tests/aws/test_runbooks.py.
        and not str(line.id).startswith(("docs/tutorial.md", "docs/runbooks.md"))
    ],
)
def test_each_offline_command_succeeds(text: str) -> None:
    """Each command that needs no AWS succeeds in the root of the repository."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    done = subprocess.run(text, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)

    counted = r"(no findings|(\d+ infos?, )?3 ignored|\d+ infos?|proved \d+ of \d+ claims.*)\n"
    assert (done.returncode, re.sub(counted, "", done.stderr)) == (0, "")


@pytest.mark.parametrize("page", TEXTS)
def test_each_link_leads_somewhere(page: str) -> None:
    """A relative link refers to an existing file, and to a heading in it."""
    broken = []
    for link in _LINK.findall(_BLOCK.sub("", TEXTS[page])):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        known = target.exists() and (not anchor or anchor in slugs(target.read_text(encoding="utf-8")))
        broken += [] if known else [link]
    assert broken == []


@pytest.mark.parametrize("page", TEXTS)
def test_each_code_exists(page: str) -> None:
    """Each code that a page names is registered."""
    assert set(re.findall(r"\bRT\d{3}\b", TEXTS[page])) - {*known_codes(), *RETIRED} == set()


@pytest.mark.parametrize("text", blocks("json"))
def test_each_json_block_parses(text: str) -> None:
    """Each JSON block is valid JSON."""
    assert json.loads(text)


@pytest.mark.parametrize("page", TEXTS)
def test_each_path_exists(page: str) -> None:
    """Every path of this repository that a page names exists."""
    assert [path for path in _PATH.findall(TEXTS[page]) if not (ROOT / path).exists()] == []


def test_the_example_workflow_is_the_one_of_the_page() -> None:
    """The page on checks shows the example workflow, without the comment above its name."""
    example = (ROOT / ".github" / "examples" / "check-routes.yml").read_text(encoding="utf-8")
    assert f".yml\n{example[example.index('name:') :]}```" in TEXTS["docs/check.md"]
    assert example == (ROOT / "router" / "tools" / "dev" / "new" / "check-routes.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("index", ["docs/README.md", "docs/decisions/README.md"])
def test_each_page_is_in_the_index(index: str) -> None:
    """The index of a directory has a link to each of its pages, and to the index of each directory below."""
    folder = (ROOT / index).parent
    pages = {page.relative_to(folder).as_posix() for page in [*folder.glob("*.md"), *folder.glob("*/README.md")]}
    links = {link for link in _LINK.findall(TEXTS[index]) if not link.startswith("..")}
    assert links == pages - {"README.md"}


def test_the_code_cites_decisions_that_exist() -> None:
    """And each decision is about code that names it, or names its files."""
    sources = [*(ROOT / "router").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tests").rglob("*.py")]
    cited = {
        name
        for path in sources
        if path != Path(__file__)
        for name in re.findall(r"docs/decisions/([\w.-]+\.md)", path.read_text(encoding="utf-8"))
    }

    assert cited == {page.name for page in (ROOT / "docs" / "decisions").glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("page", [page for page in TEXTS if page.startswith("docs/decisions/")])
def test_a_decision_is_short(page: str) -> None:
    """Whoever meets it in the code reads it at once."""
    assert len(TEXTS[page].split()) <= 400


EXTRAS = [
    (name, re.findall(r"`(\w+)`", commands))
    for name, commands in re.findall(
        r"^\| `message-router\[(\w+)\]` \| ([^|;]*)", TEXTS["docs/README.md"], re.MULTILINE
    )
]
"""The extras, each with the commands that need it; one includes those before it."""
_RUN = re.compile(r"^(?:\$ |.*\| |\s*-? *run: )?router ([a-z]+)\b", re.MULTILINE)


def test_each_command_has_its_extra() -> None:
    """tests/e2e/test_extras.py starts each command with these modules only."""
    named = [command for _, commands in EXTRAS for command in commands]

    assert (sorted(named), [name for name, _ in EXTRAS]) == (
        sorted(cli_commands()),
        ["cli", "worker", "local", "console"],
    )


@pytest.mark.parametrize("page", [page for page in TEXTS if re.fullmatch(r"README.md|docs/[\w-]+.md", page)])
def test_a_page_names_the_extra_of_its_commands(page: str) -> None:
    """So that who follows a page from above can run it; the extra of most commands need not be named."""
    text = TEXTS[page]
    run = {command for _, _, code in _BLOCK.findall(text) for command in _RUN.findall(code)}
    named = [name for name, _ in EXTRAS if re.search(rf"(router|\.)\[{name}\]|extra `{name}`", text)]
    enough = [name for name, _ in EXTRAS].index(named[-1] if named else "cli")

    assert run.difference(*(commands for _, commands in EXTRAS[: enough + 1])) == set()


def test_each_command_is_described() -> None:
    """The page of the commands has each."""
    assert [name for name in cli_commands() if f"## router {name}\n" not in TEXTS["docs/cli.md"]] == []


def test_each_hook_has_its_entry() -> None:
    """Every hook has a heading."""
    assert re.findall(r"^### (router_\w+)$", TEXTS["docs/plugins.md"], re.MULTILINE) == list(HOOKS)


def test_each_key_of_a_test_has_its_entry() -> None:
    """The page on testing has a row for each key of `tests:`."""
    rows = set(re.findall(r"^\| `(\w+)` \|", TEXTS["docs/testing.md"], re.MULTILINE))
    assert set(config_schema()["$defs"]["Test"]["properties"]) - rows == set()


def test_the_fixed_values_are_those_of_the_code() -> None:
    """The page on testing has the fixed value of each system attribute."""
    page = TEXTS["docs/testing.md"]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)`", page, re.MULTILINE))
    message = Message({}, MESSAGE_ID, system=META)
    system = {"group_id": "MessageGroupId", "sequence_number": "SequenceNumber", "sender_id": "SenderId"}
    system |= {"deduplication_id": "MessageDeduplicationId"}
    values = {name: META[key] for name, key in system.items()} | {name: message.time(name) for name in META_TIMES}
    assert {name: rows.get(name) for name in META_NAMES if name not in ("queue", "route")} == {
        **values,
        "message_id": MESSAGE_ID,
    }
    assert [str(message.epoch_ms(name)) in page for name in META_TIMES] == [True, True]


def test_each_outcome_code_is_explained() -> None:
    """The page on outcomes explains every code that a message can end with."""
    codes = {value.id for value in vars(outcome_codes).values() if isinstance(value, Code)}
    known = {code for code in codes if code.startswith("RT8")}
    assert known - set(re.findall(r"RT8\d\d", TEXTS["docs/outcomes.md"])) == {outcome_codes.DROPPED.id}


def test_each_option_of_the_worker_is_explained() -> None:
    """The page on the worker has every option that its help shows."""
    shown = {name for option in worker.params if not getattr(option, "hidden", False) for name in option.opts} - {
        "--processes"
    }
    assert {name for name in shown if f"`{name}" not in TEXTS["docs/worker.md"]} == set()


def test_the_log_lines_have_those_fields(caplog: pytest.LogCaptureFixture) -> None:
    """The page on observability has each field of the log lines of a message and of a batch."""
    with caplog.at_level("INFO", "router"):
        log_results([Result("id", "orders", Outcome("stale", "RT821"))])
        log_batch(Summary("orders", {"stale": 1}, 0.5), "c0ffee")
    fields = [name for record in caplog.records for name in record.__dict__["fields"]]
    assert [name for name in fields if f"| `{name}` |" not in TEXTS["docs/observability.md"]] == []


def test_the_dead_letter_has_those_members(sample: Program) -> None:
    """The attribute on the page on outcomes equals the one that is sent."""
    (shown,) = (json.loads(block.values[0]) for block in blocks("json") if block.id.startswith("docs/outcomes.md"))
    queue = structs.replace(sample.engine.queues["user-metadata"], reference=shown["source"])
    reported = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1795565028902",
        "ApproximateFirstReceiveTimestamp": "1795565029201",
        "SenderId": shown["sender_id"],
    }
    record = Record(shown["message_id"], "handle", '{"user_id": 7, "device": "x"}', reported)
    sent: list[Any] = []

    def send(url: str, letters: Any, timeout: float) -> dict[str, Any]:
        sent.extend(letters)
        return {}

    queues: Any = SimpleNamespace(url=lambda name, timeout: name, send=send)

    limit = StartLimit(FixedDeadline(60.0), 0.0, [Duration()])
    outcome = plan(queue, record).outcome
    assert outcome is not None
    send_dead_letters(queues, queue, [(record, outcome)], limit, lambda: 0.0, shown["config"])

    (letter,) = sent
    sent_attribute = json.loads(letter.message_attributes["router"]["StringValue"])
    now = sent_attribute["failed_at"]
    assert sent_attribute == {**shown, "failed_at": now, "first_failed_at": now}


def test_the_policy_names_what_the_sample_config_uses(sample: Program) -> None:
    """The policy for Lambda names each queue, dead-letter queue and table of the sample, and no other."""
    (policy,) = (json.loads(block.values[0]) for block in blocks("json") if block.id.startswith("docs/lambda.md"))
    named = {
        each["Sid"]: [arn.split(":")[-1].removeprefix("table/") for arn in each["Resource"]]
        for each in policy["Statement"]
        if isinstance(each["Resource"], list)
    }
    queues = sample.engine.queues.values()
    assert named == {
        "ReadAndPostpone": [queue.reference for queue in queues],
        "SendDeadLetters": [queue.dead_letter for queue in queues],
        "WriteTables": [table.name or name for name, table in sample.config.tables.items()],
    }


def test_the_tests_of_the_page_on_testing_pass(tmp_path: Path) -> None:
    """The tests of a plugin on the page pass."""
    (code,) = (block.values[0] for block in blocks("python") if block.id.startswith("docs/testing.md"))
    (tmp_path / "test_page.py").write_text(code, encoding="utf-8")

    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)

    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
