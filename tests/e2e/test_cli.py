"""The command line as a user starts it, without a terminal."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.extras import blocking, missing_with

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Output = tuple[int, str, str]
COMMANDS = ("check", "test", "explain", "demo", "worker", "compile", "schema")

GOOD = """\
version: 1
queues: {users: {dead_letter: users-dlq, envelope: [sns], senders: ['123456789012']}}
tables: {users: {key: {id: S}}}
routes:
  users:
    queue: users
    table: users
    when: "type != 'other'"
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 99}}}
    item:
      id: id
      name: {from: name, transform: [strip]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small config, as `routes.yaml` of the folder that commands run in."""
    file = tmp_path / "routes.yaml"
    file.write_text(GOOD)
    return file


NAME_MAY_BE_REJECTED = 'route \'users\': the mapping of \'name\' may be rejected, as of {"id":"a","name":0}\n'


def output_of(done: "subprocess.CompletedProcess[str]") -> Output:
    return done.returncode, re.sub(r"\d+\.\d µs", "0.0 µs", done.stdout), done.stderr


def test_help(router: Run) -> None:
    """The help of the program lists each command, with examples and the way to completion."""
    done = router("--help")

    listed = [name for name in COMMANDS if f"\n  {name} " in done.stdout]
    assert (done.returncode, done.stderr, listed) == (0, "", list(COMMANDS))
    assert "\n  Examples:\n    router check routes.yaml\n" in done.stdout
    assert "_ROUTER_COMPLETE=bash_source router" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_commands(router: Run, command: str) -> None:
    """The help of a command has a sentence, its examples, and no escape codes."""
    done = router(command, "-h")

    assert (done.returncode, done.stderr, "\x1b" in done.stdout) == (0, "", False)
    assert done.stdout.startswith(f"Usage: router {command} ")
    assert f"\n  Examples:\n    router {command}" in done.stdout


def test_version(router: Run) -> None:
    """The version is that of the distribution."""
    assert output_of(router("--version")) == (0, f"router, version {version('message-router')}\n", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("chek",), "No such command 'chek'"),
        (("check", "--formt", "json"), "--formt"),
        (("check", "--format", "yaml"), "'yaml' is not one of 'text', 'json'"),
        (("check", "--explain", "RT999"), "there is no code RT999"),
        (("check", "absent.yaml"), "File 'absent.yaml' does not exist"),
        (("check",), "there is no routes.yaml here; give the config as FILE or with --config"),
        (("test", "absent.yaml"), "File 'absent.yaml' does not exist"),
        (("explain", "--queue", "users", "absent.json"), "absent.json"),
        (("worker",), "there is no routes.yaml here; give the config with --config"),
        (("worker", "--wait", "21"), "21 is not in the range 0<=x<=20"),
    ],
)
def test_wrong_call(router: Run, words: tuple[str, ...], sentence: str) -> None:
    """A wrong call is answered with a sentence and exit code 2."""
    done = router(*words)

    assert (done.returncode, done.stdout, sentence in done.stderr, "Traceback" in done.stderr) == (2, "", True, False)


def test_config_named_twice(router: Run, config: Path) -> None:
    """One config is enough."""
    done = router("check", "routes.yaml", "-c", "routes.yaml")

    assert (done.returncode, "give the config once: as FILE, or with --config" in done.stderr) == (2, True)


def test_check_sample(router: Run, repo: Path) -> None:
    """The sample config has no faults."""
    done = router("check", "--strict", "routes.yaml", cwd=repo)

    assert output_of(done) == (0, "", "3 ignored\nproved 43 of 44 claims; 1 thing may go wrong (1 ignored)\n")


FAULTY = """\
version: 1
queues: {users: {dead_letter: users-dlq}}
tables: {users: {key: {id: S}}}
routes:
  users:
    queue: users
    tabel: users
    table: users
    when: "type ="
    schema: {type: strin}
    item:
      id: id
      name: {from: name, transform: [stripp]}
      seen_at: {meta: send_at}
"""


def test_five_faults(router: Run, config: Path) -> None:
    """Five different faults are five findings, in the order of the file, each with its place and what to do."""
    config.write_text(FAULTY)

    done = router("check", "routes.yaml")

    starts = [line.split(" ", 3)[:3] for line in done.stdout.splitlines()]
    assert (done.returncode, starts, done.stderr) == (
        1,
        [
            ["routes.yaml:7:5:", "error", "RT101"],
            ["routes.yaml:9:11:", "error", "RT401"],
            ["routes.yaml:10:13:", "error", "RT302"],
            ["routes.yaml:13:38:", "error", "RT403"],
            ["routes.yaml:14:23:", "error", "RT105"],
        ],
        "5 errors\n",
    )
    assert done.stdout.splitlines()[1] == (
        "routes.yaml:9:11: error RT401 'type =' is not a JMESPath expression: '=' is no operator (write "
        "'==') at column "
        "6"
    )


def test_check_json(router: Run, config: Path) -> None:
    """For machines, findings are a JSON list, and nothing else is on standard output."""
    config.write_text(GOOD.replace("type != 'other'", "type ="))

    done = router("check", "--format", "json")

    assert (done.returncode, json.loads(done.stdout), done.stderr) == (
        1,
        {
            "findings": [
                {
                    "code": "RT401",
                    "severity": "error",
                    "sentence": "'type =' is not a JMESPath expression: '=' is no operator (write '==') at column 6",
                    "suggestion": "",
                    "file": "routes.yaml",
                    "line": 8,
                    "column": 11,
                }
            ],
            "claims": [],
        },
        "1 error\n",
    )


def test_check_json_without_findings(router: Run, config: Path) -> None:
    """Without findings there are the claims, each with its verdict."""
    done = router("check", "--format", "json")

    shown = json.loads(done.stdout)
    claims = [(claim["kind"], claim["subject"], claim["verdict"]) for claim in shown["claims"]]
    assert (shown["findings"], claims, done.returncode, done.stderr) == (
        [],
        [
            ("when", "", "proved"),
            ("mapping", "id", "proved"),
            ("mapping", "name", "refuted"),
            ("key", "id", "proved"),
            ("size", "", "refuted"),
        ],
        0,
        "proved 3 of 5 claims; 2 things may go wrong: --unproved shows them\n" + NAME_MAY_BE_REJECTED,
    )


def test_warnings_are_no_failure(router: Run, config: Path) -> None:
    """Warnings are printed, and the exit code stays 0."""
    config.write_text(GOOD.replace("dead_letter: users-dlq, ", ""))

    done = router("check")

    assert (done.returncode, done.stdout.split(" ")[1:3], done.stderr) == (
        0,
        ["warning", "RT203"],
        "1 warning\nproved 3 of 5 claims; 2 things may go wrong: --unproved shows them\n" + NAME_MAY_BE_REJECTED,
    )


@pytest.mark.parametrize("name", ["RT101", "rt101"])
def test_explain_a_code(router: Run, name: str) -> None:
    """A code is explained without any config."""
    done = router("check", "--explain", name)

    assert (done.returncode, done.stdout.splitlines()[0], done.stderr) == (0, "RT101 (error): unknown key", "")


BAD_FILES = {
    "empty": (b"", "RT003"),
    "only comments": (b"# nothing\n---\n", "RT003"),
    "huge": (b"x-" + b"a" * (16 * 1024 * 1024), "RT001"),
    "a list": (b"- version: 1\n", "RT003"),
    "a text": (b"version 1\n", "RT003"),
    "tabs": (b"version: 1\nroutes:\n\tusers: {}\n", "RT002"),
    "an open bracket": (b"version: [1\n", "RT002"),
    "an alias bomb": (
        b"x-0: &a0 [x]\n" + b"".join(b"x-%d: &a%d [%s]\n" % (n, n, b"*a%d, " % (n - 1) * 9) for n in range(1, 12)),
        "RT006",
    ),
    "an alias to itself": (b"x-a: &a [*a]\n", "RT006"),
    "10,000 brackets": (b"x-a: " + b"[" * 10_000 + b"]" * 10_000 + b"\n", "RT006"),
    "not UTF-8": (b"version: 1\nx-name: M\xfcller\n", "RT001"),
    "UTF-16": ("version: 1\n".encode("utf-16"), "RT001"),
    "a null byte": (b"version: 1\nx-a: \x00\n", "RT002"),
    "two documents": (b"version: 1\n---\nversion: 1\n", "RT002"),
    "code": (b"version: !!python/object/apply:os.system [echo]\n", "RT007"),
}


@pytest.mark.parametrize(("content", "code"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file(router: Run, config: Path, content: bytes, code: str) -> None:
    """Whatever the file is, the answer is a finding with a code, never a traceback."""
    config.write_bytes(content)

    done = router("check")

    lines = done.stdout.splitlines()
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert [line for line in lines if not line.startswith("routes.yaml")] == []
    assert code in {line.split(" ")[2] for line in lines}


@pytest.mark.parametrize("command", [("worker",), ("test",), ("demo",), ("explain", "--queue", "users", "-")])
def test_faulty_config(router: Run, config: Path, command: tuple[str, ...]) -> None:
    """A command that needs a whole config prints its findings, and exits with 2."""
    config.write_text("version: 2\nroutes: {}\n")

    done = router(*command, input="{}")

    assert output_of(done) == (
        2,
        "",
        (
            "routes.yaml:1:10: error RT104 'version' must be 1, not 2\n"
            "routes.yaml:2:9: error RT105 'routes' must not be empty\n"
        ),
    )


def test_worker_without_region(router: Run, config: Path) -> None:
    """Without a region the worker says what to set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    done = router("worker", env=environment | {"AWS_CONFIG_FILE": os.devnull})

    assert output_of(done) == (
        2,
        "",
        "router: there is no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1\n",
    )


@pytest.mark.parametrize("command", ["check", "test"])
@pytest.mark.parametrize("settings", [{}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}])
def test_no_colour(router: Run, config: Path, command: str, settings: dict[str, str]) -> None:
    """Without a terminal, or with NO_COLOR, nothing has escape codes."""
    config.write_text(
        GOOD + "    tests: [{message: {id: u1}, item: {id: u2}}]\n    tabel: users\n" * (command == "check")
    )

    done = router(command, env=os.environ | settings)

    assert "\x1b" not in done.stdout + done.stderr


TESTS = """\
    tests:
      - {name: as it should be, message: {id: u1, name: " Ann "}, item: {id: u1, name: Ann}}
      - {message: {id: u1, name: Ann, age: 7}, item: {id: u1, name: Bob, age: 7}}
      - {name: rejected, message: {}}
      - {name: another code, message: {}, outcome: rejected, code: RT801}
"""


def test_tests_pass(router: Run, repo: Path) -> None:
    """The tests of the sample config pass."""
    done = router("test", cwd=repo)

    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0], lines[-1], done.stderr) == (
        0,
        "pass  user-metadata: the first message",
        "7 passed, 0 failed",
        "",
    )


def test_tests_fail(router: Run, config: Path) -> None:
    """A failing test shows each attribute that differs, and nothing of those that do not."""
    config.write_text(GOOD + TESTS)

    assert output_of(router("test")) == (
        1,
        """\
pass  users: as it should be
FAIL  users: test 2
            expected  found
      name  "Bob"     "Ann"
      age   7         -
FAIL  users: rejected
               expected   found
      outcome  "written"  "rejected (RT806 fails 'required' at /required: 'id' is missing)"
FAIL  users: another code
            expected  found
      code  "RT801"   "RT806"
1 passed, 3 failed
""",
        "",
    )


def test_quiet_tests(router: Run, config: Path) -> None:
    """Quiet, only failing tests are shown."""
    config.write_text(GOOD + "\n".join(TESTS.splitlines()[:2]) + "\n")

    assert output_of(router("test", "--quiet")) == (0, "1 passed, 0 failed\n", "")


def test_no_tests(router: Run, config: Path) -> None:
    """A config without tests proves nothing."""
    assert output_of(router("test")) == (
        1,
        """\
note  without a test: users
note  no test reaches 1 place in the schemas; --coverage lists them
0 passed, 0 failed
""",
        "no route has tests; add some under 'tests:'\n",
    )


def test_explain(router: Run, config: Path, tmp_path: Path) -> None:
    """The outcome comes first, then the routes and the items."""
    (tmp_path / "message.json").write_text('{"id": "u1", "name": " Ann "}')

    assert output_of(router("explain", "--queue", "users", "message.json")) == (
        0,
        """\
outcome: written
routes
  yes  users: when type != 'other'
route users: put in table users, 11 bytes
  {"id":"u1","name":"Ann"}
""",
        "",
    )


@pytest.mark.parametrize("words", [('{"id": "\udcff"}',), ("--after", '{"id": "\udcff"}', "{}")])
def test_explain_json_that_is_not_utf_8(router: Run, config: Path, words: tuple[str, ...]) -> None:
    """A terminal passes on what bytes it gets."""
    done = router("explain", "--queue", "users", *words)

    assert output_of(done) == (2, "", "router: the message is not UTF-8 text, which SQS requires\n")


def test_explain_a_long_item(router: Run, config: Path) -> None:
    """It is on several lines."""
    done = router("explain", "--queue", "users", "-", input=json.dumps({"id": "u1", "name": "A" * 100}))

    assert done.stdout.splitlines()[-4:] == ["  {", '    "id": "u1",', f'    "name": "{"A" * 100}"', "  }"]


def test_explain_in_full(router: Run, config: Path, tmp_path: Path) -> None:
    """A message is shown stage by stage, to the very request."""
    (tmp_path / "message.json").write_text('{"id": "u1", "name": " Ann "}')

    assert output_of(router("explain", "--full", "--queue", "users", "message.json")) == (
        0,
        """\
decode  0.0 µs
  {
    "id": "u1",
    "name": " Ann "
  }
routes
  yes  users: when type != 'other'
users: validate  0.0 µs
  "valid"
users: map  0.0 µs
  [
    {
      "id": "u1",
      "name": "Ann"
    }
  ]
users: write  0.0 µs
  {
    "bytes": 11,
    "BatchWriteItem": {
      "RequestItems": {
        "users": [
          {
            "PutRequest": {
              "Item": {
                "id": {
                  "S": "u1"
                },
                "name": {
                  "S": "Ann"
                }
              }
            }
          }
        ]
      }
    }
  }
outcome: written
""",
        "",
    )


def test_explain_json(router: Run, config: Path) -> None:
    """For machines, all of it is one JSON object; the message may come from standard input."""
    done = router("explain", "--queue", "users", "--json", "-", input='{"id": "u1"}')

    shown = json.loads(done.stdout)
    stages = [(stage["route"], stage["stage"]) for stage in shown["stages"]]
    assert (done.returncode, stages, shown["outcome"]["kind"], shown["requests"]) == (
        0,
        [("", "decode"), ("users", "when"), ("users", "validate"), ("users", "map"), ("users", "write")],
        "written",
        [{"BatchWriteItem": {"RequestItems": {"users": [{"PutRequest": {"Item": {"id": {"S": "u1"}}}}]}}}],
    )


def test_explain_a_message_that_is_no_transaction(router: Run, config: Path) -> None:
    """All its routes together write what no transaction can: no `when` refuses it."""
    twice = "  again: {queue: users, table: users, item: {id: id}}\n"
    config.write_text(GOOD.replace("envelope: [sns],", "atomic: true,") + twice, encoding="utf-8")
    done = router("explain", "--queue", "users", "-", input='{"id": "u1"}')

    assert done.stdout.splitlines()[:4] == [
        "outcome: rejected",
        "  code: RT822",
        (
            "  reason: the message writes one item twice, which no transaction can: two items of table 'users' have "
            "the same key 'id'"
        ),
        "  stage: write",
    ]


def test_explain_rejected(router: Run, config: Path) -> None:
    """A rejected message shows code, reason and place; the exit code is 1."""
    done = router("explain", "--queue", "users", "-", input='{"name": 7}')

    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "outcome: rejected",
            "  code: RT806",
            "  reason: fails 'required' at /required: 'id' is missing",
            "  route: users",
            "  stage: validate",
            "  the inline schema: 'required' at /required, of the root in the message: \"id\" is a required property",
            "routes",
            "  yes  users: when type != 'other'",
        ],
    )


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--raw",), 1)])
def test_explain_raw(router: Run, config: Path, words: tuple[str, ...], code: int) -> None:
    """The message is put into the queue's envelopes, unless it is said to be raw."""
    done = router("explain", "--queue", "users", *words, "-", input='{"id": "u1"}')

    assert (done.returncode, "code: RT802" in done.stdout) == (code, bool(code))


@pytest.mark.parametrize(
    ("queue", "message", "sentence"),
    [
        ("user", b"{}", "no route reads the queue 'user'; there are users"),
        ("users", b"\xff", "the message is not UTF-8 text, which SQS requires"),
    ],
)
def test_explain_cannot(config: Path, queue: str, message: bytes, sentence: str) -> None:
    """A queue that no route reads, and bytes that no queue can hold, are said in a sentence."""
    command = [sys.executable, "-m", "router", "explain", "--queue", queue, "-"]

    done = subprocess.run(command, cwd=config.parent, input=message, capture_output=True)

    assert (done.returncode, done.stdout, done.stderr.decode()) == (2, b"", f"router: {sentence}\n")


def test_schema(router: Run) -> None:
    """The schema of the config is valid JSON Schema, and needs no config."""
    done = router("schema")

    schema = json.loads(done.stdout)
    assert (done.returncode, done.stderr, schema["$schema"]) == (
        0,
        "",
        "https://json-schema.org/draft/2020-12/schema",
    )
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(router: Run, shell: str) -> None:
    """Each shell gets its completion script."""
    done = router(env=os.environ | {"_ROUTER_COMPLETE": f"{shell}_source"})

    assert (done.returncode, "_ROUTER_COMPLETE" in done.stdout, done.stderr) == (0, True, "")


def test_completes_commands(router: Run) -> None:
    """The first word completes to a command."""
    settings = {"_ROUTER_COMPLETE": "bash_complete", "COMP_WORDS": "router ex", "COMP_CWORD": "1"}

    assert output_of(router(env=os.environ | settings)) == (0, "plain,explain\n", "")


@pytest.mark.parametrize(
    ("missing", "words", "sentence"),
    [
        ("click", ("check",), "the command line needs more packages: pip install 'message-router[cli]'"),
        ("rich", ("demo",), "router demo needs more packages: pip install 'message-router[cli]'"),
        ("prometheus_client", ("worker",), "router worker needs more packages: pip install 'message-router[worker]'"),
        (
            "boto3 botocore",
            ("worker",),
            "a profile or role for credentials needs more packages: pip install 'message-router[worker]'",
        ),
        (
            "boto3 botocore ministack",
            ("demo",),
            "the embedded AWS needs more packages: pip install 'message-router[local]'",
        ),
        ("starlette", ("console",), "router console needs more packages: pip install 'message-router[console]'"),
        ("boto3", ("check", "--live"), "router check needs more packages: pip install 'message-router[worker]'"),
        (
            "boto3",
            ("deploy", "--stack", "s"),
            "router deploy needs more packages: pip install 'message-router[worker]'",
        ),
        (
            "boto3",
            ("undeploy", "--stack", "s"),
            "router undeploy needs more packages: pip install 'message-router[worker]'",
        ),
        ("boto3 botocore", ("demo",), "the embedded AWS needs more packages: pip install 'message-router[local]'"),
    ],
)
def test_missing_extra(
    router: Run, config: Path, tmp_path: Path, missing: str, words: tuple[str, ...], sentence: str
) -> None:
    """Where an extra is not installed, the answer is which one to install."""
    config.write_text(GOOD + TESTS)
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "sitecustomize.py").write_text(blocking(set(missing.split())))
    path = os.pathsep.join(filter(None, [str(tmp_path / "blocked"), os.environ.get("PYTHONPATH")]))

    done = router(*words, env=os.environ | {"PYTHONPATH": path, "AWS_REGION": "eu-west-1"})

    assert output_of(done) == (2, "", f"router: {sentence}\n")


INTERRUPTED = """\
from importlib.machinery import PathFinder

def find_spec(name, path=None, target=None, find=PathFinder.find_spec):
    if name == {name!r}:
        raise KeyboardInterrupt
    return find(name, path, target)

PathFinder.find_spec = find_spec
"""


@pytest.mark.parametrize("name", ["click", "router.tools.cli.app", "router.tools.check.run"])
def test_ctrl_c_during_the_imports(router: Run, config: Path, tmp_path: Path, name: str) -> None:
    """It ends a command as it does later."""
    config.write_text(GOOD)
    (tmp_path / "interrupted").mkdir()
    (tmp_path / "interrupted" / "sitecustomize.py").write_text(INTERRUPTED.format(name=name))
    path = os.pathsep.join(filter(None, [str(tmp_path / "interrupted"), os.environ.get("PYTHONPATH")]))

    done = router("check", env=os.environ | {"PYTHONPATH": path})

    assert output_of(done) == (1, "", "\nAborted!\n")


def test_runs_without_extras(config: Path, tmp_path: Path) -> None:
    """Loading a config and planning its messages takes no package but those that are always installed."""
    code = blocking(missing_with("")) + (
        "import os, pathlib\nfrom router.tools.dev.run_tests import Suite\n"
        "print(len(Suite(pathlib.Path('routes.yaml'), os.environ).run()))\n"
    )
    config.write_text(GOOD + TESTS)

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)

    assert output_of(done) == (0, "4\n", "")
