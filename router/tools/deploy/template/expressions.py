"""CloudFormation's intrinsic functions and logical ids, and the variables of a config as parameters.

A *text* here is an argument of `Fn::Sub`: `${Parameter}` stands for a value, and `${!` for `${`.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import hashlib
import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from operator import getitem
from typing import Any, Literal

from msgspec import Struct

from router.errors import UsageError
from router.model import Path
from router.runtime.config.environment import REDACT_KEY, Reference, split_references
from router.runtime.config.secret_values import DYNAMIC_REFERENCE
from router.runtime.deliver.telemetry import SERVICE_VARIABLE
from router.runtime.program.precompiled import File
from router.tools.check.rules.aws_limits import RESERVED_NAMES, VARIABLE
from router.tools.check.variables import is_read_at_run_time, redacts
from router.tools.deploy.table_definitions import Template

Json = dict[str, Any]
Resources = dict[str, Json]
"""Resources by their logical ids."""
Expression = str | Json
"""A value, or an intrinsic function."""
PARTITION, REGION, ACCOUNT, STACK = (
    "${AWS::Partition}",
    "${AWS::Region}",
    "${AWS::AccountId}",
    "${AWS::StackName}",
)
_REFERENCE = re.compile(r"\$\{[^!]")
Kind = Literal["Queue", "Table", "Index", "Variable"]
"""None is a prefix of another, nor of other ids (`Mapping…`, `AgeAlarm…`), so that ids are unique."""
_PLAIN = re.compile(r"(?:[a-z][a-z0-9]*-)*(?!fifo\b)[a-z][a-z0-9]*(?:\.fifo)?")
_WORD = re.compile(r"[A-Za-z0-9]+")
VARIABLE_TEXT = re.compile(r"\$\{[^}]*\}")
_LONGEST = 160
"""The maximum number of characters of a name in an id."""
SET_BY_AWS = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
"""Variables that AWS sets in each function and task, and their values in a template."""
_NAMES_ONLY = r"[A-Za-z0-9_.-]*"
_DECLARED = re.compile(r"The variable (.+) of the config")


def sub(text: str) -> Expression:
    """Return the expression of a text."""
    return {"Fn::Sub": text} if _REFERENCE.search(text) else text.replace("${!", "${")


def ref(name: str) -> Json:
    """Return a reference to a parameter or a resource."""
    return {"Ref": name}


def attribute(resource: str, name: str) -> Json:
    """Return an attribute of a resource."""
    return {"Fn::GetAtt": [resource, name]}


def resource(type_: str, properties: Json, deletion: str = "") -> Json:
    """Return a resource; `deletion` is what happens to it when it leaves the stack, if not the default."""
    policies = {"DeletionPolicy": deletion, "UpdateReplacePolicy": deletion} if deletion else {}
    return {"Type": f"AWS::{type_}", **policies, "Properties": properties}


def with_properties(resource: Mapping[str, Any], **changed: Any) -> Json:
    """Return a resource with some other properties."""
    return {**resource, "Properties": {**resource["Properties"], **changed}}


def compact_json(value: object) -> str:
    """Return a value as JSON without white space."""
    return json.dumps(value, separators=(",", ":"))


def logical_id(kind: Kind, name: str) -> str:
    """Return the id of a queue, table or variable by its name, which may contain `${…}`.

    The id depends on the kind and the name only, so that it stays the same when routes are added or removed. Names of
    lower-case words and hyphens have distinct ids without a hash; other ids end with a hash of the name. Ids consist of
    at most 255 letters and digits:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
    """
    # For a name that is only a variable, use the name of the variable.
    found = _WORD.findall(VARIABLE_TEXT.sub("-", name)) or _WORD.findall(name)
    words = "".join(word[0].upper() + word[1:] for word in found)
    if _PLAIN.fullmatch(name) and len(words) <= _LONGEST:
        return f"{kind}{words}"
    return f"{kind}{words[:_LONGEST]}{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


def variable_id(name: str) -> str:
    """Return the id of the parameter of an environment variable: `STAGE_NAME` is `VariableStageName`."""
    usual = re.fullmatch(r"[A-Z0-9_]+", name)
    return logical_id("Variable", name.lower().replace("_", "-") if usual else f"_{name}")


class Variable(Struct, frozen=True):
    """A variable of the environment in a config, and its defaults.

    AWS does not tell the value of one that is `hidden`.
    """

    name: str
    defaults: tuple[str, ...]
    hidden: bool = False

    @property
    def parameter(self) -> str:
        """The logical id of its parameter."""
        return variable_id(self.name)

    def declare(self, named: bool) -> Json:
        """Return its parameter; `named`: it is part of the name of a queue or table that the stack creates."""
        more: Json = {"NoEcho": True} if self.hidden else {}
        if len(self.defaults) == 1:
            more["Default"] = self.defaults[0]
            if self.defaults[0]:
                # The router uses the default for an empty variable, so the name would differ.
                more["MinLength"] = 1
        if named:
            more |= {
                "AllowedPattern": _NAMES_ONLY,
                "ConstraintDescription": "letters, digits, '_', '.' and '-'",
            }
        return {"Type": "String", "Description": f"The variable {self.name} of the config", **more}


def variables_of(template: Template, values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the variables of a config in a template, by their names, without those that AWS hides."""
    known = values.keys() - hidden_parameters(template)
    return {
        name: values[parameter]
        for parameter, name in variable_names(template).items()
        if parameter in known
    }


def variable_names(template: Template) -> dict[str, str]:
    """Return the variables of a config that are parameters of a template, by their parameters."""
    found = {}
    for parameter, declared in template.get("Parameters", {}).items():
        if variable := _DECLARED.fullmatch(declared.get("Description", "")):
            found[parameter] = variable[1]
    return found


def hidden_parameters(template: Template) -> frozenset[str]:
    """Return the parameters of a template whose values AWS does not tell: it tells `****`."""
    parameters = template.get("Parameters", {}).items()
    return frozenset(
        name for name, declared in parameters if str(declared.get("NoEcho", "")).lower() == "true"
    )


def without(values: Mapping[str, str], names: Container[str]) -> dict[str, str]:
    """Return values without those of some names."""
    return {name: value for name, value in values.items() if name not in names}


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
        """Return the text at a path for `Fn::Sub`; if there is none, `otherwise` as a literal."""
        found = self._find(path)
        return _as_text(found) if isinstance(found, str) else _literal(otherwise)

    def parameters(self, named: Sequence[str], section: str) -> dict[str, Json]:
        """Return the parameters, by logical id; `named` are the names of created resources.

        `section` is where the config has the environment of the function or worker.
        """
        others = {*SET_BY_AWS, *self.referring(section)}
        found = {}
        for each in self.variables.values():
            if each.name not in others:
                is_named = any(f"${{{each.parameter}}}" in name for name in named)
                found[each.parameter] = each.declare(is_named)
        return found

    def environment(self, more: Mapping[str, str], section: str) -> dict[str, str]:
        """Return the texts of the environment variables of the function or worker: those of the config, and more.

        `section` is where the config has these. Raises UsageError for one that is in both, unless its value there is a
        dynamic reference, which takes the place of a parameter.
        """
        for name in more:
            if name in self.variables and name not in self.referring(section):
                raise UsageError(
                    f"'{name}' of {section}.environment is a variable of the config, and so a parameter of the "
                    f"template; remove it there, and give its value as {variable_id(name)}"
                )
        own = {
            name: f"${{{each.parameter}}}"
            for name, each in self.variables.items()
            if name not in SET_BY_AWS
        }
        return own | {name: self.at((section, "environment", name)) for name in more}

    def referring(self, section: str) -> frozenset[str]:
        """Return the names in the environment of the function or worker whose values are dynamic references."""
        found = self._find((section, "environment"))
        texts = found.items() if isinstance(found, dict) else ()
        return frozenset(name for name, text in texts if DYNAMIC_REFERENCE in str(text))

    def require_lambda_names(self) -> None:
        """Raise UsageError for a variable that cannot be set on a Lambda function."""
        for name in self.variables:
            is_name = re.fullmatch(VARIABLE, name) and name not in RESERVED_NAMES
            if name not in SET_BY_AWS and not is_name:
                raise UsageError(
                    f"the config has ${{{name}}}, and Lambda rejects a variable of that name; rename it"
                )

    def _find(self, path: Path) -> Any:
        for file in self._files:
            with suppress(KeyError, IndexError, TypeError):
                return value_at(path, file.data)
        return None


def value_at(path: Path, data: Any) -> Any:
    """Return the value at a path."""
    return reduce(getitem, path, data)


def _variables(files: Sequence[File]) -> Iterator[Variable]:
    """Yield the variables in order of names.

    The value of one is hidden if it reaches only the environment of the function or worker. From others, names and
    losses are computed, and the name of the service is part of alarms.
    """
    defaults: dict[str, dict[str, None]] = {}
    plain = {SERVICE_VARIABLE}
    for file in files:
        for path in file.references:
            is_hidden = is_read_at_run_time(path) and path[-1] != SERVICE_VARIABLE
            for piece in split_references(value_at(path, file.data)):
                if not isinstance(piece, Reference):
                    continue
                known = defaults.setdefault(piece.name, {})
                if piece.default is not None:
                    known[piece.default] = None
                if not is_hidden:
                    plain.add(piece.name)
    if any(redacts(file.data) for file in files):
        defaults[REDACT_KEY] = {}
    for name in sorted(defaults):
        yield Variable(name, tuple(defaults[name]), hidden=name not in plain)


def _as_text(written: str) -> str:
    text = ""
    for piece in split_references(written):
        if isinstance(piece, Reference):
            text += SET_BY_AWS.get(piece.name, f"${{{variable_id(piece.name)}}}")
        else:
            text += _literal(piece)
    return text


def _literal(text: str) -> str:
    return text.replace("${", "${!")
