"""`router check` as a user and as CI start it."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = """\
version: 1
include: flows/*.yaml
tables: {users: {key: {id: S}}}
"""
FLOW = """\
plugins: [own.py]
queues: {users: {dead_letter: users-dlq}}
routes:
  users:
    queue: users
    table: users
    schema: users.json
    item: {id: id, name: {from: name, transform: shout}}
    tests:
      - {file: ann.json, item: {id: u1, name: ANN}}
"""
PLUGIN = """\
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", shout)

def shout(value: str) -> str:
    return value.upper()
"""
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 9}, "name": {"type": "string"}},
}
ACCEPTED = "ignore: [{code: RT241, reason: the plugin has tests of its own}]\n"
COUNTS = "proved 2 of 4 claims; 2 not decided: --unproved shows them\n"
COUNTS_OF_ACCEPTED = "proved 2 of 4 claims; 2 not decided (2 ignored): --unproved shows them\n"


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A config in two files, with a plugin, a schema and a message beside the second."""
    (tmp_path / "routes.yaml").write_text(ROOT)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "own.py").write_text(PLUGIN)
    (tmp_path / "flows" / "users.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "flows" / "ann.json").write_text('{"id": "u1", "name": "Ann"}')
    file = tmp_path / "flows" / "users.yaml"
    file.write_text(FLOW)
    return file


def output_of(done: "subprocess.CompletedProcess[str]") -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


def on_a_terminal(folder: Path, *words: str, **env: str) -> str:
    """What `router …` prints on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "router", *words]
    with subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=theirs, env=os.environ | env) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the other side is closed
            pass
        process.wait(timeout=60)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_many_files(router: Run, flow: Path) -> None:
    """Are one config for every command."""
    check, test, demo = router("check"), router("test", "--quiet"), router("demo")
    explain = router("explain", "--queue", "users", "--json", "-", input='{"id": "u2", "name": "Bob"}')

    request = {"Item": {"id": {"S": "u2"}, "name": {"S": "BOB"}}}
    requests = [{"BatchWriteItem": {"RequestItems": {"users": [{"PutRequest": request}]}}}]
    assert (output_of(check), test.returncode, json.loads(explain.stdout)["requests"], "ANN" in demo.stdout) == (
        (0, "", COUNTS),
        0,
        requests,
        True,
    )


def test_a_fault_in_an_included_file(router: Run, flow: Path) -> None:
    """An error in an included file is reported with its name and line, by `router worker` too."""
    flow.write_text(FLOW.replace("transform: shout", "transform: shuot").replace("users.json", "user.json"))
    lines = (
        "flows/users.yaml:7:13: error RT301 cannot read schema 'flows/user.json': no such file or directory; "
        "a schema is "
        "a file, relative to the config\n"
        "flows/users.yaml:8:50: error RT403 unknown transform 'shuot'; did you mean 'shout'?\n"
    )

    assert (output_of(router("check")), output_of(router("worker"))) == ((1, lines, "2 errors\n"), (2, "", lines))


def test_strict(router: Run, flow: Path) -> None:
    """Warnings fail."""
    flow.write_text(FLOW.replace("{dead_letter: users-dlq}", "{}") + ACCEPTED)

    assert [(done.returncode, done.stderr) for done in (router("check"), router("check", "--strict"))] == [
        (0, f"1 warning\n{COUNTS_OF_ACCEPTED}"),
        (1, f"1 warning\n{COUNTS_OF_ACCEPTED}"),
    ]


@pytest.mark.parametrize(("ignore", "code", "counts"), [("", 1, COUNTS), (ACCEPTED, 0, COUNTS_OF_ACCEPTED)])
def test_strict_about_claims(router: Run, flow: Path, ignore: str, code: int, counts: str) -> None:
    """A claim that is not decided fails, unless the config accepts it with a reason."""
    flow.write_text(FLOW + ignore)

    assert output_of(router("check", "--strict")) == (code, "", counts)


def test_claims_in_an_explanation(router: Run, flow: Path) -> None:
    """`router explain --claims` lists all claims about the routes of the queue."""
    done = router("explain", "--queue", "users", "--claims", "-", input='{"id": "u2", "name": "Bob"}')

    route = "flows/users.yaml:8: route 'users': "
    assert [line.removeprefix(route) for line in done.stdout.splitlines() if line.startswith(route)] == [
        "the mapping of 'id' is proved",
        "the mapping of 'name' is not decided: transform 'shout' is a plugin's",
        "the key of 'id' is proved",
        "the size is not decided: 'name' is not bounded",
    ]


BY_PLUGIN = (
    "do without the plugin, whose code no proof reads; or test the plugin, and accept this by an 'ignore' of RT241"
)


def test_unproved(router: Run, flow: Path) -> None:
    """`--unproved` lists the claims that are not proved, with their places, the reasons and what would decide them."""
    done = router("check", "--unproved")

    assert (done.stdout.splitlines(), done.stderr) == (
        [
            "flows/users.yaml:8: route 'users': the mapping of 'name' is not decided: transform 'shout' is a plugin's",
            f"    to decide it, {BY_PLUGIN}",
            "flows/users.yaml:8: route 'users': the size is not decided: 'name' is not bounded",
            "    to decide it, bound what is stored in the schema, with 'maxLength' and 'maxItems'",
        ],
        COUNTS,
    )


def test_ignored(router: Run, flow: Path) -> None:
    """What the file accepts is counted, and shown when asked for."""
    flow.write_text(
        FLOW.replace("{dead_letter: users-dlq}", "{}") + ACCEPTED.replace("[", "[{code: RT203, reason: known}, ")
    )

    plain, shown = router("check", "--strict"), router("check", "--strict", "--show-ignored", "--format", "json")

    listed = [
        (found["file"], found["line"], found["code"], found["ignored"])
        for found in json.loads(shown.stdout)["findings"]
    ]
    assert (output_of(plain), listed, shown.returncode) == (
        (0, "", f"1 ignored\n{COUNTS_OF_ACCEPTED}"),
        [("flows/users.yaml", 2, "RT203", "known")],
        0,
    )


def test_without_the_environment(router: Run, flow: Path) -> None:
    """A variable that is not set is a warning with --no-env, an error without; two of them are two queues."""
    flow.write_text(
        FLOW.replace(
            "users: {dead_letter: users-dlq}", "users: {name: '${A_}', dead_letter: '${B_}'}, b: {name: '${B_}'}"
        )
    )

    done = [router("check"), router("check", "--no-env"), router("check", "--no-env", "--strict")]

    assert [(each.returncode, set(re.findall("RT...", each.stdout)), each.stderr) for each in done] == [
        (1, {"RT005"}, "3 errors\n"),
        (0, {"RT005"}, f"3 warnings\n{COUNTS}"),
        (1, {"RT005"}, f"3 warnings\n{COUNTS}"),
    ]


def test_live_needs_the_environment(router: Run, flow: Path) -> None:
    """The names that are compared with AWS can contain variables, so `--live` needs the environment."""
    done = router("check", "--live", "--no-env")

    assert (done.returncode, "--live needs the values of all variables" in done.stderr) == (2, True)


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_forms(router: Run, flow: Path, form: str) -> None:
    """Each names code, file and line on standard output; the number of findings is on standard error."""
    flow.write_text(FLOW.replace("queue: users\n", "queue: users\n    queu: users\n"))

    done = router("check", "--format", form)

    parts = [part in done.stdout for part in ("RT101", "flows/users.yaml", "6")]
    assert (done.returncode, parts, done.stderr, "\x1b" in done.stdout) == (1, [True] * 3, "1 error\n", False)


@pytest.mark.parametrize(
    ("form", "results"),
    [
        ("json", ["proved", "not decided", "proved", "not decided"]),
        ("sarif", [("RT241", "open"), ("RT241", "open")]),
        ("github", []),
    ],
)
def test_forms_without_findings(router: Run, flow: Path, form: str, results: list[Any]) -> None:
    """Are what machines expect: the claims, those that are open, or nothing."""
    done = router("check", "--format", form)

    found: dict[str, Callable[[], list[Any]]] = {
        "json": lambda: [claim["verdict"] for claim in json.loads(done.stdout)["claims"]],
        "sarif": lambda: [(each["ruleId"], each["kind"]) for each in json.loads(done.stdout)["runs"][0]["results"]],
        "github": done.stdout.splitlines,
    }
    assert (done.returncode, found[form]()) == (0, results)


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_terminal(flow: Path, env: dict[str, str], coloured: bool) -> None:
    """The line of the source is shown, with a caret under the place; in colour, unless that is not wanted."""
    flow.write_text(FLOW.replace("table: users", "table: user"))

    shown = on_a_terminal(flow.parents[1], "check", **{"TERM": "xterm", **env})

    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert (plain.splitlines(), "\x1b" in shown) == (
        [
            "flows/users.yaml:6:12: error RT201 unknown table 'user'; did you mean 'users'?",
            "     6 |     table: user",
            "                    ^",
            "1 error",
        ],
        coloured,
    )


def test_explain_shows_examples(router: Run) -> None:
    """`--explain` prints a configuration with the error, its findings, and the fixed configuration."""
    done = router("check", "--explain", "RT106")

    titles = [line for line in done.stdout.splitlines() if line in ("bad", "found", "good")]
    assert (done.returncode, titles, "  bad.yaml:" in done.stdout) == (0, ["bad", "found", "good"], True)


def test_explain_a_retired_code(router: Run) -> None:
    """`--explain` prints why the code is no longer in use."""
    done = router("check", "--explain", "rt307")

    assert (done.returncode, done.stdout.startswith("RT307 is retired: ")) == (0, True)


def test_explain_without_an_example(router: Run) -> None:
    """The code of an outcome has a reason and a runbook, and no address where none is published."""
    done = router("check", "--explain", "RT801")

    assert (done.returncode, "router dlq list --code RT801\n" in done.stdout, "http" in done.stdout) == (0, True, False)


def test_the_sample_is_checked_at_once(router: Run, repo: Path) -> None:
    """Start-up included, in less time than a person notices; measured in the time of a processor."""
    before = os.times()
    router("check", cwd=repo)
    after = os.times()

    assert after.children_user + after.children_system - before.children_user - before.children_system < 1.2


MANY = 1000
ROUTE = """\
  r%d:
    queue: q%d
    table: things
    schema:
      type: object
      required: [id]
      properties: {id: {type: string, minLength: 1, maxLength: 99}, at%d: {type: number}}
    item: {id: id, at: {from: at%d, type: N}}
"""


def test_a_thousand_routes_are_checked_in_seconds(router: Run, tmp_path: Path) -> None:
    """Each with a queue, a schema and a mapping of its own; measured in the time of a processor."""
    queues = [f"  q{n}: {{dead_letter: dlq}}\n" for n in range(MANY)]
    routes = [ROUTE % ((n,) * 4) for n in range(MANY)]
    text = ["version: 1\ntables: {things: {key: {id: S}}}\nqueues:\n", *queues, "routes:\n", *routes]
    (tmp_path / "routes.yaml").write_text("".join(text))

    before = os.times()
    done = router("check")
    after = os.times()

    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    assert (output_of(done), seconds < 5) == ((0, "", "no findings\nproved 5000 of 5000 claims\n"), True)


def test_no_plugins(router: Run, flow: Path) -> None:
    """No code of the config is run, and what is not decided without it is said."""
    (plugin,) = flow.parent.glob("*.py")
    plugin.write_text("raise SystemExit('it ran')\n")

    with_plugins, without = router("check"), router("check", "--no-plugins")
    strict, live = router("check", "--no-plugins", "--strict"), router("check", "--no-plugins", "--live")

    reply = (
        f"not loaded, as of --no-plugins: {plugin.stem}; not decided: their faults, what their checks find, what only "
        "they register, and each claim about a route that they may change"
    )
    assert ("RT501" in with_plugins.stdout, without.stdout, without.stderr.splitlines()[1:]) == (True, "", [reply])
    assert [each.returncode for each in (with_plugins, without, strict, live)] == [1, 0, 1, 2]
    assert "--live compares what runs with its plugins: leave out --no-plugins" in live.stderr
