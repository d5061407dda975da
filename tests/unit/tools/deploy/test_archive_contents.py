"""What goes into the package, and what does not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from router.errors import UsageError
from router.tools.deploy.archive import (
    Entry,
    LeftOut,
    folder_entries,
    module_files,
    named_entries,
    plugin_files,
    router_entries,
    wheel_entries,
)
from router.tools.deploy.packages import download
from router.tools.deploy.secret_files import SecretFiles
from router.tools.deploy.targets import Target
from tests.support.disk import NOT_REGULAR, make_irregular

KEY = "AKIA" + "ABCDEFGH23456724"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a config."""
    made = tmp_path / "config"
    made.mkdir()
    return made


def put(folder: Path, *names: str, text: str = "x = 1\n") -> None:
    """Write files, with the folders that they are in."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def packed(folder: Path, *plugins: str) -> tuple[list[str], list[LeftOut]]:
    """The names of what is packed for plugin files, and what is left out."""
    left_out: list[LeftOut] = []
    entries = folder_entries([folder / plugin for plugin in plugins], folder, left_out, SecretFiles())
    return [entry.name for entry in entries], left_out


def test_beside_a_plugin(folder: Path) -> None:
    """What lies beside and below a plugin file is packed with it; caches and lists of packages go without a word."""
    put(folder, "plugins/a.py", "plugins/data/places.json", "plugins/other.py", "elsewhere/b.py", "c.py")
    put(
        folder, "plugins/__pycache__/a.pyc", "plugins/a.pyc", "plugins/.cache", "plugins/requirements.txt", "plugins/a~"
    )

    assert packed(folder, "plugins/a.py") == (["plugins/a.py", "plugins/data/places.json", "plugins/other.py"], [])


@pytest.mark.parametrize(
    ("kind", "reason"), [("FIFO", NOT_REGULAR), ("socket", NOT_REGULAR), ("link to nothing", "it is a link to nothing")]
)
def test_what_is_no_regular_file(folder: Path, kind: str, reason: str) -> None:
    """It is left out and named: nothing is waited for. In the place of a file that is packed, it is an error."""
    put(folder, "plugins/a.py", "plugins/data/places.json")
    if kind == "link to nothing":
        (folder / "plugins" / "it").symlink_to("nothing")
    else:
        make_irregular(kind, folder / "plugins" / "it")
    left_out: list[LeftOut] = []

    entries = list(folder_entries([folder / "plugins" / "a.py"], folder, left_out, SecretFiles()))

    assert [entry.name for entry in entries] == ["plugins/a.py", "plugins/data/places.json"]
    assert left_out == [LeftOut("plugins/it", reason)]
    (folder / "plugins" / "data" / "places.json").unlink()
    make_irregular("FIFO", folder / "plugins" / "data" / "places.json")
    with pytest.raises(UsageError, match=f"cannot read .*places.json: {NOT_REGULAR}"):
        entries[1].read()


def test_in_the_folder_of_the_config(folder: Path) -> None:
    """Of the config's own folder, where anything may lie, the plugin file alone is packed."""
    put(folder, "a.py", "b.py", "notes.txt", "plugins/c.py")

    assert packed(folder, "a.py") == (["a.py"], [])


def test_folder_in_folder(folder: Path) -> None:
    """A plugin's folder inside another plugin's folder is packed once."""
    put(folder, "plugins/a.py", "plugins/more/b.py")

    assert packed(folder, "plugins/a.py", "plugins/more/b.py") == (["plugins/a.py", "plugins/more/b.py"], [])


def test_left_out(folder: Path) -> None:
    """Tests, environment files and what is named as credentials are left out, and told."""
    put(folder, "plugins/a.py", "plugins/tests/a.json", "plugins/test_a.py", "plugins/.env.prod", "plugins/k/x.pem")

    assert packed(folder, "plugins/a.py") == (
        ["plugins/a.py"],
        [
            LeftOut("plugins/.env.prod", "environment files may hold secrets"),
            LeftOut("plugins/k/x.pem", "its name suggests credentials; --allow-file plugins/k/x.pem packs it"),
            LeftOut("plugins/test_a.py", "tests are not packed"),
            LeftOut("plugins/tests/a.json", "tests are not packed"),
        ],
    )


@pytest.mark.parametrize(
    "name",
    [
        "prod.env",
        "aws_credentials",
        "Credentials.csv",
        "rootkey.csv",
        "secret.json",
        "service-account.json",
        "KubeConfig",
    ],
)
def test_named_as_credentials(folder: Path, name: str) -> None:
    """Whatever is named as credentials are, in capitals or not, is left out."""
    put(folder, "plugins/a.py", f"plugins/{name}")

    assert packed(folder, "plugins/a.py") == (
        ["plugins/a.py"],
        [LeftOut(f"plugins/{name}", f"its name suggests credentials; --allow-file plugins/{name} packs it")],
    )


@pytest.mark.parametrize("name", ["tests.py", "Tests/a.py", "test/a.py"])
def test_named_as_tests(folder: Path, name: str) -> None:
    """Whatever is named as tests are is left out."""
    put(folder, "plugins/a.py", f"plugins/{name}")

    assert packed(folder, "plugins/a.py")[0] == ["plugins/a.py"]


def test_module_named_as_credentials(folder: Path) -> None:
    """A module may be named for what it does with secrets."""
    put(folder, "plugins/a.py", "plugins/aws_credentials.py")

    assert packed(folder, "plugins/a.py") == (["plugins/a.py", "plugins/aws_credentials.py"], [])


def test_plugin_named_as_a_test(folder: Path) -> None:
    """A plugin that the config names is packed, whatever its name is."""
    put(folder, "plugins/lab_test.py")

    assert packed(folder, "plugins/lab_test.py") == (["plugins/lab_test.py"], [])


def test_links(folder: Path, tmp_path: Path) -> None:
    """A link to a folder is not followed, and told; a link out of the config's folder is refused."""
    put(folder, "plugins/a.py")
    put(tmp_path, "outside.py")
    (folder / "plugins" / "linked").symlink_to(tmp_path)

    names, left_out = packed(folder, "plugins/a.py")
    (folder / "plugins" / "out.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(UsageError) as raised:
        packed(folder, "plugins/a.py")

    assert (names, left_out) == (
        ["plugins/a.py"],
        [LeftOut("plugins/linked", "it is a link to a folder; copy the folder there")],
    )
    link = folder / "plugins" / "out.py"
    assert str(raised.value) == (f"{link} is a link to a file outside the folder of the config; copy the file there")


@pytest.mark.parametrize("text", [f"key = '{KEY}'\n", "-----BEGIN RSA PRIVATE KEY-----\n"])
def test_secrets(folder: Path, text: str) -> None:
    """A file with a key in it is refused with its line, and without the key."""
    put(folder, "plugins/a.py", text=f"\n{text}")
    (entry,) = folder_entries([folder / "plugins/a.py"], folder, [], SecretFiles())

    with pytest.raises(UsageError) as raised:
        entry.read()

    assert str(raised.value) == (
        "plugins/a.py:2: RT790 this looks like a secret: remove it, and use the role of the function; "
        "--allow-file plugins/a.py packs it as it is"
    )


def test_example_key(folder: Path) -> None:
    """The keys of AWS's own examples are no secrets."""
    put(folder, "plugins/a.py", text="AKIAIOSFODNN7EXAMPLE")
    (entry,) = folder_entries([folder / "plugins/a.py"], folder, [], SecretFiles())

    assert entry.read() == b"AKIAIOSFODNN7EXAMPLE"


def test_plugin_outside(folder: Path) -> None:
    """A plugin file out of the config's folder is refused, with what to do."""
    with pytest.raises(UsageError) as raised:
        plugin_files(["../shared/a.py"], folder)

    assert str(raised.value) == (
        "plugin '../shared/a.py' is outside the folder of the config, and only files of that folder are packed; "
        "move it there, or make it a distribution and list it in plugins/requirements.txt"
    )


def test_absolute_plugin(folder: Path) -> None:
    """A plugin file that is named by its place on this machine would not be found in Lambda."""
    with pytest.raises(UsageError) as raised:
        plugin_files(["/srv/a.py"], folder)

    assert str(raised.value) == ("plugin '/srv/a.py' is an absolute path; use a path relative to the config's folder")


def test_roundabout(folder: Path) -> None:
    """A way through folders and back is the file that it leads to."""
    assert plugin_files(["plugins/../a.py", "./b.py"], folder) == [folder / "a.py", folder / "b.py"]


def test_modules(folder: Path) -> None:
    """A plugin that is a module may be a package or a file of the config's folder."""
    put(folder, "acme/__init__.py", "single.py")

    assert [module_files(name, folder) for name in ("acme.flows", "single", "absent")] == [
        [folder / "acme" / "__init__.py"],
        [folder / "single.py"],
        [],
    ]


def test_schemas(folder: Path) -> None:
    """Schema files are packed under their names; inline schemas have no file."""
    put(folder, "schemas/a.json", text="{}")

    entries = list(named_entries("schemas", ["schemas/a.json", "routes.a.schema"], folder, SecretFiles()))

    assert [(entry.part, entry.name, entry.read()) for entry in entries] == [("schemas", "schemas/a.json", b"{}")]


def test_wheel(make_wheel: Callable[..., Path], tmp_path: Path) -> None:
    """Of a wheel all is packed that would be in site-packages, but its tests, its caches and its list of files."""
    files = {
        "alpha/a.py": b"1",
        "alpha/tests/__init__.py": b"",
        "alpha/tests/test_a.py": b"",
        "alpha/test_mode.py": b"2",
        "alpha/__pycache__/a.cpython-313.pyc": b"",
        "alpha-1.0.data/purelib/extra.py": b"3",
        "alpha-1.0.data/scripts/alpha": b"",
    }
    make_wheel("alpha", "1.0", files=files)
    (wheel,) = download(["alpha"], Target("arm64", "3.13"), tmp_path / "work", dependencies=False)

    entries = {entry.name: entry for entry in wheel_entries(wheel)}

    assert sorted(entries) == [
        "alpha-1.0.dist-info/METADATA",
        "alpha-1.0.dist-info/WHEEL",
        "alpha/__init__.py",
        "alpha/a.py",
        "alpha/test_mode.py",
        "extra.py",
    ]
    assert (entries["extra.py"].read(), {entry.part for entry in entries.values()}) == (b"3", {"alpha 1.0"})


def test_router() -> None:
    """The router's modules are under the name of its package."""
    entries: dict[str, Entry] = {entry.name: entry for entry in router_entries([])}

    assert entries["router/lambda_handler.py"].read().startswith(b'"""The AWS Lambda function')


def test_the_packed_router_reads_a_config_in_yaml(tmp_path: Path) -> None:
    """`ROUTER_CONFIG` of a function may name one."""
    for entry in router_entries([]):
        file = tmp_path / entry.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.read())
    (tmp_path / "routes.yaml").write_text("version: one\n")
    code = (
        "from pathlib import Path; from router.runtime.program import load; print(load.__file__)",
        "print(*load.load(Path('routes.yaml'), {}).findings)",
    )

    done = subprocess.run(
        [sys.executable, "-c", "; ".join(code)], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True
    )

    assert done.stderr.decode() == ""
    imported, findings = done.stdout.decode().splitlines()
    assert (Path(imported), "version" in findings) == (tmp_path / "router/runtime/program/load.py", True)
