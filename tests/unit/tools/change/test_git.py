"""Reading a config as a commit has it: nothing is checked out, and nothing of the working tree counts."""

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from router.errors import ConfigError, UsageError
from router.model import Place
from router.tools.change import versions
from router.tools.change.recording import RecordedMessage, Recording, RecordingHead
from router.tools.change.running import run_recording
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


def test_a_file_with_an_unusual_name(git: Git) -> None:
    """Git separates names by tabs and line feeds, which a name may have in it."""
    flow = "routes: {a: {queue: a, table: things}}\n"
    write({"routes.yaml": ROOT, "flows/a\tb\nc ü.yaml": flow, os.fsdecode(b"flows/\xff.txt"): ""})
    git("add", "."), git("commit", "--quiet", "-m", "one")

    with ExitStack() as stack:
        version = open_version("git:HEAD", Path("routes.yaml"), {}, stack)

    assert list(version.config.routes) == ["a"]


@pytest.mark.parametrize("folder", ["app", ".."])
def test_a_config_below_the_top_with_variables(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """It is found from any folder, and has the variables that are given."""
    tables = "tables: {things: {name: '${STAGE}-things', key: {id: S}}}\n"
    write({"app/routes.yaml": f"version: 1\n{tables}routes: {{a: {{queue: a, table: things}}}}\n"})
    git("add", "."), git("commit", "--quiet", "-m", "one")
    monkeypatch.chdir(folder)

    with ExitStack() as stack:
        version = open_version("git:HEAD", tmp_path / "app/routes.yaml", {"STAGE": "live"}, stack)

    assert version.program.engine.queues["a"].routes[0].write.table.name == "live-things"
    assert version.path.relative_to(version.program.folder) == Path("routes.yaml")


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


def commit(git: Git, files: dict[str, str]) -> None:
    write(files)
    git("add", "."), git("commit", "--quiet", "-m", "one")


def files_of(target: Path) -> dict[str, str]:
    return {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()}


def test_the_files_of_a_commit(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the folder of the config, byte by byte, however many calls it takes; no larger ones, no other repositories."""
    app = {"a.json": "{}", "b/c.txt": "1\n\n2", "empty": "", "b/ä\n*.txt": "x", "large": "x" * 500}
    commit(git, {**{f"app[1]/{name}": text for name, text in app.items()}, "app1/no": "x", "app[1]x/no": "x"})
    git("update-index", "--add", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD').strip()},app[1]/sub")
    git("commit", "--quiet", "-m", "two")
    monkeypatch.setattr(versions, "MAX_FILE_BYTES", 400)
    kept = {f"app[1]/{name}": text for name, text in app.items() if name != "large"}

    for number, size in enumerate((1, 5, 1000)):
        monkeypatch.setattr(versions, "_CHUNK_BYTES", size)
        target = tmp_path / f"target{number}"
        assert versions.read_commit(Path("app[1]/a.json"), "HEAD", "", target) == "app[1]/a.json"
        assert files_of(target) == kept


def test_a_commit_with_too_many_files(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is written."""
    commit(git, {"a": "", "b": "", "c": ""})
    for most in (3, 2):
        monkeypatch.setattr(versions, "MAX_FILES", most)
        if most == 3:
            versions.read_commit(Path("a"), "HEAD", "", tmp_path / "target")
    with pytest.raises(UsageError, match="has more than 2 files: put the config into its own"):
        versions.read_commit(Path("a"), "HEAD", "", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_links_are_made_last(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a file could be written through one, to a place outside of the folder."""
    Path("a").symlink_to("z")
    commit(git, {"b": "", "z": "x"})
    found: list[set[str]] = []
    link = Path.symlink_to

    def record_and_link(path: Path, target: str) -> None:
        found.append(set(files_of(path.parent)))
        link(path, target)

    monkeypatch.setattr(Path, "symlink_to", record_and_link)

    versions.read_commit(Path("b"), "HEAD", "", tmp_path / "target")

    assert found == [{"b", "z"}]
    assert (tmp_path / "target" / "a").readlink() == Path("z")


def test_a_link_to_a_name_that_is_not_utf_8(git: Git, tmp_path: Path) -> None:
    """It is the same link."""
    name = os.fsdecode(b"\xff")
    Path("a").symlink_to(name)
    commit(git, {"b": ""})

    versions.read_commit(Path("b"), "HEAD", "", tmp_path / "target")

    assert str((tmp_path / "target" / "a").readlink()) == name


def test_a_config_outside_of_the_repository(git: Git, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its folder is in the repository as a link only."""
    commit(git, {"a": ""})
    outside = tmp_path_factory.mktemp("outside")
    Path("app").symlink_to(outside)

    with pytest.raises(UsageError, match=r"app/routes.yaml is not in the git repository|not a git repository"):
        versions.read_commit(Path("app/routes.yaml"), "HEAD", "", outside / "target")


def test_a_machine_without_git(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to give instead."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="there is no program git here; give a file instead"):
        versions.read_commit(Path("routes.yaml"), "HEAD", "", tmp_path / "target")


def test_a_recording_against_a_commit(git: Git) -> None:
    """The commit is read as for a comparison, and its temporary files are removed."""
    routes = "routes: {main: {queue: things, table: things, item: {id: ID}}}\n"
    text = "version: 1\ntables: {things: {key: {id: S}}}\n" + routes
    commit(git, {"routes.yaml": text.replace("ID", "id")})
    write({"routes.yaml": text.replace("ID", "other")})
    messages = (RecordedMessage({"id": "a", "other": "b"}, "written"),)
    recording = Recording(RecordingHead(queue="things", config=""), messages)

    (found,) = run_recording(recording, Path("routes.yaml"), "git:HEAD")

    assert (found["route"], found["before"], found["after"]) == ("main", '"a"', '"b"')
