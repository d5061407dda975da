"""From the path of `routes.yaml` to a program: what check, worker, Lambda and tests all call."""

from collections.abc import Mapping
from pathlib import Path as FilePath

from router.config.reading import without_garbage_collector
from router.errors import ConfigError, UsageError
from router.model import Severity
from router.program.precompiled import is_precompiled
from router.program.program import Loaded, Program, compile_config
from router.program.schemas.compile import SchemaStore

__all__ = ["Loaded", "Program", "load", "load_program"]


def load(path: FilePath, env: Mapping[str, str], unset: Severity = "error") -> Loaded:
    """Read, parse and compile a config with what it includes; every fault is a finding, none is raised.

    `unset` is how bad it is if a variable of the environment is not set and has no default. If that is no error, the
    program has placeholders, and is there to be looked at only. Raises UsageError for a compiled config.
    """
    if is_precompiled(path):
        raise UsageError(f"{path} is a compiled config: name the YAML file that it was made from")
    return _load_yaml(path, env, unset)


def load_program(path: FilePath, env: Mapping[str, str]) -> Program:
    """The program of a config, in YAML or compiled.

    Raises ConfigError with the findings if it has errors, UsageError if it was compiled by another version.
    """
    if is_precompiled(path):
        from router.program.start import load_precompiled  # who has the YAML file does not need it

        loaded = load_precompiled(path, env)
    else:
        loaded = _load_yaml(path, env, "error")
    if loaded.program is None:
        raise ConfigError(tuple(loaded.findings))
    return loaded.program


def _load_yaml(path: FilePath, env: Mapping[str, str], unset: Severity) -> Loaded:
    # Who has compiled the config before does not pay for reading YAML.
    from router.config.include import read_config

    with without_garbage_collector():
        reading = read_config(path, env, unset)
        return compile_config(reading, SchemaStore(reading.folder))
