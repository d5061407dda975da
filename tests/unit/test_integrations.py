"""The files that other tools read: the pre-commit hook and the workflows of `.github/`."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob(".github/examples/*.yml")])
ACTION = ROOT / "action.yml"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sample configuration."""
    shutil.copy(ROOT / "routes.yaml", tmp_path)
    for name in ("schemas", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def hooks() -> list[Any]:
    """The hooks of pre-commit: the one that checks, and the one that runs the tests."""
    listed: list[Any] = load(ROOT / ".pre-commit-hooks.yaml")
    return listed


def run_hook(folder: Path, hook: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run the entry of a hook in a folder, as pre-commit does."""
    program, *arguments = shlex.split(hook["entry"])
    command = [str(Path(sys.executable).parent / program), *arguments, *hook.get("args", [])]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, env=os.environ)


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook["id"])
def test_a_hook_accepts_the_sample(folder: Path, hook: dict[str, Any]) -> None:
    """A hook succeeds for a configuration without errors, whose tests pass."""
    done = run_hook(folder, hook)
    assert done.returncode == 0, done.stdout


def test_the_hook_fails_on_an_error(folder: Path) -> None:
    """The hook fails for a schema that is not JSON, and names its line."""
    (folder / "schemas" / "order-placed.json").write_text("{")
    done = run_hook(folder, hooks()[0])
    assert (done.returncode, "schemas/order-placed.json" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("path", "runs"),
    [
        ("routes.yaml", True),
        ("flows/routes.yml", True),
        ("schemas/orders/order-placed.json", True),
        ("plugins/devices.py", True),
        ("my-routes.yaml", False),
        ("src/plugins.py", False),
    ],
)
def test_the_hook_runs_for_these_files(path: str, runs: bool) -> None:
    """The hook runs when the configuration, a schema or a plugin changes."""
    assert [bool(re.search(hook["files"], path)) for hook in hooks()] == [runs, runs]


def test_the_hook_installs_an_extra_of_this_distribution() -> None:
    """The packages of the hook are the extra with the command line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [hook["additional_dependencies"] for hook in hooks()] == [[f"{project['name']}[cli]"]] * 2
    assert "cli" in project["optional-dependencies"]


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    """Every action is pinned to a commit, with its version in a comment."""
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert [each for each in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_have_least_privilege(path: Path) -> None:
    """A workflow can read the repository at most; one job can request an OIDC token, one can push an image."""
    workflow = load(path)
    granted = [workflow["permissions"], *(job.get("permissions", {}) for job in workflow["jobs"].values())]
    writes = [name for each in granted for name, access in each.items() if access == "write"]
    needed = {"release.yml": ["id-token"], "image.yml": ["packages"], "pages.yml": ["pages", "id-token"]}
    assert writes == needed.get(path.name, [])


def test_ci_runs_the_commands_of_the_project() -> None:
    """All tests on the default Python; on the others, and with the lowest versions, what can differ there."""
    jobs = load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    runs = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert runs == {
        "test": [".ci/run"],
        "python": ["make test-python PYTHON=python${{ matrix.python }} ARGS=--retry-timing"],
        "lowest": [".ci/lowest"],
    }
    assert jobs["python"]["strategy"]["matrix"]["python"] == ["3.12", "3.13", "3.14"]


def step(name: str) -> Any:
    """A step of the action."""
    return next(each for each in load(ACTION)["runs"]["steps"] if each.get("name") == name)


@pytest.mark.parametrize(
    ("fault", "fork", "codes"),
    [("", "false", [0, 0]), ("schemas/order-placed.json", "false", [1, 2]), ("plugins/devices.py", "true", [0, None])],
    ids=["sound", "fault", "fork"],
)
def test_the_action_checks_and_tests(folder: Path, fault: str, fork: str, codes: list[int | None]) -> None:
    """As its steps are in the file; of a pull request from a fork nothing is run."""
    if fault:
        (folder / fault).write_text("{" if fault.endswith(".json") else "raise SystemExit(77)")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs, "CONFIG": "routes.yaml", "STRICT": "false", "FORK": fork}

    ended = []
    for name in ("Check", "Test") if codes[1] is not None else ("Check",):
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)["run"]]
        ended.append(subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=200).returncode)

    assert ended == [code for code in codes if code is not None]
    assert "!github.event.pull_request.head.repo.fork" in step("Test")["if"]


def test_the_action_comments_what_breaks(folder: Path) -> None:
    """The comment has the verdicts, and the step fails as `router diff` does."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-qm", "x"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run([*git, *words], cwd=folder, check=True, capture_output=True)
    schema = folder / "schemas" / "user-metadata.json"
    schema.write_text(schema.read_text().replace('"user_id"', '"user_id", "more"', 1))
    tools = folder / "tools"
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\necho "$@" > "$RUNNER_TEMP/called"\n')
    (tools / "gh").chmod(0o755)
    programs = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {"CONFIG": "routes.yaml", "BASE": "main", "NUMBER": "7", "RUNNER_TEMP": str(tools), "PATH": programs}

    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step("Diff")["run"]]
    done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, timeout=200)

    assert (done.returncode, "user-metadata" in (tools / "diff.md").read_text()) == (1, True)
    assert (tools / "called").read_text().startswith("pr comment 7 --body-file ")


def test_the_image_is_what_the_lock_files_pin() -> None:
    """It is installed with hashes, runs as nobody, and has what the build of a wheel needs."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    allowed = re.findall(r"^!(.*?)/?$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = [
        word.rstrip("/") for line in re.findall(r"^COPY ([^-].*) \S+$", text, re.MULTILINE) for word in line.split()
    ]

    assert sorted(copied) == sorted(allowed)
    assert ("--require-hashes -r requirements/worker.lock" in text, "\nUSER 10001\n" in text) == (True, True)


LOCKS = sorted(ROOT.glob("requirements/*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_names_no_index_and_no_folder(lock: Path) -> None:
    """A lock file refers to packages by name, version and hash only: it installs on every machine."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    known = re.compile(r"([\w.-]+(\[[\w, -]+\])?==\S+( ; .*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?)")
    assert [line for line in lines if not known.fullmatch(line)] == []


def locked(name: str) -> list[tuple[str, str]]:
    """The packages in a lock file, each with its version."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    return re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", text, re.MULTILINE)


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["worker", "demo", "dev"])
def test_the_lock_files_fit_what_the_project_requires(name: str) -> None:
    """Each version is one that `pyproject.toml` allows, and is the same in the lock file of the tests."""
    listed = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    required = [Requirement(each) for each in chain(*listed, *PROJECT["dependency-groups"].values())]

    outside = [each for each in required for key, has in locked(name) if key == each.name and has not in each.specifier]
    assert (outside, set(locked(name)) - set(locked("dev"))) == ([], set())


def test_a_demo_needs_few_packages() -> None:
    """It is what somebody tries first."""
    assert len(locked("demo")) <= 36


def test_what_the_tests_need_is_locked() -> None:
    """What `make test` and `make lint` import: `pyproject.toml` names it."""
    wanted = [Requirement(each).name.lower() for each in PROJECT["dependency-groups"]["dev"]]
    assert set(wanted) - {name for name, _ in locked("dev")} == set()


def test_errors_of_msgspec_are_value_errors() -> None:
    """From 0.21 on: with 0.20, a body that is no JSON was no ValueError, and its message was retried for ever."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (msgspec_,) = [each for each in map(Requirement, project["dependencies"]) if each.name == "msgspec"]

    allowed = [version for version in ("0.20.0", "0.21.0") if msgspec_.specifier.contains(version)]
    assert (allowed, issubclass(msgspec.DecodeError, ValueError)) == (["0.21.0"], True)


@pytest.mark.parametrize("name", ["Makefile", ".ci/run", ".ci/lowest", "pyproject.toml"])
def test_the_build_names_no_machine(name: str) -> None:
    """Neither a folder of one machine nor an index is named; pip takes its own from the environment."""
    # The addresses of the project itself are its own.
    text = re.sub(r".*\bOWNER\b.*\n", "", (ROOT / name).read_text(encoding="utf-8"))
    assert (
        re.findall(
            r"--(?:extra-)?index-url\b|--find-links\b|https?://\S+|(?<![\w.$)/-])/(?!dev/|usr/bin/env)\w+/\S+", text
        )
        == []
    )


GROUND = re.compile(r"router(\.(model|errors|codes|testing|lambda_handler|pytest_plugin|runtime\.printable))?$")
OWN = {"aws": ("router.runtime.aws.", "router.tools.control_plane."), "checks": ("router.tools.check.",)}
"""The packages that the tests of a folder enter; a folder of tests/unit enters the package of its name."""


def own_packages(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the packages whose modules a test may import, by the parts of its path in tests."""
    if parts[0] != "unit" or len(parts) == 2:
        return OWN.get(parts[0], ())
    if parts[1] == "prover":
        return ("router.prover.",)
    own = f"router.{parts[1]}.{parts[2]}."
    # What checks and comparisons say rests on the prover, which knows nothing of them.
    return (own, "router.prover.") if parts[2] in ("check", "change") else (own,)


def test_tests_use_other_packages_through_support() -> None:
    """What they use of another package is imported in `tests/support`, so a move within it changes one import."""
    tests = ROOT / "tests"
    files = [path for path in tests.rglob("*.py") if "support" not in path.parts and path.name != "hasty.py"]
    imports = [
        (path.relative_to(tests), node.module)
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "router"
    ]
    foreign = [
        (path.as_posix(), name)
        for path, name in imports
        if not GROUND.match(name) and not f"{name}.".startswith(own_packages(path.parts))
    ]
    assert foreign == []
