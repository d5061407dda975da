"""Substitutions of a config: its texts with variables, which become parameters of the template.

Names that AWS needs (queues, tables, keys, buckets, environment variables) keep their variables. All other values are
those of the environment in which the template is made.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.check.rules.aws_limits import RESERVED_NAMES, VARIABLE
from router.config.environment import Reference, split_references
from router.errors import UsageError
from router.model import Path
from router.ops.template.expressions import REGION, Json, text_parameter, variable_id
from router.program.precompiled import File

_SET_BY_AWS = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
"""Variables that AWS sets in each function and task, and their values in a template."""
_NAMES_ONLY = r"[A-Za-z0-9_.-]*"


class Variable(Struct, frozen=True):
    """A variable of the environment in a config, and its defaults."""

    name: str
    defaults: tuple[str, ...]

    @property
    def parameter(self) -> str:
        """The logical id of its parameter."""
        return variable_id(self.name)

    def declare(self, named: bool) -> Json:
        """Returns its parameter; `named`: it is part of the name of a queue or table that the stack creates."""
        more: Json = {}
        if len(self.defaults) == 1:
            more["Default"] = self.defaults[0]
            if self.defaults[0]:
                # The router uses the default for an empty variable, so the name would differ.
                more["MinLength"] = 1
        if named:
            more |= {"AllowedPattern": _NAMES_ONLY, "ConstraintDescription": "letters, digits, '_', '.' and '-'"}
        return text_parameter(f"The variable {self.name} of the config", **more)


class Substitutions:
    """The texts of a config by their path, and the variables of all its files."""

    def __init__(self, files: Sequence[File]) -> None:
        self._files = files
        self.variables: Mapping[str, Variable] = {each.name: each for each in _variables(files)}

    @property
    def file(self) -> str:
        """The name of the config's own file."""
        return self._files[0].name

    def at(self, path: Path, otherwise: str = "") -> str:
        """Returns the text at a path for `Fn::Sub`; if there is none, `otherwise` as a literal."""
        found = self._find(path)
        return _as_text(found) if isinstance(found, str) else _literal(otherwise)

    def parameters(self, named: Sequence[str]) -> dict[str, Json]:
        """Returns the parameters, by logical id; `named` are the names of created resources."""
        return {
            each.parameter: each.declare(any(f"${{{each.parameter}}}" in name for name in named))
            for each in self.variables.values()
            if each.name not in _SET_BY_AWS
        }

    def environment(self, more: Mapping[str, str], section: str) -> dict[str, str]:
        """Returns the texts of the environment variables of the function or worker: those of the config, and more.

        `section` is where the config has these. Raises UsageError for one that is in both.
        """
        for name in more:
            if name in self.variables:
                raise UsageError(
                    f"'{name}' of {section}.environment is a variable of the config, and so a parameter of the "
                    f"template; remove it there, and give its value as {variable_id(name)}"
                )
        own = {name: f"${{{each.parameter}}}" for name, each in self.variables.items() if name not in _SET_BY_AWS}
        return own | {name: self.at((section, "environment", name)) for name in more}

    def require_lambda_names(self) -> None:
        """Raises UsageError for a variable that cannot be set on a Lambda function."""
        for name in self.variables:
            if name not in _SET_BY_AWS and (name in RESERVED_NAMES or not VARIABLE.fullmatch(name)):
                raise UsageError(f"the config has ${{{name}}}, and Lambda rejects a variable of that name; rename it")

    def _find(self, path: Path) -> Any:
        for file in self._files:
            found: Any = file.data
            for step in path:
                known = isinstance(found, dict) or (isinstance(found, list) and isinstance(step, int))
                if not known or (isinstance(found, dict) and step not in found):
                    found = None
                    break
                found = found[step]
            if found is not None:
                return found
        return None


def _variables(files: Sequence[File]) -> Iterator[Variable]:
    """Yields the variables in order of names."""
    defaults: dict[str, dict[str, None]] = {}
    for file in files:
        for path in file.references:
            text: Any = file.data
            for step in path:
                text = text[step]
            for piece in split_references(text):
                if isinstance(piece, Reference):
                    known = defaults.setdefault(piece.name, {})
                    if piece.default is not None:
                        known[piece.default] = None
    for name in sorted(defaults):
        yield Variable(name, tuple(defaults[name]))


def _as_text(written: str) -> str:
    pieces = (
        _SET_BY_AWS.get(piece.name, f"${{{variable_id(piece.name)}}}")
        if isinstance(piece, Reference)
        else _literal(piece)
        for piece in split_references(written)
    )
    return "".join(pieces)


def _literal(text: str) -> str:
    return text.replace("${", "${!")
