"""The texts of a config as they are written: with variables, which are parameters of the template.

What AWS has to know by name (queues, tables, keys, buckets, environment variables) keeps its variables. Everything else
is as it is in the environment in which the template is made.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.check.rules.aws_limits import RESERVED_NAMES, VARIABLE
from router.config.environment import Reference, split_references
from router.errors import UsageError
from router.model import Path
from router.ops.template.expressions import REGION, Json, text_parameter
from router.ops.template.names import variable_id
from router.program.precompiled import File

_SET_BY_AWS = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
"""Variables that are there wherever AWS runs something, and what stands for them in a template."""
_NAMES_ONLY = r"[A-Za-z0-9_.-]*"


class Variable(Struct, frozen=True):
    """A variable of the environment that a config has, and its defaults there."""

    name: str
    defaults: tuple[str, ...]

    @property
    def parameter(self) -> str:
        """The logical id of its parameter."""
        return variable_id(self.name)

    def declare(self, named: bool) -> Json:
        """Its parameter; `named` tells that it is a part of a name of a queue or table to be made."""
        more: Json = {}
        if len(self.defaults) == 1:
            more["Default"] = self.defaults[0]
            if self.defaults[0]:
                # The router takes the default for an empty variable, and so the name would be another.
                more["MinLength"] = 1
        if named:
            more |= {"AllowedPattern": _NAMES_ONLY, "ConstraintDescription": "letters, digits, '_', '.' and '-'"}
        return text_parameter(f"The variable {self.name} of the config", **more)


class Texts:
    """Finds texts by their path in the config, and the variables of all its files."""

    def __init__(self, files: Sequence[File]) -> None:
        self._files = files
        self.variables: Mapping[str, Variable] = {each.name: each for each in _variables(files)}

    @property
    def file(self) -> str:
        """The name of the config's own file."""
        return self._files[0].name

    def at(self, path: Path, otherwise: str = "") -> str:
        """What stands at a path, as `Fn::Sub` takes it; if nothing does, `otherwise`, taken literally."""
        found = self._find(path)
        return _as_text(found) if isinstance(found, str) else _literal(otherwise)

    def parameters(self, named: Sequence[str]) -> dict[str, Json]:
        """The parameters, by logical id; `named` are texts of names of what is made."""
        return {
            each.parameter: each.declare(any(f"${{{each.parameter}}}" in name for name in named))
            for each in self.variables.values()
            if each.name not in _SET_BY_AWS
        }

    def environment(self, more: Mapping[str, str], section: str) -> dict[str, str]:
        """The texts of the environment variables of what runs the router: those of the config, and more.

        `section` is where the config names those. Raises UsageError for one that is in both.
        """
        for name in more:
            if name in self.variables:
                raise UsageError(
                    f"'{name}' of {section}.environment is a variable of the config, and so a parameter of the "
                    f"template; remove it there, and give its value as {variable_id(name)}"
                )
        own = {name: f"${{{each.parameter}}}" for name, each in self.variables.items() if name not in _SET_BY_AWS}
        return own | {name: self.at((section, "environment", name)) for name in more}

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
    """The variables by name; raises UsageError for one that Lambda would not take."""
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
        if name not in _SET_BY_AWS and (name in RESERVED_NAMES or not VARIABLE.fullmatch(name)):
            raise UsageError(
                f"the config has ${{{name}}}, and Lambda lets nobody set a variable of that name; rename it"
            )
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
