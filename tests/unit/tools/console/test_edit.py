"""The calls of the view Edit: what an editor shows of a config and a message, with nothing saved until asked."""

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.console import JobProcess, Refused, Workspace, call, opened

CONFIG = """\
version: 1
include: flows/*.yaml
queues:
  users: {dead_letter: users-dlq}
tables:
  users: {key: {id: S}}
routes:
  # who there is
  users:
    queue: users
    table: users
    schema: user.json
    item: {id: user.id, n: n}
    tests:
      - {name: one, message: {user: {id: a}, n: 1}, item: {id: a, n: 1}}
      - {name: as it is, body: no JSON, outcome: rejected}
"""
INCLUDED = """\
routes:
  copies:
    queue: users
    table: users
    item: {id: user.id}   # a comment
"""
SCHEMA = {
    "type": "object",
    "required": ["user"],
    "properties": {
        "n": {"type": "number"},
        "user": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 36}},
        },
    },
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace whose processes all tests share."""
    config = tmp_path_factory.mktemp("console") / "routes.yaml"
    with opened(config, os.environ) as workspace:
        yield workspace


@pytest.fixture
def workspace(shared: Workspace) -> Workspace:
    """The workspace with its files as they are at first."""
    folder = shared.config.parent
    (folder / "flows").mkdir(exist_ok=True)
    shared.config.write_text(CONFIG, encoding="utf-8")
    (folder / "flows" / "more.yaml").write_text(INCLUDED, encoding="utf-8")
    (folder / "user.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    call(shared, "edit/files")
    return shared


def included(workspace: Workspace) -> Path:
    return workspace.config.parent / "flows" / "more.yaml"


def schema(workspace: Workspace) -> Path:
    return workspace.config.parent / "user.json"


def files(workspace: Workspace) -> dict[str, dict[str, str]]:
    return {each["name"]: each for each in call(workspace, "edit/files")["files"]}


def test_files(workspace: Workspace) -> None:
    """The config, what it includes, and its schemas, without the byte order mark and with line feeds."""
    included(workspace).write_bytes(b"\xef\xbb\xbf" + INCLUDED.replace("\n", "\r\n").encode())

    found = [(each["name"], each["text"]) for each in files(workspace).values()]

    assert found == [
        (str(workspace.config), CONFIG),
        (str(included(workspace)), INCLUDED),
        (str(schema(workspace)), json.dumps(SCHEMA)),
    ]


@pytest.mark.parametrize("content", [b"version: [", b"\xff"])
def test_files_of_a_broken_config(workspace: Workspace, content: bytes) -> None:
    """The config itself can be read and repaired, or it is said why not."""
    workspace.config.write_bytes(content)

    (found,) = files(workspace).values()

    assert (found["text"], found["fault"]) == (("version: [", "") if content.isascii() else ("", "is not UTF-8 text"))


def test_changes_on_the_disk(workspace: Workspace) -> None:
    """A file that changed is found by its hash; the stamp tells of schemas and plugins, too."""
    known = {name: each["hash"] for name, each in files(workspace).items()}
    before = call(workspace, "edit/disk", known=known)
    included(workspace).write_text(f"{INCLUDED}# changed\n", encoding="utf-8")
    changed = call(workspace, "edit/disk", known=known)
    (workspace.config.parent / "user.json").write_text("true", encoding="utf-8")

    after = call(workspace, "edit/disk", known=known)

    assert (before["files"], [each["text"] for each in changed["files"]], changed["stamp"] == after["stamp"]) == (
        [],
        [f"{INCLUDED}# changed\n"],
        False,
    )


def test_saving(workspace: Workspace) -> None:
    """A file is written as it was: with its byte order mark, its line endings and its mode."""
    included(workspace).write_bytes(b"\xef\xbb\xbf" + INCLUDED.replace("\n", "\r\n").encode())
    included(workspace).chmod(0o640)
    file = files(workspace)[str(included(workspace))]

    saved = call(workspace, "edit/save", files=[{**file, "text": f"{INCLUDED}# é\n"}])

    content = b"\xef\xbb\xbf" + f"{INCLUDED}# é\n".replace("\n", "\r\n").encode()
    assert (
        included(workspace).read_bytes(),
        included(workspace).stat().st_mode & 0o777,
        saved["files"][0]["text"],
    ) == (
        content,
        0o640,
        f"{INCLUDED}# é\n",
    )


def test_saving_over_a_change(workspace: Workspace) -> None:
    """A change on the disk is overwritten only if that is confirmed; before that, no file is written."""
    found = files(workspace)
    edited = [{**each, "text": "# mine\n"} for name, each in found.items() if name.endswith(".yaml")]
    included(workspace).write_text("# theirs\n", encoding="utf-8")
    with pytest.raises(Refused) as caught:
        call(workspace, "edit/save", files=edited)
    kept = (workspace.config.read_text(), included(workspace).read_text())

    call(workspace, "edit/save", files=edited, overwrite=True)

    sentence = f"'{included(workspace)}' changed on the disk since it was read"
    assert (caught.value.args, kept, included(workspace).read_text()) == (
        ("conflict", sentence, 409),
        (CONFIG, "# theirs\n"),
        "# mine\n",
    )


@pytest.mark.parametrize("name", ["other.json", "../routes.yaml", "flows/new.yaml"])
def test_saving_other_files(workspace: Workspace, name: str) -> None:
    """Only files of the config are written."""
    file = str(workspace.config.parent / name)

    with pytest.raises(Refused) as caught:
        call(workspace, "edit/save", files=[{"name": file, "text": "x", "hash": ""}], overwrite=True)

    assert caught.value.args == ("not_a_file", f"'{file}' is not a file of the config", 403)


def test_pages_that_save_at_once(workspace: Workspace) -> None:
    """One of them saves; the others get a conflict, whoever was first."""
    found: list[list[str]] = []

    def save(file: dict[str, str], text: str) -> str:
        try:
            call(workspace, "edit/save", files=[{**file, "text": text}])
        except Refused as refused:
            return str(refused.args[0])
        return "saved"

    with ThreadPoolExecutor(6) as pool:
        for _ in range(25):
            included(workspace).write_text("# base\n", encoding="utf-8")
            (file,) = call(workspace, "edit/disk", known={str(included(workspace)): ""})["files"]
            found.append(sorted(pool.map(save, [file] * 6, [f"# {number}\n" for number in range(6)])))

    assert found == [["conflict"] * 5 + ["saved"]] * 25


def test_a_file_that_becomes_a_link(workspace: Workspace, tmp_path: Path) -> None:
    """What a link leads to outside of the folder is neither read nor written, even if the file was listed before."""
    name, secret = str(included(workspace)), tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    included(workspace).unlink()
    included(workspace).symlink_to(secret)

    (read,) = call(workspace, "edit/disk", known={name: "0"})["files"]
    with pytest.raises(Refused) as caught:
        call(workspace, "edit/save", files=[{"name": name, "text": "mine", "hash": ""}], overwrite=True)

    included(workspace).unlink()
    fault = "it leads out of the folder of the config"
    assert (read, caught.value.args, secret.read_text()) == (
        {"name": name, "hash": "", "text": "", "fault": f"cannot be read: {fault}"},
        ("not_a_file", f"'{name}' cannot be saved: {fault}", 403),
        "secret",
    )


def test_a_file_that_becomes_a_pipe(workspace: Workspace) -> None:
    """It is not waited for: neither to read it nor to replace it."""
    name = str(schema(workspace))
    schema(workspace).unlink()
    os.mkfifo(schema(workspace))

    (read,) = call(workspace, "edit/disk", known={name: "0"})["files"]
    with pytest.raises(Refused) as caught:
        call(workspace, "edit/save", files=[{"name": name, "text": "mine", "hash": ""}], overwrite=True)

    schema(workspace).unlink()
    fault = "it is not a regular file"
    assert (read["fault"], caught.value.args) == (
        f"cannot be read: {fault}",
        ("not_a_file", f"'{name}' cannot be saved: {fault}", 403),
    )


@pytest.mark.parametrize("line", ["include: own.py", "schema: own.py"])
def test_a_plugin_is_no_file_of_the_page(workspace: Workspace, line: str) -> None:
    """What the config names as another file, but a plugin could be, is not edited."""
    (workspace.config.parent / "own.py").write_text("{}", encoding="utf-8")
    kind = line.partition(":")[0]
    edited = re.sub(f"{kind}: .*", line, CONFIG)

    found = call(workspace, "edit/files", unsaved={str(workspace.config): edited})

    (workspace.config.parent / "own.py").unlink()
    assert [each["name"] for each in found["files"] if each["name"].endswith(".py")] == []


def test_findings_of_unsaved_files(workspace: Workspace) -> None:
    """Findings are at the lines of the texts in the editor, of included files too; claims have their places."""
    unsaved = {str(included(workspace)): f"\n\n{INCLUDED.replace('table: users', 'table: user')}"}

    found = call(workspace, "edit/check", unsaved=unsaved)

    expected = {
        "code": "RT201",
        "severity": "error",
        "title": "unknown table",
        "sentence": "unknown table 'user'",
        "suggestion": "did you mean 'users'?",
        "file": str(included(workspace)),
        "line": 6,
        "column": 12,
    }
    assert ([each for each in found["findings"] if each["severity"] == "error"], found["claims"]) == ([expected], [])


def test_an_unsaved_schema(workspace: Workspace) -> None:
    """A schema is used as it is in the editor; its faults are at its lines."""
    unsaved = {str(schema(workspace)): json.dumps({**SCHEMA, "required": ["n"]})}
    broken = call(workspace, "edit/check", unsaved={str(schema(workspace)): '{\n  "type": \n}'})

    found = run(workspace, '{"user": {"id": "a"}}', unsaved=unsaved)

    places = [(each["code"], each["file"], each["line"]) for each in broken["findings"] if each["severity"] == "error"]
    assert (found["outcome"]["reason"], places, len(files(workspace))) == (
        "fails 'required' at /required: 'n' is missing",
        [("RT301", str(schema(workspace)), 3)],
        3,
    )


def test_claims(workspace: Workspace) -> None:
    """The ledger is at the lines that the claims are about."""
    claims = call(workspace, "edit/check")["claims"]

    expected = {
        "route": "users",
        "claim": "key id",
        "verdict": "proved",
        "words": "proved",
        "reason": "",
        "file": str(workspace.config),
        "line": 13,
    }
    assert [each for each in claims if (each["route"], each["claim"]) == ("users", "key id")] == [expected]


def test_outline(workspace: Workspace) -> None:
    """What is offered while typing: names, and the messages of tests."""
    (workspace.config.parent / "sample.json").write_text('{"user": {"id": "b"}}', encoding="utf-8")
    tests = "      - {file: sample.json, item_contains: {id: b}}\n      - {record: {body: '{}'}, outcome: rejected}\n"

    found = call(workspace, "edit/outline", unsaved={str(workspace.config): CONFIG + tests})

    samples = [(each["name"], each["text"], each["raw"]) for each in found["samples"]]
    assert (found["queues"], found["tables"], "lower" in found["transforms"], samples) == (
        {"users": ["users", "copies"]},
        ["users"],
        True,
        [
            ("one", '{\n  "user": {\n    "id": "a"\n  },\n  "n": 1\n}', False),
            ("as it is", "no JSON", True),
            ("test 3", '{"user": {"id": "b"}}', False),
            ("test 4", '{\n  "body": "{}"\n}', True),
        ],
    )


def test_outline_of_a_broken_config(workspace: Workspace) -> None:
    """There is none."""
    assert call(workspace, "edit/outline", unsaved={str(workspace.config): "version: ["}) is None


@pytest.mark.parametrize(("route", "paths"), [("users", ["n", "user", "user.id"]), ("copies", []), ("none", [])])
def test_paths(workspace: Workspace, route: str, paths: list[str]) -> None:
    """The paths that the schema of a route declares."""
    assert call(workspace, "edit/paths", route=route) == paths


def run(workspace: Workspace, message: str, **more: Any) -> Any:
    return call(workspace, "edit/run", queue="users", message=message, **more)


def test_a_message(workspace: Workspace) -> None:
    """It is run through the texts in the editor; values are texts, so that numbers are exact."""
    unsaved = {str(included(workspace)): INCLUDED.replace("user.id}", "user.id, n: n}")}

    found = run(workspace, '{"user": {"id": "a"}, "n": 12345678901234567890.12}', unsaved=unsaved)

    stages = [(each["route"], each["stage"]) for each in found["stages"]]
    items = [(each["route"], each["operation"], each["plain"], each["stored"]) for each in found["items"]]
    plain = '{\n  "id": "a",\n  "n": 12345678901234567890.12\n}'
    stored = '{\n  "id": {\n    "S": "a"\n  },\n  "n": {\n    "N": "12345678901234567890.12"\n  }\n}'
    assert (found["outcome"]["kind"], stages, items, len(found["requests"])) == (
        "written",
        [
            ("", "decode"),
            ("users", "validate"),
            ("users", "map"),
            ("users", "write"),
            ("copies", "map"),
            ("copies", "write"),
        ],
        [("users", "Put", plain, stored), ("copies", "Put", plain, stored)],
        2,
    )


def test_a_rejected_message(workspace: Workspace) -> None:
    """Where it fails, and why."""
    found = run(workspace, '{"user": {"id": ""}}')

    outcome = found["outcome"]
    assert (outcome["kind"], outcome["code"], outcome["pointer"], found["failed_at"], len(found["faults"])) == (
        "rejected",
        "RT806",
        "/user/id",
        "validate",
        1,
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"queue": "others"}, ("usage", "no route reads the queue 'others'; there are users", 400)),
        ({"queue": "users", "message": '{"body": 1, "messageId": 1, "attributes": 1}', "raw": True}, None),
    ],
)
def test_messages_that_cannot_run(workspace: Workspace, given: Any, expected: Any) -> None:
    """The reason is a sentence."""
    with pytest.raises(Refused) as caught:
        call(workspace, "edit/run", **given)

    assert caught.value.args == (expected or ("usage", "'attributes' of the record must be an object", 400))


def test_a_message_of_a_broken_config(workspace: Workspace) -> None:
    """The first finding is the reason."""
    with pytest.raises(Refused) as caught:
        run(workspace, "{}", unsaved={str(workspace.config): CONFIG.replace("table: users", "table: user")})

    code, _, status = caught.value.args
    assert (code, status) == ("RT201", 422)


def test_tests(workspace: Workspace) -> None:
    """The tests of the routes of the queue are run as they are in the editor."""
    unsaved = {str(workspace.config): CONFIG.replace("item: {id: a, n: 1}}", "item: {id: a, n: 2}}")}

    found = call(workspace, "edit/tests", queue="users", unsaved=unsaved)

    difference = {"what": "n", "expected": "2", "found": "1"}
    assert [(each["name"], each["passed"], each["differences"], each["line"]) for each in found] == [
        ("one", False, [difference], 15),
        ("as it is", True, [], 16),
    ]


@pytest.mark.parametrize(
    ("message", "raw", "line"),
    [
        (
            '{"user": {"id": "b"}, "n": 1.50}',
            False,
            "{name: new, message: {user: {id: b}, n: 1.5}, item: {id: b, n: 1.5}}",
        ),
        ('{"user": {"id": "${B}"}}', False, "name: new"),
        ('{"user": {}}', False, "{name: new, message: {user: {}}, outcome: rejected, code: RT806}"),
        ("not JSON", True, "{name: new, body: not JSON, outcome: rejected, code: RT801}"),
        ('{"body": "{}", "messageId": "m"}', True, "record: {body: "),
    ],
)
def test_a_message_as_a_test(workspace: Workspace, message: str, raw: bool, line: str) -> None:
    """A message becomes a test that passes, in the text of the editor; comments stay, and nothing is saved."""
    asked = {"queue": "users", "route": "users", "name": "new", "message": message, "raw": raw}

    added = call(workspace, "edit/add_test", **asked)

    results = call(workspace, "edit/tests", queue="users", unsaved={added["file"]: added["text"]})
    start = CONFIG.rstrip("\n")
    assert (
        added["text"].startswith(start),
        line in added["text"][len(start) :],
        [each["passed"] for each in results if each["name"] == "new"],
        workspace.config.read_text(),
    ) == (True, True, [True], CONFIG), added["text"]


def test_the_first_test_of_a_route(workspace: Workspace) -> None:
    """It is added to the file of its route, as the editor has it."""
    unsaved = {str(included(workspace)): f"# edited\n{INCLUDED}"}
    asked = {"queue": "users", "route": "copies", "name": "new", "message": '{"user": {"id": "b"}}'}

    added = call(workspace, "edit/add_test", unsaved=unsaved, **asked)

    tests = "    tests: [{name: new, message: {user: {id: b}}, item: {id: b}}]\n"
    assert added == {"file": str(included(workspace)), "text": f"# edited\n{INCLUDED}{tests}"}


def test_a_test_of_text_that_is_no_json(workspace: Workspace) -> None:
    """It is refused, with what to do."""
    with pytest.raises(Refused) as caught:
        call(workspace, "edit/add_test", queue="users", route="users", name="new", message="{")

    sentence = "the message is not JSON: mark it as raw to have it in a test as it is"
    assert caught.value.args == ("usage", sentence, 400)


def test_the_runbook_of_a_code(workspace: Workspace) -> None:
    """A code that a message ends with says what to do."""
    found = [call(workspace, "edit/code", code=code)["runbook"] for code in ("RT806", "RT201")]

    assert (found[0].startswith("The reason names"), "Redrive: " in found[0], found[1]) == (True, True, "")


def test_a_code(workspace: Workspace) -> None:
    """A code is explained as `router check --explain` does; an unknown one is refused."""
    found = call(workspace, "edit/code", code="RT201")
    with pytest.raises(Refused) as caught:
        call(workspace, "edit/code", code="RT999")

    assert (found["code"], bool(found["why"]), bool(found["bad"]), caught.value.args[0]) == (
        "RT201",
        True,
        True,
        "unknown_code",
    )


@pytest.mark.slow
def test_a_plugin_that_hangs(tmp_path: Path) -> None:
    """It is ended, and what is edited next is checked."""
    config = tmp_path / "routes.yaml"
    config.write_text(CONFIG.replace("include: flows/*.yaml", "plugins: [own.py]"), encoding="utf-8")
    (tmp_path / "user.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (tmp_path / "own.py").write_text("while True: pass\n", encoding="utf-8")
    with closing(JobProcess(os.environ, 8)) as messages, closing(JobProcess(os.environ, 8)) as checks:
        workspace = Workspace(config, os.environ, messages, checks, checks)
        with pytest.raises(Refused) as caught:
            call(workspace, "edit/run", queue="users", message="{}")
        (tmp_path / "own.py").write_text("", encoding="utf-8")
        found = None
        while found is None:
            # The start of a process counts, and can take longer on a busy machine.
            with suppress(Refused):
                found = call(workspace, "edit/run", queue="users", message="{}")

    assert (caught.value.args[0], found["outcome"]["kind"]) == ("timeout", "rejected")
