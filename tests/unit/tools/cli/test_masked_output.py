"""No command prints the value of a variable that is named like a secret: names, items, requests, errors."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.tools.cli.masked_output import masking
from tests.support.cli import app
from tests.support.config import WRITTEN

SECRETS = {
    "QUEUE_TOKEN": "zq7xk29w-queue",
    "TABLE_TOKEN": "zq7xk29w-table",
    "OWNER_SECRET": "zq7xk29w-owner",
    "TEXT_SECRET": 'zq7xk29w it\'s "quoted" & <ä>',
    "PIN_SECRET": "47114711",
    "VALUE_PASSWORD": "zq7xk29w",
}
MARKS = ("zq7xk29w", "47114711", "quoted")
CONFIG = """\
version: 1
queues:
  one:
    name: "${QUEUE_TOKEN}"
    owner: "${OWNER_SECRET}"
    description: "${TEXT_SECRET}"
    tags: {a: "x-${VALUE_PASSWORD}"}
tables:
  one: {name: "${TABLE_TOKEN}", key: {id: S}, description: "${TEXT_SECRET}"}
routes:
  one:
    queue: one
    table: one
    when: "a != '${VALUE_PASSWORD}'"
    schema: {type: object, required: [id], properties: {id: {type: string, enum: ["1", "${VALUE_PASSWORD}"]}}}
    item:
      id: id
      text: {value: "${TEXT_SECRET}"}
      part: {value: "a${VALUE_PASSWORD}z"}
      pin: {value: "${PIN_SECRET}", type: N}
    tests:
      - {message: {id: "1"}, item: {id: "1"}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the config and a message."""
    monkeypatch.chdir(tmp_path)
    Path("routes.yaml").write_text(CONFIG)
    Path("message.json").write_text('{"id": "2"}')
    Path("good.json").write_text('{"id": "1"}')
    return tmp_path


def run(*words: str, variables: Mapping[str, str] = SECRETS) -> Result:
    """Run a command with the variables."""
    return CliRunner(env=dict(variables)).invoke(app, words)


COMMANDS = [
    ("check", "--unproved"),
    ("check", "--format", "json", "--unproved"),
    ("list",),
    ("list", "--json"),
    ("list", "--owner", "nobody"),
    ("graph",),
    ("graph", "--format", "dot"),
    ("graph", "--format", "svg"),
    ("graph", "--format", "json"),
    ("graph", "--format", "svg", "-o", "written.svg"),
    ("test",),
    ("test", "--json"),
    ("test", "--junit", "written.xml"),
    ("explain", "--queue", "one", "good.json"),
    ("explain", "--queue", "one", "good.json", "--json"),
    ("explain", "--queue", "one", "message.json", "--claims"),
    ("explain", "--queue", "one", "good.json", "--html", "written.html"),
    ("explain", "--queue", "zq7xk29w-queue", "good.json"),
    ("compile", "-o", "written.json"),
    ("template",),
    ("template", "--format", "json", "-o", "written.json"),
    ("template", "--worker"),
    ("template", "--format", "operator-policy"),
    ("template", "--format", "systemd"),
    ("diff", "routes.yaml", "other.yaml"),
    ("diff", "routes.yaml", "other.yaml", "--format", "json"),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command(words: tuple[str, ...]) -> None:
    """Neither what it prints nor what it writes has a secret."""
    other = (
        CONFIG.replace("x-${VALUE", "y-${VALUE")
        .replace("a${VALUE_PASSWORD}z", "b${VALUE_PASSWORD}")
        .replace("TABLE_TOKEN}", "TABLE_TOKEN}s")
    )
    Path("other.yaml").write_text(other)

    done = run(*words)

    assert done.exit_code in (0, 1, 2)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    written = done.output + "".join(each.read_text() for each in Path().glob("written.*"))
    assert written
    assert [mark for mark in MARKS if mark in written] == []


REFUTED = """\
version: 1
queues: {{one: {{dead_letter: dlq}}}}
tables: {{one: {{key: {{id: S}}}}}}
routes:
  one:
    queue: one
    table: one
    schema:
      type: object
      required: [a, id, kind]
      properties: {{a: {{const: {filler}}}, id: {{type: string}}, kind: {{const: "${{TEXT_SECRET}}"}}}}
    item: {{id: id}}
"""


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("length", [1, 150, 155, 160, 165])
@pytest.mark.parametrize("words", [("--unproved",), ("--format", "json", "--unproved")])
def test_the_message_that_refutes_a_claim(length: int, words: tuple[str, ...]) -> None:
    """It is JSON in a report in JSON, and is cut in a table."""
    Path("routes.yaml").write_text(REFUTED.format(filler="q" * length))

    done = run("check", *words)

    assert ("refuted" if "json" in words else "may be rejected") in done.stdout
    assert [mark for mark in (*MARKS, "zq7", "it's") if mark in done.stdout] == []


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("length", range(150, 200, 7))
def test_a_plugin_that_cannot_be_loaded(length: int) -> None:
    """Its error is cut, and has the first of its lines only."""
    Path("routes.yaml").write_text(CONFIG.replace("version: 1", "version: 1\nplugins: [p.py]"))
    Path("p.py").write_text(f"import os\nraise ValueError('x' * {length} + os.environ['TEXT_SECRET'])")
    secret = "correct horse\nbattery staple"

    cut = run("check")
    first = run("check", variables=SECRETS | {"TEXT_SECRET": secret})

    assert ("RT501" in cut.stdout, "RT501" in first.stdout) == (True, True)
    assert [mark for mark in (*MARKS, "xzq", "correct") if mark in cut.stdout + first.stdout] == []


ENDS = {
    "an exit": "sys.exit(text)",
    "an error": "raise RuntimeError(text)",
    "an error of click": "raise click.UsageError(text)",
    "no exception": "raise BaseException(text) from ValueError(text)",
}
PROGRAM = """
import sys
import click
from router.runtime.config.secret_values import WRITTEN
from router.tools.cli.app import Commands
def end(ctx):
    text = "cannot connect: correct horse"
    WRITTEN.add("correct horse", "${{TOKEN}}")
    {end}
click.Group.invoke = lambda self, ctx: end(ctx)
Commands(name="router", invoke_without_command=True)()
"""


@pytest.mark.parametrize("end", ENDS)
def test_how_a_command_ends(end: str) -> None:
    """Whatever ends it, an error or a plugin, is printed without secrets."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=ENDS[end])], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode > 0, "cannot connect: ${TOKEN}" in done.stderr) == (True, True)
    assert "correct" not in done.stdout + done.stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("end", ["sys.exit(0)", "sys.exit('x')", "raise GeneratorExit"])
def test_a_check_of_a_plugin_that_ends_the_program(end: str) -> None:
    """It fails, and the others run: a check that ends the program would report nothing."""
    Path("routes.yaml").write_text(CONFIG.replace("version: 1", "version: 1\nplugins: [p.py]"))
    Path("p.py").write_text(
        f"import sys\nfrom router import hookimpl\ndef check(config):\n    {end}\n"
        "@hookimpl\ndef router_register_checks(register):\n    register(check)\n"
    )

    done = run("check")

    assert (done.exit_code, "registered a check that raised" in done.stdout) == (1, True)


@pytest.mark.usefixtures("folder")
def test_json_stays_json() -> None:
    """A number in an item that is a secret becomes a text."""
    done = run("explain", "--queue", "one", "good.json", "--json")

    (mapped,) = [each["value"] for each in json.loads(done.stdout)["stages"] if each["stage"] == "map"]
    (item,) = mapped
    assert (item["pin"], item["part"], item["text"]) == ("${PIN_SECRET}", "a${VALUE_PASSWORD}z", "${TEXT_SECRET}")


@pytest.mark.usefixtures("folder")
def test_updated_tests_have_references() -> None:
    """`test --update` writes what the items have now into a file that is committed: references, not secrets."""
    done = run("test", "--update")

    text = Path("routes.yaml").read_text()
    assert (done.exit_code, [mark for mark in MARKS[::2] if mark in text]) == (0, [])
    assert run("test").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_an_ascii_terminal() -> None:
    """Where click encodes by itself, the bytes are masked."""
    environment = {**os.environ, **SECRETS, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "router", "graph"], env=environment, capture_output=True, check=True)

    assert b"zq7xk29w" not in done.stdout + done.stderr
    assert b"QUEUE_TOKEN" in done.stdout


def test_each_way_to_write(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Text, lines and bytes of both streams; all else is that of the stream."""
    with masking():
        WRITTEN.add("zq7xk29w", "${X_TOKEN}")
        sys.stdout.writelines(["a zq7xk29w\n", "b\n"])
        sys.stdout.flush()
        sys.stdout.buffer.write(b"c zq7xk29w \xff\n")
        sys.stdout.buffer.flush()
        print("d zq7xk29w", file=sys.stderr, flush=True)
        described = sys.stdout.fileno(), sys.stderr.encoding
    print("e zq7xk29w", flush=True)
    WRITTEN.clear()

    out, err = capfdbinary.readouterr()
    assert (out, err) == (b"a ${X_TOKEN}\nb\nc ${X_TOKEN} \xff\ne zq7xk29w\n", b"d ${X_TOKEN}\n")
    assert described == (sys.stdout.fileno(), sys.stderr.encoding)
