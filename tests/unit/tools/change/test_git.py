"""Reading a config as a commit has it: nothing is checked out, and nothing of the working tree counts."""

import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from router.errors import ConfigError, UsageError
from router.model import Place
from router.tools.change.versions import open_version

ROOT = "version: 1\ninclude: flows/*.yaml\ntables: {things: {key: {id: S}}}\n"
FLOW = """\
plugins: [own.py]
routes:
  things: {queue: things, table: things, schema: things.json, item: {id: id, name: {from: name, transform: shout}}}
"""
PLUGIN = """\
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", lambda value: value + "!")
"""
Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Return a function that runs git in a new repository, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str) -> str:
        settings = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", *settings, *words], check=True, capture_output=True, text=True).stdout

    run("init", "--quiet", "--initial-branch=main")
    return run


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


def test_a_commit_has_its_includes_schemas_and_plugins(git: Git) -> None:
    """As they were, whatever the working tree has now; places name the commit."""
    files = {"app/routes.yaml": ROOT, "app/flows/things.yaml": FLOW, "app/flows/own.py": PLUGIN}
    write({**files, "app/flows/things.json": '{"required": ["id"]}', "elsewhere.txt": "x"})
    git("add", "."), git("commit", "--quiet", "-m", "one")
    write({"app/flows/things.yaml": "broken: [", "app/flows/things.json": "{}", "app/flows/own.py": "raise SystemExit"})

    with ExitStack() as stack:
        version = open_version("git:HEAD", Path("app/routes.yaml"), {}, stack)
        check = version.program.engine.queues["things"].routes[0].validate
        found = (version.label, version.place(("routes", "things"), True), check and check({}))

    assert found[:2] == ("git:HEAD", Place("HEAD:app/flows/things.yaml", 3, 3))
    assert found[2] is not None
    assert git("status", "--porcelain").count("\n") == 3


def test_the_config_may_have_had_another_path(git: Git) -> None:
    """It is given from the top of the repository, also if the folder of today's config is not there yet."""
    write({"old/routes.yaml": ROOT.replace("include: flows/*.yaml\n", "") + "routes: {a: {queue: a, table: things}}\n"})
    git("add", "."), git("commit", "--quiet", "-m", "one")

    with ExitStack() as stack:
        version = open_version("git:HEAD:old/routes.yaml", Path("new/routes.yaml"), {}, stack)

    assert list(version.config.routes) == ["a"]


def test_links_in_a_commit_are_links(git: Git) -> None:
    """A schema may be a link to another file of the folder."""
    config = "version: 1\ntables: {things: {key: {id: S}}}\nroutes: {a: {queue: a, table: things, schema: link.json}}\n"
    write({"routes.yaml": config, "real.json": '{"type": "object"}'})
    Path("link.json").symlink_to("real.json")
    git("add", "."), git("commit", "--quiet", "-m", "one")
    Path("real.json").unlink()

    with ExitStack() as stack:
        version = open_version("git:", Path("routes.yaml"), {}, stack)

    assert list(version.loaded.findings) == [each for each in version.loaded.findings if each.code.severity != "error"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("git:nowhere", "git knows no commit 'nowhere'"),
        ("git:--help", "git knows no commit '--help'"),
        ("git:HEAD:other.yaml", "there is no other.yaml in HEAD"),
        ("other.yaml", "there is no file other.yaml"),
    ],
)
def test_a_version_that_is_not_there(git: Git, given: str, reason: str) -> None:
    """The sentence says what to do."""
    write({"routes.yaml": ROOT})
    git("add", "."), git("commit", "--quiet", "-m", "one")

    with ExitStack() as stack, pytest.raises(UsageError, match=reason):
        open_version(given, Path("routes.yaml"), {}, stack)


def test_a_folder_without_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git says why."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with ExitStack() as stack, pytest.raises(UsageError, match="not a git repository"):
        open_version("git:HEAD", tmp_path / "routes.yaml", {}, stack)


def test_errors_of_a_commit_are_at_places_of_the_commit(git: Git) -> None:
    """Not at those of a temporary folder."""
    write({"routes.yaml": "version: 1\nroutes: {a: {queue: a, table: none}}\n"})
    git("add", "."), git("commit", "--quiet", "-m", "one")

    with ExitStack() as stack, pytest.raises(ConfigError) as raised:
        open_version("git:HEAD", Path("routes.yaml"), {}, stack)

    assert [str(each.place) for each in raised.value.findings] == ["HEAD:routes.yaml:2:31"]
