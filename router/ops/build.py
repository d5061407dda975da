"""Builds the package of the Lambda function: router, plugins, schemas, compiled config and wheels in one zip file."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from router.config.environment import substitute, variables_in
from router.config.spec import Config
from router.errors import ConfigError, UsageError
from router.model import names_file
from router.ops.archive import Archive, Part, place, write_archive
from router.ops.bytecode import bytecode_entries
from router.ops.closure import Closure, resolve
from router.ops.contents import (
    Entry,
    LeftOut,
    folder_entries,
    module_files,
    plugin_files,
    router_entries,
    schema_entries,
    wheel_entries,
)
from router.ops.imports import run_time_modules
from router.ops.missing_imports import Absent, find_absent, require_packages, top_names
from router.ops.requirements import FILE, PLUGINS, own_requirements, read_requirements, requirements_files
from router.ops.smoke_test import Proof, prove
from router.ops.targets import Arch, Python, Target
from router.ops.wheels import Wheel, download
from router.program.load import Loaded, load
from router.program.precompile import precompile
from router.program.precompiled import COMPILED_NAME, Opened, unpack

HANDLER = "router.lambda_handler.handler"
"""What the function is to be told to call."""
OUTPUT = Path("dist/lambda.zip")


class Built(Struct, frozen=True):
    """A package: where it is, its size in bytes and its SHA-256 in hex, what is in it, and what was proved of it.

    `over` says which of Lambda's limits it passes; then no file was written. `provided` are packages that plugins ask
    for and that Lambda has, `floating` wheels whose version nothing fixes, `left_out` files that were not packed, and
    `absent` what plugins import and the package does not have.
    """

    target: Target
    path: Path
    size: int
    unzipped: int
    sha256: str
    parts: tuple[Part, ...]
    wheels: tuple[Wheel, ...]
    provided: tuple[str, ...]
    floating: tuple[Wheel, ...]
    left_out: tuple[LeftOut, ...]
    absent: tuple[Absent, ...]
    proof: Proof | None
    over: str = ""


def target_of(config: Config, arch: Arch | None = None, python: Python | None = None) -> Target:
    """The runtime that a config's `function` has, unless another is named."""
    return Target(arch or config.function.architecture, python or config.function.python)


def build(
    config: Path,
    output: Path = OUTPUT,
    target: Target | None = None,
    env: Mapping[str, str] = os.environ,
    tell: Callable[[str], object] = lambda _: None,
    bytecode: bool = False,
) -> Built:
    """Build the package of a config, prove it, and put it at `output`; `tell` hears what is being done.

    With `bytecode`, modules of the router and of packages have theirs beside them, for a faster cold start. Variables
    of the environment are read where the function starts, not here. Raises ConfigError (the config has errors),
    UsageError (it cannot be built; nothing is written then, nor where it passes a limit of Lambda's).
    """
    loaded = load(config, env, "warning")
    if loaded.config is None or loaded.findings.failed:
        raise ConfigError(tuple(loaded.findings))
    target = target or target_of(loaded.config)
    compiled = precompile(config, env)
    with tempfile.TemporaryDirectory(prefix="router-build-") as name:
        work = Path(name)
        tell(f"downloading packages for {target}")
        contents = _gather(loaded, compiled, config.parent, target, work)
        entries = contents.entries
        if bytecode:
            tell(f"compiling for {target.runtime}")
            entries = (*entries, *bytecode_entries(contents.modules, target, work / "bytecode"))
        tell("packing")
        archive = write_archive(entries, work)
        proof = None
        if not archive.over:
            tell("importing the package in a clean interpreter")
            proof = prove(archive.path, target, *_environment(loaded.config, compiled, env))
            archive = place(archive, output)
    return _built(archive, output, target, contents, proof)


class _Contents(Struct, frozen=True):
    """What is to be packed: files of the config's folder, and `modules`, those of the router and of packages."""

    modules: tuple[Entry, ...]
    others: tuple[Entry, ...]
    packages: Closure
    left_out: tuple[LeftOut, ...]
    absent: tuple[Absent, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        return (*self.modules, *self.others)


def _gather(loaded: Loaded, compiled: bytes, folder: Path, target: Target, work: Path) -> _Contents:
    assert loaded.config is not None
    plugins = plugin_files([entry for entry in loaded.config.plugins if names_file(entry)], folder)
    packages = _packages(plugins, folder, target, work)
    modules = (*router_entries(plugins), *(entry for wheel in packages.wheels for entry in wheel_entries(wheel)))
    require_packages(run_time_modules(plugins), modules)
    left_out: list[LeftOut] = []
    files = [*plugins, *_modules(loaded.config, modules, folder)]
    others = [
        Entry("config", COMPILED_NAME, lambda: compiled),
        *schema_entries(_schemas(loaded, compiled), folder),
        *folder_entries(files, folder, left_out),
    ]
    absent = find_absent(plugins, [*modules, *others], folder)
    return _Contents(modules, tuple(others), packages, tuple(left_out), tuple(absent))


def _built(archive: Archive, output: Path, target: Target, contents: _Contents, proof: Proof | None) -> Built:
    return Built(
        target=target,
        path=output,
        size=archive.size,
        unzipped=archive.unzipped,
        sha256=archive.sha256,
        parts=archive.parts,
        wheels=contents.packages.wheels,
        provided=contents.packages.provided,
        floating=contents.packages.floating,
        left_out=contents.left_out,
        absent=contents.absent,
        proof=proof,
        over=archive.over,
    )


def _packages(plugins: Sequence[Path], folder: Path, target: Target, work: Path) -> Closure:
    """The router's own wheels, and those of the plugins' requirements files."""
    own = download([str(pin) for pin in own_requirements(target)], target, work / "router", dependencies=False)
    asked = read_requirements(list(requirements_files(plugins, folder)), target)
    if not asked.roots:
        return Closure(tuple(own), asked.provided)
    more = resolve(asked, own, target, work)
    return Closure((*own, *more.wheels), more.provided, more.floating)


def _schemas(loaded: Loaded, compiled: bytes) -> set[str]:
    """The schema files that routes use, or may use with other variables."""
    known = set(loaded.schemas.documents) if loaded.schemas else set[str]()
    return known | set(unpack(compiled, COMPILED_NAME).schemas.files)


def _modules(config: Config, packed: Sequence[Entry], folder: Path) -> list[Path]:
    """The files of plugins that are modules of the config's folder; those of packages are packed already."""
    tops = top_names(packed)
    found: list[Path] = []
    for plugin in config.plugins:
        if names_file(plugin) or plugin.partition(".")[0] in tops:
            continue
        files = module_files(plugin, folder)
        if not files:
            raise UsageError(
                f"plugin '{plugin}' is an installed module, and none of the packages has it; "
                f"name its distribution in {PLUGINS}/{FILE}"
            )
        found += files
    return found


def _environment(config: Config, compiled: bytes, env: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that the function is started with, and the names of those for which there is no value here."""
    opened: Opened = unpack(compiled, COMPILED_NAME)
    values = dict(config.function.environment)
    unset = []
    for file in opened.files.files:
        values |= {name: env[name] for name in variables_in(file.data, file.references) if name in env}
        unset += [fault.unset for fault in substitute(file.data, env)[1] if fault.unset]
    names = tuple(dict.fromkeys(unset))
    return {name: f"unset_{name}" for name in names} | values, names
