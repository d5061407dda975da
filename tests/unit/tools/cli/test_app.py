"""The group of commands: discovery, help, completion, and missing extras."""

import ast
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

import router.tools.cli
from router.tools.cli.app import GROUPS, SHORT, app, commands

FOLDER = Path(router.tools.cli.__file__).parent


def complete(*words: str) -> list[str]:
    """The completions of the last word."""
    *done, incomplete = words
    return [
        item.value for item in ShellComplete(app, {}, "router", "_ROUTER_COMPLETE").get_completions(done, incomplete)
    ]


def test_each_module_with_a_command_is_discovered() -> None:
    """A module with a click command is one of the commands, named as the module."""
    with_command = {
        file.stem
        for file in FOLDER.glob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "command"
    }

    assert (set(commands()), sorted(commands())) == (with_command, list(commands()))


@pytest.mark.parametrize("name", list(commands()))
def test_command(name: str) -> None:
    """A command has the name of its module and a help text with examples."""
    command = app.get_command(click.Context(app), name)

    assert command
    assert (command.name, "Examples:" in (command.help or "")) == (name, True)


@pytest.mark.parametrize(("name", "collects"), [("schema", False), ("worker", True)])
def test_short_commands_collect_no_reference_cycles(name: str, collects: bool) -> None:
    """Python's collector is off in commands that read files, print and end."""
    code = (
        "import gc\nfrom router.tools.cli import main\ntry:\n    main()\nexcept SystemExit:\n    print(gc.isenabled())"
    )

    done = subprocess.run([sys.executable, "-c", code, name, "--help"], capture_output=True, text=True, check=True)

    assert (done.stdout.splitlines()[-1], SHORT - commands().keys()) == (str(collects), frozenset())


def test_help_imports_no_command() -> None:
    """`--help` lists the commands with the help in their modules' first lines, and imports none of them."""
    code = (
        "import sys\nfrom router.tools.cli.app import app, commands\napp(['--help'], standalone_mode=False)\n"
        "print([name for name in commands() if f'router.tools.cli.{name}' in sys.modules], 'boto3' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "  schema    Print the JSON Schema of the config, for editors.\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "[] False"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("de",), ["demo", "deploy"]),
        (("--ver",), ["--version"]),
        (("template", "--form"), ["--format"]),
        (("template", "--format", "sy"), ["systemd"]),
        (("check", "--str"), ["--strict"]),
    ],
)
def test_completion(words: tuple[str, ...], found: list[str]) -> None:
    """Commands, options and values complete."""
    assert complete(*words) == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("explain", "--queue", ""), ["clicks", "orders"]),
        (("explain", "--route", "ord"), ["orders"]),
        (("demo", "--queue", "cl"), ["clicks"]),
        (("worker", "--queue", "o"), ["orders"]),
        (("record", "or"), ["orders"]),
        (("send", "or"), ["orders"]),
        (("new", "x.json", "--table", "o"), ["order-lines", "orders"]),
        (("new", "x.json", "--queue", "c"), ["clicks"]),
        (("list", "--owner", ""), ["shop", "web"]),
        (("list", "other.yaml", "--owner", ""), ["theirs"]),
        (("list", "none.yaml", "--owner", ""), []),
        (("list", "-c", "other.yaml", "--owner", ""), ["theirs"]),
        (("dlq", "list", "--dead-letter", ""), ["orders-dlq"]),
        (("explain", "-c", "other.yaml", "--route", ""), ["other"]),
        (("explain", "-c", "none.yaml", "--route", ""), []),
    ],
)
def test_completion_of_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], found: list[str]
) -> None:
    """Names of queues, routes, tables and owners are those of the config; plugins and schemas are not read."""
    monkeypatch.chdir(tmp_path)
    Path("routes.yaml").write_text(
        "version: 1\nplugins: [none.py]\nqueues: {orders: {dead_letter: orders-dlq, owner: shop}}\n"
        "tables: {orders: {key: {id: S}}, order-lines: {key: {id: S}, owner: web}}\n"
        "routes: {orders: {queue: orders, table: orders}, clicks: {queue: clicks, table: orders, schema: none.json}}\n"
    )
    Path("other.yaml").write_text(
        "version: 1\ntables: {orders: {key: {id: S}}}\nroutes: {other: {queue: orders, table: orders, owner: theirs}}\n"
    )

    assert complete(*words) == found


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["options"], "Error: No such command 'options'.\n"),
        (["chek"], "Error: No such command 'chek'. Did you mean 'check'?\n"),
        (["check", "--strct"], "Error: No such option '--strct'. Did you mean '--strict'?\n"),
        (["dlq", "shw"], "Error: No such command 'shw'. Did you mean 'show'?\n"),
        (["--versoin"], "Error: No such option '--versoin'. Did you mean '--version'?\n"),
    ],
)
def test_unknown_names(words: list[str], sentence: str) -> None:
    """A name that is no command or option is an error of the user, and says which is like it."""
    done = CliRunner().invoke(app, words)

    assert (done.exit_code, done.output.endswith(sentence)) == (2, True), done.output


def test_help_groups_the_commands() -> None:
    """Each command is in one group, by what one does."""
    grouped = [name for names in GROUPS.values() for name in names]

    shown = CliRunner().invoke(app, ["--help"]).output

    assert sorted(grouped) == list(commands())
    assert [title for title in GROUPS if f"\n{title}:\n" in shown] == list(GROUPS)


@pytest.mark.parametrize(("missing", "extra"), [("rich", "cli"), ("boto3", "worker"), ("prometheus_client", "worker")])
def test_missing_extra(monkeypatch: pytest.MonkeyPatch, missing: str, extra: str) -> None:
    """A command that imports a missing optional package names the extra to install."""

    @click.command("schema")
    def command() -> None:
        raise ModuleNotFoundError(name=missing)

    monkeypatch.setitem(sys.modules, "router.tools.cli.schema", SimpleNamespace(command=command))

    done = CliRunner().invoke(app, ["schema"])

    assert (done.exit_code, done.output) == (
        2,
        f"router: router schema needs more packages: pip install 'message-router[{extra}]'\n",
    )


def test_missing_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other missing module is a defect, and not reported as a missing extra."""

    @click.command("schema")
    def command() -> None:
        raise ModuleNotFoundError(name="router.absent")

    monkeypatch.setitem(sys.modules, "router.tools.cli.schema", SimpleNamespace(command=command))

    assert isinstance(CliRunner().invoke(app, ["schema"]).exception, ModuleNotFoundError)
