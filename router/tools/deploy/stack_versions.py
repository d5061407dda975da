"""The versions of a stack: the package that it runs, and what it was before each change.

Packages are read from the bucket to which a deployment uploads them: the function's own copy is the same, as its
checksum shows, and so nothing has to be permitted that a deployment does not need. Earlier templates are kept in that
bucket, too: CloudFormation keeps none.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.config.secret_values import DYNAMIC_REFERENCE
from router.tools.control_plane.artifacts import Artifacts
from router.tools.control_plane.clients import ServiceClient, Services, connect_services
from router.tools.control_plane.resource_changes import Tags
from router.tools.control_plane.stacks import Stack, Stacks
from router.tools.deploy.changes import HIDDEN, PreviousKeys
from router.tools.deploy.deployment import FOLDER, Deployment, literal_names
from router.tools.deploy.hidden_values import Previous
from router.tools.deploy.stack import EMPTY, is_absent, require_own
from router.tools.deploy.table_definitions import Template, Values, resource_of
from router.tools.deploy.template.alias import (
    ALIAS,
    ALIAS_NAME,
    add_alias,
    add_probe,
    has_alias,
    has_function,
    mark_of,
    with_version_id,
)
from router.tools.deploy.template.canary import without_shift
from router.tools.deploy.template.expressions import (
    compact_json,
    hidden_parameters,
    variable_names,
    without,
)
from router.tools.deploy.template.resources import CODE_BUCKET, CODE_KEY, CODE_VERSION, FUNCTION
from router.tools.deploy.template.tags import given_tags
from router.tools.deploy.template.worker import TASKS

FUNCTION_NAME = "FunctionName"
"""The output of a stack that has the name of its function."""
TASK_DEFINITION = "TaskDefinitionArn"
"""The output of a stack that has the ARN of what the tasks of its worker are."""
_OF_PACKAGE = {CODE_BUCKET, CODE_KEY, CODE_VERSION}
_KEY_ADVICE = (
    "instead of rolling back, deploy the configuration of before with that key as kms_key_previous"
)


class DeployedCode(Struct, frozen=True):
    """A package, and the variables with which its function or worker runs.

    `hidden` are those variables whose values CloudFormation does not tell.
    """

    package: bytes
    env: Values
    hidden: Collection[str] = ()


class OtherPackageError(UsageError):
    """The function has another package than its stack names, which CloudFormation does not see."""


def find_stack(stacks: Stacks, name: str) -> Stack:
    """Return a stack of the router; raises UsageError if there is none of that name, or if it is another's."""
    stack = stacks.find(name)
    if stack is None or is_absent(stack) or stack.status == EMPTY:
        raise UsageError(
            f"there is no stack '{name}' in {stacks.region}; AWS_REGION and the credentials choose where"
        )
    require_own(stacks, stack)
    return stack


def read_code(name: str) -> DeployedCode:
    """Return what the function or worker of a stack runs.

    Raises UsageError if there is no such stack, the config of its worker was not kept, or the function runs another
    package than the stack says.
    """
    services = connect_services(("cloudformation", "ecs", "lambda", "s3"))
    stacks = Stacks(services["cloudformation"])
    stack = find_stack(stacks, name)
    hidden = _hidden_names(stacks.template(stack.id))
    if FUNCTION_NAME not in stack.outputs:
        require_kept(stack.name, stack.parameters)
        package = read_package_of(stack.parameters, services["s3"])
        return DeployedCode(package, read_environment(stack, services), hidden)
    package = read_package_of(stack.parameters, services["s3"])
    function = services["lambda"]
    settings = function.call("GetFunctionConfiguration", FunctionName=_running(stack))
    digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
    _require_package(stack, function, settings, digest)
    return DeployedCode(package, _environment(settings, function.region), hidden)


def require_kept(name: str, parameters: Values) -> None:
    """Raise UsageError if the parameters of a stack name no package, as of a worker that another tool deployed."""
    if not parameters.get(CODE_KEY):
        raise UsageError(
            f"the configuration of the worker of the stack '{name}' was not kept beside its image; router deploy "
            "--worker keeps it; until then name the commit that the image was built from (git:REF), or its compiled "
            "config (router compile)"
        )


def _running(stack: Stack) -> str:
    """Return what the messages of a stack reach: the alias of its function, or else the function."""
    return stack.outputs.get(ALIAS) or stack.outputs[FUNCTION_NAME]


def _require_package(
    stack: Stack, function: ServiceClient, settings: Mapping[str, Any], digest: str
) -> None:
    """Raise OtherPackageError if what runs, or the code of which the next version is made, has another digest."""
    name = stack.outputs[FUNCTION_NAME]
    if _running(stack) != name:
        if settings["CodeSha256"] != digest:
            raise OtherPackageError(
                f"the alias '{ALIAS_NAME}' of the function '{name}' names version {settings['Version']}, which has "
                "another package than the stack names: it was moved by other means than router deploy; move it back by "
                f"'aws lambda update-alias --function-name {name} --name {ALIAS_NAME} --function-version' with the "
                f"version of the stack, which 'aws lambda list-versions-by-function --function-name {name}' lists"
            )
        # A change of the settings alone would publish it.
        settings = function.call("GetFunctionConfiguration", FunctionName=name)
    if settings["CodeSha256"] == digest:
        return
    version = stack.parameters.get(CODE_VERSION, "")
    of_version = f" --s3-object-version {version}" if version else ""
    raise OtherPackageError(
        f"the function '{name}' has another package than its stack names: it was updated by other means than "
        "router deploy; deploy a change, or put the package back: 'aws lambda update-function-code --function-name "
        f"{name} --s3-bucket {stack.parameters[CODE_BUCKET]} --s3-key {stack.parameters[CODE_KEY]}{of_version}'"
    )


def read_environment(stack: Stack, services: Services) -> dict[str, str]:
    """Return the variables with which the function or the tasks of a stack run."""
    if FUNCTION_NAME in stack.outputs:
        function = services["lambda"]
        settings = function.call("GetFunctionConfiguration", FunctionName=_running(stack))
        return _environment(settings, function.region)
    arn = stack.outputs.get(TASK_DEFINITION)
    if arn is None:
        return {}
    answer = services["ecs"].call("DescribeTaskDefinition", taskDefinition=arn)
    (container,) = answer["taskDefinition"]["containerDefinitions"]
    variables = {each["name"]: each["value"] for each in container["environment"]}
    return {**variables, "AWS_REGION": services["ecs"].region}


def _environment(settings: Mapping[str, Any], region: str) -> dict[str, str]:
    return {**settings.get("Environment", {}).get("Variables", {}), "AWS_REGION": region}


def may_hide(template: Template) -> bool:
    """Return whether a template has variables whose values AWS does not tell."""
    return bool(_hidden_names(template))


def hidden_variables(template: Template, environment: Values) -> dict[str, str]:
    """Return the variables of a config that AWS does not tell, from the environment in which the function runs."""
    return {name: environment[name] for name in _hidden_names(template) if name in environment}


def _hidden_names(template: Template) -> list[str]:
    """Return the variables whose parameters are hidden, and those that are references to secrets."""
    hidden = hidden_parameters(template)
    names = [name for parameter, name in variable_names(template).items() if parameter in hidden]
    for name, text in _variables_in(template).items():
        if DYNAMIC_REFERENCE in json.dumps(text):
            names.append(name)
    return names


def _variables_in(template: Template) -> dict[str, Any]:
    """Return the variables of the function and of the worker of a template, as expressions."""
    function = resource_of(template, FUNCTION).get("Properties", {})
    variables = dict(function.get("Environment", {}).get("Variables", {}))
    tasks = resource_of(template, TASKS).get("Properties", {})
    for container in tasks.get("ContainerDefinitions", ()):
        variables |= {each["Name"]: each["Value"] for each in container["Environment"]}
    return variables


def previous_of(stack: Stack, template: Template, environment: Values) -> Previous:
    """Return what a deployment has to know of a stack as it is."""
    return Previous(stack.parameters, hidden_parameters(template), environment, mark_of(template))


def _as_shown(parameters: Values, template: Template) -> dict[str, str]:
    """Return parameters as AWS tells them; an embedded AWS may tell more."""
    return {**parameters, **dict.fromkeys(hidden_parameters(template) & parameters.keys(), HIDDEN)}


def read_package_of(parameters: Values, s3: ServiceClient) -> bytes:
    """Return the package that the parameters of a stack name; raises UsageError if it is not there any more."""
    bucket, key = parameters[CODE_BUCKET], parameters[CODE_KEY]
    content = Artifacts(s3, bucket).get(key, parameters.get(CODE_VERSION, ""))
    if content is None:
        raise UsageError(
            f"the package s3://{bucket}/{key} does not exist any more; build and deploy it again"
        )
    return content


class StackVersion(Struct, frozen=True):
    """The template of a stack and the values of its parameters; `until` is when a change replaced it (ISO 8601).

    `tags` are those that somebody gave the stack; None if an earlier version of the router kept this.
    """

    template: Template
    parameters: Values
    until: str = ""
    tags: Tags | None = None


def keep_version(artifacts: Artifacts, stack: Stack, template: Template) -> None:
    """Store what a stack is now, before it is changed: nobody could say afterwards.

    A change that fails leaves a version that is still the current one; `previous_version` passes over it.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    shown = _as_shown(stack.parameters, template)
    content = msgspec.json.encode(StackVersion(template, shown, now, given_tags(stack.tags)))
    artifacts.prepare()
    artifacts.put(f"{_prefix(stack)}{now}.json", content, hashlib.sha256(content).hexdigest())


def previous_version(artifacts: Artifacts, stack: Stack, template: Template) -> StackVersion | None:
    """Return what a stack was before it became what it is, or None if that is not known.

    It is the newest version that differs, so that going back twice leads to where one began. A version without an alias
    is returned with one.
    """
    current = aliased(template, stack.parameters), _as_shown(stack.parameters, template)
    for key in artifacts.keys(_prefix(stack)):
        content = artifacts.get(key)
        if not content:
            continue
        version = msgspec.json.decode(content, type=StackVersion)
        version = structs.replace(version, template=aliased(version.template, version.parameters))
        if (version.template, version.parameters) != current:
            return version
    return None


def not_restored(version: StackVersion) -> tuple[str, ...]:
    """Return the variables and parameters whose values a return to a version cannot restore."""
    names = variable_names(version.template)
    return tuple(names.get(name, name) for name in sorted(hidden_parameters(version.template)))


def aliased(template: Template, parameters: Values) -> Template:
    """Return the template of a stack as it is with an alias, if it has a function without one."""
    if has_alias(template) or not has_function(template):
        return template
    visible = without(parameters, hidden_parameters(template))
    return with_version_id(add_alias(template, probed=False), visible, mark_of(template))


def _prefix(stack: Stack) -> str:
    # A later stack may have the name of one that was deleted: the last part of the ARN is never used again.
    return f"{FOLDER}/stacks/{stack.name}/{stack.id.rpartition('/')[2]}/"


def as_deployment(stack: Stack, version: StackVersion, pseudo: Values) -> Deployment:
    """Return the deployment that makes a stack what it was; its package is in the bucket already.

    `pseudo` are values of pseudo parameters, such as `AWS::Region`. Raises UsageError if the stack has no value any
    more for a parameter that AWS hides.
    """
    hidden = hidden_parameters(version.template)
    if lost := hidden - stack.parameters.keys():
        parameter = min(lost)
        name = variable_names(version.template).get(parameter, parameter)
        raise UsageError(
            f"the stack '{stack.name}' cannot return to what it was: it has no value of '{name}' any more, and "
            "CloudFormation does not tell the one before; instead of rolling back, deploy the configuration of before "
            f"with --parameter {name}=…"
        )
    values = without(version.parameters, hidden)
    changes = {}
    for name in sorted(values.keys() & stack.parameters.keys() - _OF_PACKAGE):
        now, before = stack.parameters[name], values[name]
        if now != before:
            # What the stack hides now is not shown either.
            changes[name] = now, HIDDEN if now == HIDDEN else before
    # Who goes back does not want to wait: an alias moves at once, after its version was tried.
    body = compact_json(add_probe(without_shift(version.template)))
    known = {**pseudo, **values}
    names = literal_names(version.template, known)
    # AWS does not tell hidden values: those of the stack stay.
    given = {**values, **dict.fromkeys(hidden)}
    keys = PreviousKeys(advice=_KEY_ADVICE)
    return Deployment(stack.name, body, given, {}, names, None, known, changes, keys=keys)
