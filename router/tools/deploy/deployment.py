"""Prepares a deployment: the template, the values of its parameters, and the package."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.filesystem import read_regular
from router.runtime.program.precompiled import COMPILED_NAME
from router.tools.control_plane.artifacts import Artifacts
from router.tools.control_plane.resource_changes import ResourceChange
from router.tools.control_plane.stacks import ParameterValues, StackTemplate
from router.tools.deploy.archive import Archive
from router.tools.deploy.changes import (
    QUEUE,
    TABLE,
    PlannedChange,
    PreviousKeys,
    TemplateVersion,
    describe_changes,
    routes_of,
)
from router.tools.deploy.hidden_values import HiddenValues, Previous, refuse_references
from router.tools.deploy.packages import sha256_of
from router.tools.deploy.precompile import precompile
from router.tools.deploy.table_definitions import Template, Values, substitute_text
from router.tools.deploy.template.alias import has_function, with_version_id
from router.tools.deploy.template.document import Document
from router.tools.deploy.template.expressions import (
    compact_json,
    hidden_parameters,
    with_properties,
    without,
)
from router.tools.deploy.template.limits import MAX_INLINE_BYTES
from router.tools.deploy.template.policies import MANAGED_POLICY
from router.tools.deploy.template.resources import CODE_BUCKET, CODE_KEY, CODE_VERSION

FOLDER = "message-router"
"""The prefix of the keys of packages and templates in a bucket."""
MAX_FUNCTION_NAME = 64
"""The function has the name of the stack: lambda/latest/api/API_CreateFunction.html"""
_NAMES = {TABLE: "TableName", QUEUE: "QueueName"}


class Deployment(Struct, frozen=True):
    """A stack to deploy: the text of its template, its parameters and package.

    A parameter whose value is None keeps the value that the stack has. `values` are the values of all parameters that
    AWS tells, `changes` those that change, before and after. Both are HIDDEN of a value that is given, and may be the
    one that AWS hides. `routes` and `names` are those of its resources, by logical id, `variables` the known values of
    the variables of the config.
    """

    stack: str
    body: str = ""
    parameters: ParameterValues = {}
    routes: Mapping[str, str] = {}
    names: Mapping[str, str] = {}
    package: Archive | None = None
    values: Values = {}
    changes: Mapping[str, tuple[str, str]] = {}
    variables: Values = {}
    keys: PreviousKeys = PreviousKeys()

    @property
    def template(self) -> TemplateVersion:
        """The template, with the values of all parameters."""
        return TemplateVersion(json.loads(self.body), self.values)

    def with_body(self, body: Template) -> "Deployment":
        """Return the deployment of another template."""
        return structs.replace(self, body=compact_json(body))

    def describe(
        self, changes: tuple[ResourceChange, ...], old: TemplateVersion
    ) -> tuple[PlannedChange, ...]:
        """Return a description of each change; `old` is the template that the stack has."""
        return describe_changes(changes, self.routes, self.names, old, self.template, self.keys)

    def policies_beside(self, old: Template) -> int:
        """Return how many managed policies the role has during the change of a template `old`."""
        resources = {**old.get("Resources", {}), **json.loads(self.body)["Resources"]}
        return sum(each["Type"] == MANAGED_POLICY for each in resources.values())

    def upload_template(self, artifacts: Artifacts) -> StackTemplate:
        """Return the template for CloudFormation; one too long for a request is uploaded to the bucket."""
        body = self.body.encode()
        if len(body) <= MAX_INLINE_BYTES:
            return StackTemplate(self.body)
        digest = hashlib.sha256(body).hexdigest()
        key = f"{FOLDER}/{digest}.json"
        _upload(artifacts, key, body, digest)
        return StackTemplate(url=artifacts.url(key))

    def upload_package(self, artifacts: Artifacts) -> bool:
        """Upload the package to the bucket; return False if there is none or the bucket has it already."""
        package = self.package
        if package is None:
            return False
        content = package.path.read_bytes()
        return _upload(artifacts, package_key(package), content, package.sha256)


def package_key(package: Archive) -> str:
    """Return the key of a package in a bucket, which depends on its content."""
    return f"{FOLDER}/{package.sha256}.zip"


def _upload(artifacts: Artifacts, key: str, content: bytes, sha256: str) -> bool:
    artifacts.prepare()
    if artifacts.has(key, sha256):
        return False
    artifacts.put(key, content, sha256)
    return True


def make_deployment(
    stack: str,
    document: Document,
    package: Archive | None,
    bucket: str,
    given: Values,
    env: Values,
    previous: Previous | None = None,
    pseudo: Mapping[str, str] = {},
) -> Deployment:
    """Return the deployment of a template; raises UsageError for parameters or a name that AWS would reject.

    `previous` is the stack as it is. Parameters of it that are neither given nor in the environment stay.
    `pseudo` are values of pseudo parameters, such as `AWS::Region`.
    """
    previous = previous or Previous()
    if has_function(document.body):
        _require_name_of_function(stack)
    own = {CODE_BUCKET: bucket, CODE_KEY: package_key(package), CODE_VERSION: ""} if package else {}
    declared = document.body["Parameters"]
    kept = {
        name: value
        for name, value in previous.parameters.items()
        if name in declared and name not in own
    }
    parameters = parameter_values(declared, document.variables, given, env, own, kept)
    labels = {parameter: variable for variable, parameter in document.variables.items()}
    refuse_references(parameters, labels)
    hidden = HiddenValues(previous, hidden_parameters(document.body), labels)
    parameters |= hidden.no_longer_hidden(parameters)
    given_values = {name: value for name, value in parameters.items() if value is not None}
    kept_values = without(kept, previous.hidden)
    # The value that the stack keeps need not be the default.
    defaults = {
        name: str(each["Default"])
        for name, each in declared.items()
        if "Default" in each and name not in kept
    }
    values = defaults | kept_values | given_values
    changes = hidden.changes(kept, given_values)
    visible = {**pseudo, **without(values, hidden.names)}
    literal = with_literal_table_names(document.body, visible)
    template = with_version_id(literal, visible, hidden.new_mark(given_values))
    routes = routes_of(template["Resources"], document.routes)
    body = compact_json(template)
    variables = {
        name: values[parameter]
        for name, parameter in document.variables.items()
        if parameter in values
    }
    names = literal_names(template, visible)
    keys = PreviousKeys(
        {id_: substitute_text(text, values) for id_, text in document.previous_keys.items()}
    )
    return Deployment(
        stack, body, parameters, routes, names, package, visible, changes, variables, keys
    )


def _require_name_of_function(stack: str) -> None:
    if len(stack) > MAX_FUNCTION_NAME:
        raise UsageError(
            f"the function gets the name of the stack, and '{stack}' is over "
            f"{MAX_FUNCTION_NAME} characters"
        )


def parameter_values(
    declared: Mapping[str, Mapping[str, Any]],
    variables: Values,
    given: Values,
    env: Values,
    own: Values,
    kept: Iterable[str] = (),
) -> dict[str, str | None]:
    """Return the values of a template's parameters: `given`, else from the environment, else left to the template.

    None stands for those of the parameters `kept` that neither names: they keep their values.

    `declared` has the parameters of the template, `variables` the parameter of each variable of the config; `given` is
    keyed by variable or parameter; `own` are parameters that users cannot set. Raises UsageError for an unknown name,
    and for a parameter without a value.
    """
    # The router uses the default for an empty variable, too.
    values: dict[str, str | None] = dict.fromkeys(kept)
    for variable, parameter in variables.items():
        if env.get(variable):
            values[parameter] = env[variable]
    labels = {parameter: variable for variable, parameter in variables.items()}
    open_to_users = {name: labels.get(name, name) for name in declared if name not in own}
    for name, value in given.items():
        parameter = variables.get(name, name)
        if parameter not in open_to_users:
            known = ", ".join(open_to_users.values()) or "none"
            raise UsageError(f"there is no variable or parameter '{name}'; there are: {known}")
        values[parameter] = value
    values |= own
    missing = [
        label
        for name, label in open_to_users.items()
        if name not in values and "Default" not in declared[name]
    ]
    if missing:
        where = " or set it in the environment" if set(missing) <= set(variables) else ""
        raise UsageError(
            f"no value for {', '.join(missing)}: pass --parameter {missing[0]}=…{where}"
        )
    return values


def with_literal_table_names(template: Template, values: Values) -> dict[str, Any]:
    """Return a template with literal names of tables, as far as the values of parameters give them.

    CloudFormation imports an existing table only if its name is literal in the template.
    """
    resources = dict(template["Resources"])
    for id_, name in literal_names(template, values).items():
        if resources[id_]["Type"] == TABLE:
            resources[id_] = with_properties(resources[id_], TableName=name)
    return {**template, "Resources": resources}


def literal_names(template: Template, values: Values) -> dict[str, str]:
    """Return the names of queues and tables by logical id, as far as the values of parameters give them."""
    found = {}
    for id_, resource in template.get("Resources", {}).items():
        if name := _literal_name(resource, values):
            found[id_] = name
    return found


def _literal_name(resource: Mapping[str, Any], values: Values) -> str:
    """Return the name of a queue or table, or "" for another resource or a name that needs more than parameters."""
    name = resource.get("Properties", {}).get(_NAMES.get(resource["Type"], ""))
    found = TemplateVersion({}, values).resolve(name)
    return found if isinstance(found, str) else ""


def read_package(path: Path, config: Path, env: Values = os.environ) -> Archive:
    """Return an existing package; raises UsageError if it is not one, or not built from the config as it is now."""
    try:
        with zipfile.ZipFile(path) as archive:
            compiled = archive.read(COMPILED_NAME)
            stale = _stale_file(archive, config.parent)
    except (OSError, KeyError, zipfile.BadZipFile):
        raise UsageError(f"{path} is not a package made by router build") from None
    if compiled != precompile(config, env):
        raise UsageError(
            f"{path} was built from another {config.name} or by another version; build it again"
        )
    if stale:
        raise UsageError(f"{path} has an older {stale}; build it again")
    return Archive(path, (), path.stat().st_size, sha256_of(path))


def _stale_file(archive: zipfile.ZipFile, folder: Path) -> str:
    """Return the first packed file, for example of a plugin, that has changed since; or ""."""
    for name in archive.namelist():
        file = folder / name
        # Bytecode contains the modification time of its source here, but not in the package.
        if file.suffix != ".pyc" and file.is_file() and read_regular(file) != archive.read(name):
            return name
    return ""
