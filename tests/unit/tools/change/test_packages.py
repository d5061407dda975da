"""A config that was packed or deployed, as a version: the package is read, and nothing of it runs but its plugins."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from router import codes
from router.errors import ConfigError, UsageError
from router.model import Finding, Place
from router.tools.change.compare import compare_versions
from router.tools.change.versions import ConfigVersion, open_package, open_version, open_versions
from tests.support.ops import DeployedCode, precompile, stack_versions
from tests.support.program import COMPILED_NAME

CONFIG = """\
version: 1
plugins: [own.py]
tables: {things: {name: "${STAGE}-things", key: {id: S}}}
routes: {a: {queue: a, table: things, item: {id: id, n: {from: n, transform: shout}}}}
"""
PLUGIN = """\
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", lambda value: value + "!")
"""
Make = Callable[..., bytes]


@pytest.fixture
def package(tmp_path: Path) -> Make:
    """Return a function that makes a package with further files."""

    def make(files: Mapping[str, str] = {}, config: str = CONFIG) -> bytes:
        (tmp_path / "routes.yaml").write_text(config)
        (tmp_path / "own.py").write_text(PLUGIN)
        made = {COMPILED_NAME: precompile(tmp_path / "routes.yaml", {"STAGE": "test"}), "own.py": PLUGIN.encode()}
        with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
            for name, data in {**made, **{name: text.encode() for name, text in files.items()}}.items():
                archive.writestr(name, data)
        return content.getvalue()

    return make


def table_of(version: ConfigVersion) -> str:
    return version.program.engine.queues["a"].routes[0].write.table.name


def test_a_package(package: Make) -> None:
    """It has its plugins, but not the router of its build; places name the package."""
    made = package({"router/__init__.py": "raise SystemExit", "data.txt": "x"})

    with ExitStack() as stack:
        version = open_package("the package", made, {"STAGE": "live"}, stack)
        folder = version.program.folder
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        place = version.place(("routes", "a"), True)
        hashes = (version.plugin_hashes, version.packed_files)
        file = version.file(place)
        elsewhere = Place("/usr/lib/plugin.py", 3, 1)  # of a plugin that is installed
        inside = version.relabel(Finding(codes.INVALID, "text", Place(str(folder / "routes.yaml"), 4, 9))).place
        outside = version.file(elsewhere), version.relabel(Finding(codes.INVALID, "text", elsewhere)).place

    assert inside == Place("the package:routes.yaml", 4, 9)
    assert outside == (Path("/usr/lib/plugin.py"), elsewhere)
    assert (version.label, version.env, table_of(version)) == ("the package", {"STAGE": "live"}, "live-things")
    assert files >= {COMPILED_NAME, "own.py", "data.txt"}
    assert not [name for name in files if name.startswith("router/")]
    assert (place.file, file) == ("the package:routes.yaml", folder / "routes.yaml")
    digest = hashlib.sha256(PLUGIN.encode()).hexdigest()
    assert hashes == ({"own": digest}, {"own.py": digest})
    assert not folder.exists()


def test_a_package_of_another_version_of_the_router(package: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what a rollback compares with, as long as its format is the same."""
    with monkeypatch.context() as patch:
        patch.setattr("router.runtime.program.precompiled.__version__", "0.0.9")
        made = package()

    with ExitStack() as stack:
        assert table_of(open_package("it", made, {"STAGE": "live"}, stack)) == "live-things"


def test_packages_are_compared_as_they_are_deployed(package: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that another version of the router built."""
    config = "queues: {a: {dead_letter: dead, retention: 4d}}\n" + CONFIG
    with monkeypatch.context() as patch:
        patch.setattr("router.runtime.program.precompiled.__version__", "0.0.9")
        before = package(config=config)
    after = package(config=config.replace("4d", "1d"))

    with ExitStack() as stack:
        old, new = (open_package("it", each, {"STAGE": "live"}, stack) for each in (before, after))
        found = [each.change.sentence for each in compare_versions(old, new).findings]

    assert found == [
        "queue 'a' keeps messages for 86400 s, and kept them for 345600 s",
        "CloudFormation modifies queue 'a': MessageRetentionPeriod: 345600 → 86400",
    ]


def test_a_variable_that_is_not_set(package: Make, tmp_path: Path) -> None:
    """Of a file it has a placeholder, so that all else can be compared; a package does not run without it."""
    made = package()

    with ExitStack() as stack:
        version = open_version(str(tmp_path / "routes.yaml"), tmp_path / "routes.yaml", {}, stack)
        assert table_of(version).endswith("-things")
        assert {each.code.severity for each in version.loaded.findings} == {"warning"}
        with pytest.raises(
            ConfigError, match=r"it:routes\.yaml:3:25: error RT005 environment variable 'STAGE' is not set"
        ):
            open_package("it", made, {}, stack)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (b"x", "it is no package made by router build"),
        (None, f"it has no {COMPILED_NAME}: no package made by router build"),
    ],
)
def test_what_is_no_package(made: bytes | None, reason: str) -> None:
    """A file that is no archive, or one without a config."""
    if made is None:
        with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
            archive.writestr("other.txt", "x")
        made = content.getvalue()

    with ExitStack() as stack, pytest.raises(UsageError, match=reason):
        open_package("it", made, {}, stack)


def test_a_package_with_a_variable_that_is_not_valid(package: Make) -> None:
    """The error is at a place of the package, not at that of a temporary file."""
    with ExitStack() as stack, pytest.raises(ConfigError) as raised:
        open_package("it", package(), {"STAGE": "not a name!"}, stack)

    assert {str(each.place).partition(":")[0] for each in raised.value.findings} == {"it"}


@pytest.mark.parametrize("side", [0, 1])
def test_what_a_stack_runs(package: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    """Its variables count for the other version too, unless the environment has them."""
    made, asked = package(), []

    def read_code(name: str) -> DeployedCode:
        asked.append(name)
        return DeployedCode(made, {"STAGE": "live", "OTHER": "x"})

    monkeypatch.setattr(stack_versions, "read_code", read_code)
    config = tmp_path / "routes.yaml"
    given = ["stack:mine", ""] if side == 0 else ["", "stack:mine"]
    for env, expected in (({}, "live-things"), ({"STAGE": "own"}, "own-things")):
        with ExitStack() as stack:
            versions: Any = open_versions(given[0], given[1], config, env, stack)

        assert [each.label for each in versions] == [each or "working tree" for each in given]
        assert (table_of(versions[side]), table_of(versions[1 - side])) == ("live-things", expected)
    assert asked == ["mine"] * 2
