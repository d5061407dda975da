"""`router diff` as a user and as CI start it, in git repositories that the tests make."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CONFIG = """\
version: 1
queues: {orders: {dead_letter: orders-dlq}}
tables: {orders: {key: {id: S}}}
routes:
  orders:
    queue: orders
    table: orders
    schema: orders.json
    item: {id: id, total: total}
"""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 9}, "total": {"type": "number"}},
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a config and its schema in one commit."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "orders.json").write_text(json.dumps(SCHEMA))
    settings = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "one")):
        subprocess.run(["git", *settings, *words], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def require_total(folder: Path) -> None:
    (folder / "orders.json").write_text(json.dumps({**SCHEMA, "required": ["id", "total"]}))


def test_without_a_change(repository: Path, router: Run) -> None:
    """Exit code 0."""
    done = router("diff")

    assert (done.stdout, done.stderr, done.returncode) == (
        "git:HEAD → working tree\nno changes; routes: 1 the same\n",
        "",
        0,
    )


def test_what_breaks_is_shown_for_people(repository: Path, router: Run) -> None:
    """In 80 columns, with a message that can be copied."""
    require_total(repository)

    done = router("diff")

    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "git:HEAD → working tree",
        "",
        "breaking  orders",
        "  RT901  it no longer takes some messages: fails 'required' at /required:",
        "         'total' is missing",
        "         routes.yaml:8:13, was at HEAD:routes.yaml:8:13",
    ]
    assert json.loads(lines[6].removeprefix("         message "))["id"]
    assert lines[7:] == [
        "         before   written",
        "         after    rejected (RT806 fails 'required' at /required: 'total' is",
        "                  missing)",
        "",
        "1 breaking; routes: 1 breaking, 0 the same",
    ]
    assert (max(map(len, lines)) <= 80, done.returncode) == (True, 1)


def test_json_for_machines(repository: Path, router: Run) -> None:
    """A verdict for each route that changed, and all findings."""
    require_total(repository)

    done = router("diff", "git:HEAD", "routes.yaml", "--format", "json")

    report = json.loads(done.stdout)
    (route,), (found,) = report["routes"], report["findings"]
    assert (route["route"], route["verdict"], route["counterexample"]) == ("orders", "breaking", found["example"])
    assert route["findings"] == report["findings"]
    assert {key: found[key] for key in ("code", "severity", "path", "line", "old")} == {
        "code": "RT901",
        "severity": "breaking",
        "path": ["routes", "orders", "schema"],
        "line": 8,
        "old": {"file": "HEAD:routes.yaml", "line": 8, "column": 13},
    }
    assert (report["breaks"], report["same_routes"], done.returncode) == (True, 0, 1)


def test_markdown_for_a_comment(repository: Path, router: Run) -> None:
    """Names and messages are code, and nothing in them is Markdown."""
    text = CONFIG.replace("total: total", "'to|*tal`': total")
    (repository / "routes.yaml").write_text(text)

    done = router("diff", "--format", "markdown")

    assert done.stdout.splitlines()[:7] == [
        "### Changes of the routes: `git:HEAD` → `working tree`",
        "",
        "1 breaking; routes: 1 compatible, 0 the same",
        "",
        "#### `orders`: compatible",
        "",
        "- **breaking** RT911 attribute 'total' is written as 'to\\|\\*tal\\`' (`routes.yaml:9:32`)",
    ]


def test_annotations_and_sarif(repository: Path, router: Run) -> None:
    """Each finding is at its place in the new config."""
    require_total(repository)

    github, sarif = (router("diff", "--format", form).stdout for form in ("github", "sarif"))

    assert github.startswith("::error file=routes.yaml,line=8,col=13,title=RT901::route 'orders': it no longer takes")
    (result,) = json.loads(sarif)["runs"][0]["results"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (result["ruleId"], result["level"], region) == ("RT901", "error", {"startLine": 8, "startColumn": 13})


@pytest.mark.parametrize("form", ["text", "json", "markdown", "github", "sarif"])
def test_all_reasons_are_shown(repository: Path, router: Run, form: str) -> None:
    """In each format."""
    properties = {**SCHEMA["properties"], "id": {"type": "string", "minLength": 2, "maxLength": 9}}
    changed = {**SCHEMA, "required": ["id", "total"], "properties": properties}
    (repository / "orders.json").write_text(json.dumps(changed))

    done = router("diff", "--format", form)

    text = " ".join(done.stdout.split())
    reasons = ("fails 'required' at /required: 'total' is missing", "fails 'minLength' at /properties/id/minLength")
    assert [reason in text for reason in reasons] == [True, True]


def test_ignored_with_a_reason(repository: Path, router: Run) -> None:
    """The exit code is 0; --show-ignored shows it, and `router check` does not call it unused."""
    require_total(repository)
    ignore = 'ignore: [{code: RT901, at: routes.orders, reason: "the sender always had it"}]\n'
    (repository / "routes.yaml").write_text(CONFIG + ignore)

    done, shown, checked = router("diff"), router("diff", "--show-ignored"), router("check", "--strict")

    assert (done.returncode, shown.returncode, checked.returncode) == (0, 0, 0)
    assert done.stdout.splitlines()[-1] == "no changes, 1 ignored; routes: 1 breaking, 0 the same"
    assert "(ignored: the sender always had it)" in shown.stdout


def test_strict_fails_on_risks(repository: Path, router: Run) -> None:
    """Such as messages that are newly taken."""
    (repository / "orders.json").write_text(json.dumps({**SCHEMA, "properties": {"id": SCHEMA["properties"]["id"]}}))

    done, strict = router("diff"), router("diff", "--strict")

    assert (done.returncode, strict.returncode) == (0, 1)


def test_a_compiled_config(repository: Path, router: Run) -> None:
    """What is deployed can be the old version."""
    router("compile", "-o", "routes.compiled.json")
    require_total(repository)

    done = router("diff", "routes.compiled.json")

    assert done.stdout.splitlines()[:3] == ["routes.compiled.json → working tree", "", "breaking  orders"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("git:nowhere",), "router: git knows no commit 'nowhere'; in CI fetch it first"),
        (("none.yaml",), "router: there is no file none.yaml"),
        (("git:HEAD", "broken.yaml"), "broken.yaml:1:1: error RT102"),
    ],
)
def test_what_cannot_be_compared(repository: Path, router: Run, words: tuple[str, ...], reason: str) -> None:
    """Exit code 2, and no traceback."""
    (repository / "broken.yaml").write_text("version: 1\n")

    done = router("diff", *words)

    assert (done.stdout, done.stderr.startswith(reason), done.returncode) == ("", True, 2)


BACKWARDS = CONFIG.replace("    item:", "    when: reverse(id) != '7zq'\n    item:")
"""No message that is made shows this change."""


@pytest.fixture
def recording(repository: Path) -> Path:
    """A recording with the one message that the changed config does not take."""
    file = repository / "orders.jsonl"
    lines: tuple[dict[str, Any], ...] = (
        {"recording": 1, "queue": "orders", "config": ""},
        {"message": {"id": "qz7"}, "outcome": "written", "routes": ["orders"]},
    )
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


@pytest.mark.parametrize(
    ("words", "code", "verdict", "counterexample", "suggestion"),
    [
        ((), 0, "unknown", None, ""),
        (("--recorded",), 1, "breaking", None, "a recorded message shows it: --values prints that"),
        (("--values", "--recorded"), 1, "breaking", {"id": "qz7"}, ""),
    ],
)
def test_recorded_messages(
    recording: Path, router: Run, words: tuple[str, ...], code: int, verdict: str, counterexample: Any, suggestion: str
) -> None:
    """What only a recorded message shows is found; the message is printed on request alone."""
    (recording.parent / "routes.yaml").write_text(BACKWARDS)

    done = router("diff", "--format", "json", *words, *([str(recording)] if words else []))

    (route,) = json.loads(done.stdout)["routes"]
    found = [each["suggestion"] for each in route["findings"] if each["code"] in ("RT901", "RT902")]
    assert (done.returncode, route["verdict"], route["counterexample"], found) == (
        code,
        verdict,
        counterexample,
        [suggestion],
    )
    assert ("qz7" in done.stdout) == (counterexample is not None)


@pytest.mark.parametrize("words", [(), ("--values",)])
def test_recorded_items(recording: Path, router: Run, words: tuple[str, ...]) -> None:
    """A message that shows a change of an item is an example, on request."""
    mapping = "total: \"reverse(id) == '7zq' && 'x' || total\""
    (recording.parent / "routes.yaml").write_text(CONFIG.replace("total: total", mapping))

    done = router("diff", "--format", "json", "--recorded", str(recording), *words)

    found = [
        each for each in json.loads(done.stdout)["findings"] if each["path"] == ["routes", "orders", "item", "total"]
    ]
    assert [each.get("example") for each in found] == [{"id": "qz7"} if words else None], done.stdout
