"""Builds the package of the Lambda function: router, plugins, schemas, compiled config and wheels in one zip file."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.model import names_file
from router.runtime.config.environment import REDACT_KEY, copy_plain, replace_references
from router.runtime.config.secret_values import SecretValues
from router.runtime.config.spec import Config
from router.runtime.program.load import Loaded, load
from router.runtime.program.precompiled import COMPILED_NAME, unpack
from router.tools.check.variables import redacts, variables_in
from router.tools.deploy.archive import (
    Archive,
    Entry,
    LeftOut,
    folder_entries,
    module_files,
    move_archive,
    named_entries,
    plugin_files,
    router_entries,
    wheel_entries,
    write_archive,
)
from router.tools.deploy.interpreter import (
    SmokeTest,
    bytecode_entries,
    run_smoke_test,
    why_no_bytecode,
)
from router.tools.deploy.packages import ResolvedPackages, download, own_requirements, resolve
from router.tools.deploy.precompile import precompile
from router.tools.deploy.requirements import (
    FILE,
    PLUGINS,
    MissingImport,
    find_missing_imports,
    read_requirements,
    require_packages,
    requirements_files,
    run_time_modules,
    top_names,
)
from router.tools.deploy.secret_files import SecretFiles
from router.tools.deploy.targets import Arch, Python, Target

HANDLER = "router.lambda_handler.handler"
"""The handler of the function."""


class Contents(Struct, frozen=True):
    """The files of a package: `modules` of the router and of wheels, `others` of the config's folder.

    `left_out` are files that are not packed, `missing_imports` imports of plugins that the package does not have.
    """

    modules: tuple[Entry, ...]
    others: tuple[Entry, ...]
    packages: ResolvedPackages
    left_out: tuple[LeftOut, ...]
    missing_imports: tuple[MissingImport, ...]


class BuildResult(Struct, frozen=True):
    """A package and its smoke test; if it exceeds a limit of Lambda, it was not tested and no file was written."""

    target: Target
    archive: Archive
    contents: Contents
    smoke_test: SmokeTest | None = None
    no_bytecode: str = ""
    """Why the modules have no bytecode beside them; empty if they have."""


def target_of(config: Config, arch: Arch | None = None, python: Python | None = None) -> Target:
    """Return the runtime of a config's `function`, unless another is given."""
    return Target(arch or config.function.architecture, python or config.function.python)


def build(
    config: Path,
    output: Path,
    choose_target: Callable[[Config], Target] = target_of,
    env: Mapping[str, str] = os.environ,
    report: Callable[[str], object] = lambda _: None,
    bytecode: bool | None = None,
    allowed: Sequence[str] = (),
) -> BuildResult:
    """Build the package of a config, test it, and write it to `output`; call `report` with each step.

    Modules of the router and of wheels have their bytecode beside them, for a faster cold start: with `bytecode` True
    in any case, with False in none, and with None if this machine has a Python of the function's version.
    Files `allowed` by name are packed even if they seem to hold secrets. Variables of the environment are read where
    the function starts, not here. Raises ConfigError if the config has errors, UsageError if the package cannot be
    built; then, and if it exceeds a limit of Lambda, no file is written.
    """
    loaded = load(config, env, "warning")
    settings = loaded.require().config
    secrets = SecretFiles(tuple(allowed))
    secrets.require(config.parent)
    target = choose_target(settings)
    compiled = precompile(config, env)
    with tempfile.TemporaryDirectory(prefix="router-build-") as name:
        work = Path(name)
        report(f"downloading packages for {target}")
        secrets.verify(compiled, config.name, compiled=True)
        schemas = _schemas(loaded, compiled)
        contents = _collect(settings, schemas, compiled, config.parent, target, work, secrets)
        missing = "" if bytecode else "--no-bytecode"
        if bytecode is None:
            missing = why_no_bytecode(target)
        report("packing")
        entries = [*contents.modules, *contents.others]
        if not missing:
            entries += bytecode_entries(contents.modules, target, work / "bytecode")
        archive = write_archive(entries, work)
        if archive.over:
            return BuildResult(target, archive, contents, no_bytecode=missing)
        report("importing the package in a clean interpreter")
        smoke_test = run_smoke_test(archive.path, target, *_environment(settings, compiled, env))
        return BuildResult(target, move_archive(archive, output), contents, smoke_test, missing)


def pack_config(
    config: Path, folder: Path, env: Mapping[str, str], allowed: Sequence[str] = ()
) -> Archive:
    """Write what the image of a worker has of a config into a folder: its compiled form, schemas and plugin files.

    Raises ConfigError if the config has errors, UsageError for a file that seems to hold a secret.
    """
    loaded = load(config, env, "warning")
    settings = loaded.require().config
    secrets = SecretFiles(tuple(allowed))
    secrets.require(config.parent)
    compiled = secrets.verify(precompile(config, env), config.name, compiled=True)
    own = plugin_files(settings.plugins, config.parent)
    for each in settings.plugins:
        if not names_file(each):
            own += module_files(each, config.parent)
    return write_archive(
        (
            Entry("config", COMPILED_NAME, lambda: compiled),
            *named_entries("schemas", _schemas(loaded, compiled), config.parent, secrets),
            *folder_entries(own, config.parent, [], secrets),
        ),
        folder,
    )


def _collect(
    config: Config,
    schemas: set[str],
    compiled: bytes,
    folder: Path,
    target: Target,
    work: Path,
    secrets: SecretFiles,
) -> Contents:
    plugins = plugin_files(config.plugins, folder)
    packages = _download(plugins, folder, target, work)
    of_wheels = chain(*map(wheel_entries, packages.wheels))
    modules = (*router_entries(plugins), *of_wheels)
    packed = [entry.name for entry in modules]
    require_packages(run_time_modules(plugins), packed)
    left_out: list[LeftOut] = []
    own = [*plugins, *_plugin_modules(config, packed, folder)]
    others = (
        Entry("config", COMPILED_NAME, lambda: compiled),
        *named_entries("schemas", schemas, folder, secrets),
        *folder_entries(own, folder, left_out, secrets),
    )
    missing = find_missing_imports(plugins, [*packed, *(entry.name for entry in others)], folder)
    return Contents(modules, others, packages, tuple(left_out), tuple(missing))


def _download(
    plugins: Sequence[Path], folder: Path, target: Target, work: Path
) -> ResolvedPackages:
    """Download the wheels of the router and those of the plugins' requirements files."""
    own = download(own_requirements(target), target, work / "router", dependencies=False)
    required = read_requirements(list(requirements_files(plugins, folder)), target)
    if not required.roots:
        return ResolvedPackages(tuple(own), required.provided)
    more = resolve(required, own, target, work)
    return ResolvedPackages((*own, *more.wheels), more.provided, more.floating)


def _schemas(loaded: Loaded, compiled: bytes) -> set[str]:
    """Return the schema files that routes use, here or with other values of variables."""
    known = set(loaded.schemas.documents) if loaded.schemas else set[str]()
    return known | set(unpack(compiled, COMPILED_NAME).schemas.files)


def _plugin_modules(config: Config, packed: Sequence[str], folder: Path) -> list[Path]:
    """Return the files of the plugin modules in the config's folder; those of wheels are packed already."""
    packages = top_names(packed)
    found: list[Path] = []
    for plugin in config.plugins:
        if names_file(plugin) or plugin.partition(".")[0] in packages:
            continue
        files = module_files(plugin, folder)
        if not files:
            raise UsageError(
                f"plugin '{plugin}' is an installed module that no package contains; "
                f"list its distribution in {PLUGINS}/{FILE}"
            )
        found += files
    return found


def _environment(
    config: Config, compiled: bytes, env: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables of the function, and the names of those that are not set here and have a placeholder."""
    values = dict(config.function.environment)
    unset = []
    for file in unpack(compiled, COMPILED_NAME).files.files:
        values |= {
            name: env[name] for name in variables_in(file.data, file.references) if name in env
        }
        faults = replace_references(copy_plain(file.data), file.references, env, SecretValues())
        unset += [fault.unset for fault in faults if fault.unset]
        if redacts(file.data):
            if REDACT_KEY in env:
                values[REDACT_KEY] = env[REDACT_KEY]
            else:
                unset.append(REDACT_KEY)
    names = tuple(dict.fromkeys(unset))
    return {name: f"unset_{name}" for name in names} | values, names
