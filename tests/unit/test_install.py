"""What `make` installs, and by which settings: those of pip apply to uv too."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from requirements.install import pip_settings, uv_environment

ROOT = Path(__file__).parents[2]
STAMP = "installed-here"


def test_settings_of_pip() -> None:
    """A variable of the environment is stronger than the section of the command, and that than all commands'."""
    listed = (
        ":env:.index-url='https://ignored/simple'\nglobal.index-url='https://file/simple'\n"
        "install.timeout='30'\nglobal.timeout='15'\nglobal.find-links='\\n/a\\n/b'\ndownload.retries='9'\n"
    )
    environ = {"PIP_INDEX_URL": "https://variable/simple", "PIPX_HOME": "/x"}

    assert pip_settings(listed, environ) == {
        "index-url": "https://variable/simple",
        "timeout": "30",
        "find-links": "\n/a\n/b",
    }


@pytest.mark.parametrize(
    ("pip", "uv"),
    [
        ({"index-url": "https://a/simple"}, {"UV_DEFAULT_INDEX": "https://a/simple"}),
        (
            {"extra-index-url": "https://a\nhttps://b"},
            {"UV_INDEX": "https://a https://b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ({"find-links": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}),
        ({"cert": "/c.pem", "client-cert": "/d.pem"}, {"SSL_CERT_FILE": "/c.pem", "SSL_CLIENT_CERT": "/d.pem"}),
        ({"proxy": "http://p:1"}, {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:1"}),
        ({"trusted-host": "a b", "default-timeout": "60"}, {"UV_INSECURE_HOST": "a b", "UV_HTTP_TIMEOUT": "60"}),
        ({"no-index": "true", "no-cache-dir": "0"}, {"UV_NO_INDEX": "1"}),
        ({}, {}),
    ],
)
def test_uv_has_the_settings_of_pip(pip: dict[str, str], uv: dict[str, str]) -> None:
    """It reads none of pip's files and variables itself."""
    assert uv_environment(pip, {}) == {"UV_PYTHON_DOWNLOADS": "never"} | uv


def test_variables_of_uv_stay() -> None:
    """They are stronger than the settings of pip."""
    own = {"UV_DEFAULT_INDEX": "https://own", "SSL_CERT_FILE": "/own.pem", "HOME": "/h"}

    assert uv_environment({"index-url": "https://pip", "cert": "/pip.pem"}, own) == own | {
        "UV_PYTHON_DOWNLOADS": "never"
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the installer, lock files without packages, and nothing to build."""
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "install.py", tmp_path / "requirements")
    for group in ("worker", "demo", "tests"):
        (tmp_path / "requirements" / f"{group}.lock").write_text("")
    (tmp_path / "router").mkdir()
    return tmp_path


TOOL = """#!{python}
import os, sys
from pathlib import Path
Path({log!r}).open("a").write(" ".join(["{name}", *sys.argv[1:3]]) + "\\n")
if "{name}" == "uv" and {fails}:
    sys.exit("no such index")
if sys.argv[1] == "venv":
    folder = Path(sys.argv[-1], "bin")
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
"""


def install(project: Path, group: str, fails: bool = False) -> tuple[str, list[str]]:
    """Install a group with a stand-in for uv; return what is printed, and its commands."""
    tools, log = project / "tools", project / "log"
    tools.mkdir(exist_ok=True)
    log.write_text("")
    uv = tools / "uv"
    uv.write_text(TOOL.format(python=sys.executable, log=str(log), name="uv", fails=fails))
    uv.chmod(0o755)
    command = [sys.executable, str(project / "requirements" / "install.py"), str(project / "env"), STAMP, group]
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    return done.stderr, log.read_text().splitlines()


def stamps(project: Path) -> list[str]:
    """The groups that the environment is marked with."""
    return sorted(file.name.removeprefix(f"{STAMP}-") for file in (project / "env").glob(f"{STAMP}-*"))


def test_a_second_group_is_added(project: Path) -> None:
    """The environment is made once; the packages stay."""
    printed, commands = install(project, "demo")
    assert "making" in printed
    assert commands == ["uv venv --quiet", "uv pip --quiet", "uv pip --quiet"]
    assert "by uv in" in printed

    printed, commands = install(project, "tests")
    assert "adding to" in printed
    assert (commands, stamps(project)) == (["uv pip --quiet"], ["demo", "tests", "worker"])


def test_a_group_whose_lock_changed_is_made_anew(project: Path) -> None:
    """So that packages that the lock no longer has are gone; the groups below it come with it."""
    install(project, "demo")
    install(project, "tests")

    printed, _ = install(project, "tests")
    assert ("making" in printed, stamps(project)) == (True, ["demo", "tests", "worker"])

    install(project, "demo")
    assert stamps(project) == ["demo", "worker"]


def test_pip_installs_where_uv_fails(project: Path) -> None:
    """What uv says is printed. Pip has nothing to install here, and says so."""
    printed, commands = install(project, "demo", fails=True)

    assert "uv failed, so pip does it:\nno such index" in printed
    assert (commands, stamps(project)) == (["uv venv --quiet"], [])


STAND_IN = """
import sys
from pathlib import Path
folder, stamp, group = sys.argv[1:]
print("install", group)
Path(folder, "bin").mkdir(parents=True, exist_ok=True)
if not Path(folder, "bin", "python").exists():
    Path(folder, "bin", "python").symlink_to(sys.executable)
Path(folder, f"{stamp}-{group}").touch()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which `make` installs nothing, and says what it would."""
    (tmp_path / "requirements").mkdir()
    for name in ("Makefile", "pyproject.toml", *(f"requirements/{file.name}" for file in LOCKS)):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "requirements" / "install.py").write_text(STAND_IN)
    return tmp_path


LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def make(folder: Path, group: str, venv: str = ".venv") -> list[str]:
    """Make the environment of a group; return what is installed."""
    stamp = f"{venv}/installed-{str(folder).replace('/', '-')}-{group}"
    command = ["make", "--silent", stamp, f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=True)
    return done.stdout.replace("install ", "").split()


def test_make_installs_what_is_missing(checkout: Path) -> None:
    """A second command adds to the environment of the first, and a third finds all there."""
    assert make(checkout, "demo") == ["demo"]
    assert make(checkout, "demo") == []
    assert make(checkout, "tests") == ["tests"]
    assert make(checkout, "lint") == ["browser", "bench", "lint"]
    assert make(checkout, "tests") == []


@pytest.mark.parametrize(
    ("changed", "group", "installed"),
    [
        ("pyproject.toml", "tests", ["demo", "tests"]),
        ("requirements/worker.lock", "demo", ["demo"]),
        ("requirements/tests.lock", "tests", ["tests"]),
        ("requirements/tests.lock", "demo", []),
        ("requirements/site.lock", "tests", []),
    ],
)
def test_make_sees_what_is_stale(checkout: Path, changed: str, group: str, installed: list[str]) -> None:
    """What a changed file is not for stays."""
    make(checkout, "tests")
    later = (checkout / changed).stat().st_mtime + 3600
    os.utime(checkout / changed, (later, later))

    assert make(checkout, group) == installed


def test_an_environment_that_was_moved_or_lost_its_python_is_stale(checkout: Path, tmp_path: Path) -> None:
    """Its programs name the folder that they were installed in."""
    make(checkout, "tests")
    (checkout / ".venv" / "bin" / "python").unlink()
    assert make(checkout, "tests") == ["demo", "tests"]

    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    shutil.move(checkout, moved)
    assert make(moved, "demo") == ["demo"]
