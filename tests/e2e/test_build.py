"""`router build`, as a user runs it: what is in the package, what is not, and that two builds are the same bytes."""

import hashlib
import json
import os
import shutil
import struct
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import pytest

MACHINES = {"x86_64": 62, "arm64": 183}
"""`e_machine` of an ELF header, by Lambda's name of the architecture."""
SMALL = "version: 1\ntables: {things: {key: {id: S}}}\nroutes: {things: {queue: things, table: things}}\n"
FOLDERS = ("flows", "plugins", "schemas")
LAMBDA_HAS = {"boto3", "botocore", "s3transfer"}


def names(file: Path) -> list[str]:
    """The names of the files of a package."""
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()


def own(file: Path) -> list[str]:
    """The names of what is neither the router's nor of a package."""
    return [
        name for name in names(file) if name.partition("/")[0] in ("flows", "plugins", "schemas") or "/" not in name
    ]


def machines(file: Path) -> set[tuple[str, int]]:
    """Of each binary of a package the last two parts of its name, and the machine in its header."""
    with zipfile.ZipFile(file) as archive:
        binaries = [name for name in archive.namelist() if name.endswith(".so")]
        headers = {name: archive.read(name)[:20] for name in binaries}
    assert all(header.startswith(b"\x7fELF") for header in headers.values())
    return {(name.split(".", 1)[1], struct.unpack_from("<H", header, 18)[0]) for name, header in headers.items()}


@pytest.fixture(scope="session")
def other(package: Any, tmp_path_factory: pytest.TempPathFactory, rebuild: Any) -> Path:
    """The same package for the other architecture, and another Python."""
    folder = tmp_path_factory.mktemp("other")
    arch = next(arch for arch in MACHINES if arch != package.arch)
    rebuild(package.config, folder / "lambda.zip", arch, "3.13")
    return folder / "lambda.zip"


def test_contents(package: Any) -> None:
    """Of the config's folder a package has the compiled config, schemas and plugins with their data, and no more."""
    assert own(package.file) == [
        "plugins/again.py",
        "plugins/places.json",
        "routes.compiled.json",
        "schemas/names.json",
        "schemas/reading.json",
        "six.py",
    ]


def test_never(package: Any) -> None:
    """No package has tests, environment files, credentials, what Lambda has, or bytecode of plugins."""
    found = names(package.file)
    parts = {part for name in found for part in name.split("/")}
    bytecode = {name for name in found if name.endswith(".pyc")}
    unwanted = {
        "tests",
        ".env",
        "conftest.py",
        "credentials",
        "boto3",
        "botocore",
        "pip",
        "click",
        "rich",
    }
    assert (parts & unwanted, [part for part in parts if part.endswith(".pem")]) == (set(), [])
    compiled = {name.replace("__pycache__/", "").partition(".")[0] for name in bytecode}
    ours = {name.removesuffix(".py") for name in found if name.startswith("router/") and name.endswith(".py")}
    assert (ours - compiled, {name for name in compiled if name.startswith("plugins/")}) == (set(), set())


def test_run_time_only(package: Any) -> None:
    """Of the router it has what the handler can come to import."""
    packed = [name.split("/")[1:] for name in names(package.file) if name.startswith("router/")]
    wings = {parts[0] for parts in packed}
    rooms = {parts[1] for parts in packed if parts[0] == "runtime"}

    assert (wings & {"tools", "prover", "pytest_plugin.py"}, "run" in rooms) == (set(), False)
    assert ("lambda_handler.py" in wings, {"engine", "aws"} - rooms) == (True, set())


def test_output(package: Any) -> None:
    """The output names the files that were left out, and the Python that imported the package."""
    lines = package.output.splitlines()
    assert [line for line in lines if line.startswith("left out")] == [
        "left out: boto3, which the Lambda runtime has, in its own version",
        "left out: plugins/.env: environment files may hold secrets",
        "left out: plugins/conftest.py: tests are not packed",
        "left out: plugins/credentials: its name suggests credentials; --allow-file plugins/credentials packs it",
        "left out: plugins/signing.pem: its name suggests credentials; --allow-file plugins/signing.pem packs it",
        "left out: plugins/test_places.py: tests are not packed",
        "left out: plugins/tests/test_again.py: tests are not packed",
    ]
    assert f"the handler imports in a clean Python {package.python}" in package.output


def test_entries(package: Any) -> None:
    """Each file has the same time and mode, and they are in the order of their names."""
    with zipfile.ZipFile(package.file) as archive:
        infos = archive.infolist()

    assert {(info.date_time, info.external_attr >> 16, info.extra) for info in infos} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644, b"")
    }
    assert [info.filename for info in infos] == sorted({info.filename for info in infos})


def test_binaries(package: Any, other: Path) -> None:
    """By their ELF headers and their names, the binaries of a package are for its architecture and its Python."""
    python = package.python.replace(".", "")
    arch = next(arch for arch in MACHINES if arch != package.arch)
    native = {"x86_64": "x86_64", "arm64": "aarch64"}

    assert (machines(package.file), machines(other)) == (
        {
            ("abi3.so", MACHINES[package.arch]),
            (f"cpython-{python}-{native[package.arch]}-linux-gnu.so", MACHINES[package.arch]),
        },
        {("abi3.so", MACHINES[arch]), (f"cpython-313-{native[arch]}-linux-gnu.so", MACHINES[arch])},
    )


@pytest.fixture(scope="module")
def again(package: Any, tmp_path_factory: pytest.TempPathFactory, rebuild: Any, installed: Path) -> tuple[Path, Any]:
    """The package again, by a router that a wheel installed, with everything else changed that should not count.

    The folder, the times of files, their order and modes, the umask, the locale, the time zone, the hash seed.
    """
    folder = tmp_path_factory.mktemp("again")
    config = folder / "elsewhere" / "routes.yaml"
    for file in sorted(package.config.parent.rglob("*"), reverse=True):
        if file.is_file():
            copy = config.parent / file.relative_to(package.config.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
            copy.chmod(0o600)
            os.utime(copy, (86_400, 86_400))
    environment = {
        "PYTHONHASHSEED": "7",
        "LC_ALL": "C",
        "TZ": "Asia/Kolkata",
        "PREFIX": "q",
        "PYTHONPATH": str(installed),
    }
    output = folder / "lambda.zip"
    settings = {"env": dict(os.environ) | environment, "umask": 0o077, "cwd": folder}
    report = rebuild(config, output, package.arch, package.python, "--format", "json", **settings)
    return output, json.loads(report)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """A folder with the router as its wheel installs it."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_same_bytes(package: Any, again: tuple[Path, Any]) -> None:
    """Another day and other circumstances make the same bytes."""
    assert again[0].read_bytes() == package.file.read_bytes()


def test_json(package: Any, again: tuple[Path, Any]) -> None:
    """For machines it tells where the package is, its sizes and hashes, and what is in it."""
    output, report = again
    content = output.read_bytes()
    with zipfile.ZipFile(output) as archive:
        infos = archive.infolist()
    wheels = [wheel["file"].partition("-")[0] for wheel in report.pop("wheels")]
    parts = {part["name"].partition(" ")[0]: part["files"] for part in report.pop("parts")}
    left_out = [each["name"] for each in report.pop("left_out")]

    assert report == {
        "path": str(output),
        "handler": "router.lambda_handler.handler",
        "runtime": f"python{package.python}",
        "architecture": package.arch,
        "size": len(content),
        "unzipped": sum(info.file_size for info in infos),
        "sha256": hashlib.sha256(content).hexdigest(),
        "over": "",
        "provided": ["boto3"],
        "floating": [],
        "missing_imports": [],
        "binaries": 5,
        "no_bytecode": None,
        "imported_in": f"Python {package.python}",
        "not_imported": "",
    }
    assert (len(left_out), sum(parts.values()), sorted(wheels)) == (
        6,
        len(infos),
        ["httptools", "jmespath", "jsonschema_rs", "msgspec", "pluggy", "python_dateutil", "pyyaml", "six"],
    )


def test_errors_first(router: Any, tmp_path: Path) -> None:
    """A config with errors is not built: they are shown, and the exit code is 1."""
    (tmp_path / "routes.yaml").write_text(SMALL.replace("table:", "tabel:"))

    done = router("build")

    assert (done.returncode, done.stdout, sorted(tmp_path.iterdir())) == (1, "", [tmp_path / "routes.yaml"])
    assert "RT101 unknown key 'tabel'" in done.stderr


def test_no_network(router: Any, tmp_path: Path) -> None:
    """Without a package index it says so, in pip's words too, and writes nothing."""
    (tmp_path / "routes.yaml").write_text(SMALL)
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}

    done = router("build", env=dict(os.environ) | nowhere)

    assert (done.returncode, done.stdout, (tmp_path / "dist").exists()) == (2, "", False)
    assert "router: cannot reach the package index" in done.stderr


def test_no_wheel(router: Any, tmp_path: Path) -> None:
    """A package that has no wheel for the runtime is named, with the runtime and its system."""
    (tmp_path / "routes.yaml").write_text(SMALL)

    done = router("build", "--arch", "arm64", "--python", "3.11")

    assert done.returncode == 2
    assert "router: there is no wheel of jsonschema-rs" in done.stderr
    assert "for python3.11 on arm64 (Amazon Linux 2, glibc 2.26)" in done.stderr


def test_too_large(router: Any, tmp_path: Path) -> None:
    """A package over a limit of Lambda's is not written: the sizes are shown, and the exit code is 1."""
    (tmp_path / "routes.yaml").write_text("plugins: [plugins/a.py]\n" + SMALL)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "a.py").write_text("")
    (tmp_path / "plugins" / "noise").write_bytes(Random(1).randbytes(50 * 1024 * 1024))

    # A file that is allowed is not searched for secrets, which takes longer than all else.
    done = router("build", "--no-bytecode", "--allow-file", "plugins/noise")

    assert (done.returncode, "plugins" in done.stdout, (tmp_path / "dist").exists()) == (1, True, False)
    assert "zipped exceeds Lambda's limit of 50.00 MB: https://docs.aws.amazon.com/lambda/" in done.stderr
    assert done.stderr.endswith("; nothing was written\n")


def test_module_of_no_package(router: Any, tmp_path: Path) -> None:
    """A plugin that is installed here, and that nothing would bring into the package, is refused with what to do."""
    (tmp_path / "routes.yaml").write_text("plugins: [own]\n" + SMALL)
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "own.py").write_text("from router import hookimpl\n\n@hookimpl\ndef router_start(router): pass\n")

    done = router("build", "--arch", "x86_64", env={**os.environ, "PYTHONPATH": str(installed)})

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "router: plugin 'own' is an installed module that no package contains; "
        "list its distribution in plugins/requirements.txt"
    )


def test_secrets(router: Any, tmp_path: Path) -> None:
    """A file with a token is refused and nothing is written; one that is named as a secret is left out; unless allowed.

    The tokens are in two parts, so that no scanner takes this file for one with secrets.
    """
    (tmp_path / "routes.yaml").write_text("plugins: [plugins/a.py]\n" + SMALL)
    secrets = {
        "password.txt": "correct4horse",
        "github.json": json.dumps({"access": "ghp" + f"_{'A1b2C3' * 6}"}),
        "keys.json": json.dumps({"aws_secret_access_key": "A1b2C3d4" * 5}),
    }
    (tmp_path / "plugins").mkdir()
    for name, text in {"a.py": "", **secrets}.items():
        (tmp_path / "plugins" / name).write_text(text)
    allow = {name: ("--allow-file", f"plugins/{name}") for name in secrets}
    native = ("--arch", "x86_64", "--python", "3.13")

    refused = {
        name: router("build", *native, *allow[other])
        for name, other in (("github.json", "keys.json"), ("keys.json", "github.json"))
    }

    assert not (tmp_path / "dist").exists()
    for name, done in refused.items():
        assert done.returncode == 2
        assert f"plugins/{name}:1: RT790 this looks like a secret" in done.stderr
        assert not any(value in done.stdout + done.stderr for value in secrets.values())

    without = router("build", *native, *allow["keys.json"], *allow["github.json"])

    assert without.returncode == 0, without.stderr
    assert "left out: plugins/password.txt: its name suggests credentials" in without.stdout
    assert own(tmp_path / "dist" / "lambda.zip") == [
        *("plugins/a.py", "plugins/github.json", "plugins/keys.json", "routes.compiled.json"),
    ]

    done = router("build", *native, *(word for words in allow.values() for word in words))

    assert done.returncode == 0, done.stderr
    assert {f"plugins/{name}" for name in secrets} < set(own(tmp_path / "dist" / "lambda.zip"))
