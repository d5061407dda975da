"""The alias that the event source mappings of a stack call, and the version that it names.

A version is immutable. A new one is published with each change of the function. `router.tools.deploy.probe` tries it
before the alias names it: if it cannot start, the messages stay with the version before. The stack waits for the
result:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html
"""

import hashlib
import json

from msgspec import structs

from router.tools.deploy.changes import QUEUE, TABLE
from router.tools.deploy.table_definitions import Template, Values, resource_of
from router.tools.deploy.template.document import Document
from router.tools.deploy.template.expressions import (
    Json,
    attribute,
    ref,
    resource,
    with_properties,
)
from router.tools.deploy.template.limits import require_limits
from router.tools.deploy.template.resources import FUNCTION

ALIAS = "FunctionAlias"
"""The logical id of the alias, and the output of a stack that has its ARN."""
ALIAS_NAME = "live"
VERSION, PROBE = "FunctionVersion", "FunctionProbe"
"""The beginnings of the logical ids of the version, and of what waits until the version was tried."""
PROBE_SECONDS = 120
"""How long the stack waits for the result, besides the time that an invocation may take."""
_MAPPING = "AWS::Lambda::EventSourceMapping"
_STORES = (QUEUE, TABLE)
_MARK = "HiddenValues"


def with_alias(document: Document) -> Document:
    """Return a template whose event source mappings call an alias of the function, instead of its newest code."""
    body = add_alias(document.body)
    require_limits(body)
    return structs.replace(document, body=body)


def add_alias(template: Template, *, probed: bool = True) -> Json:
    """Return a template with an alias, which its event source mappings call, and a version that the alias names.

    With `probed`, the alias names the version only after it was tried.
    """
    resources = {name: _to_alias(each) for name, each in template["Resources"].items()}
    resources[VERSION] = resource("Lambda::Version", {"FunctionName": ref(FUNCTION)})
    resources[ALIAS] = resource(
        "Lambda::Alias",
        {
            "Name": ALIAS_NAME,
            "FunctionName": ref(FUNCTION),
            "FunctionVersion": attribute(VERSION, "Version"),
        },
    )
    outputs = {**template["Outputs"], ALIAS: {"Value": ref(ALIAS)}}
    body = {**template, "Resources": resources, "Outputs": outputs}
    return add_probe(body) if probed else body


def add_probe(template: Template) -> Json:
    """Return a template whose alias, if it has one, waits until its version was tried."""
    version = version_id(template)
    if not version or probe_id(template):
        return dict(template)
    resources = template["Resources"]
    probe = version.replace(VERSION, PROBE)
    seconds = int(resources[FUNCTION]["Properties"]["Timeout"]) + PROBE_SECONDS
    # A plugin may read a queue or a table when it starts.
    stores = [name for name, each in resources.items() if each["Type"] in _STORES]
    waiting = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "DependsOn": [version, *stores],
        # With a policy it has no properties, and the signal comes by SignalResource.
        "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": f"PT{seconds}S"}},
    }
    alias = {**resources[ALIAS], "DependsOn": [probe]}
    return {**template, "Resources": {**resources, probe: waiting, ALIAS: alias}}


def has_alias(template: Template) -> bool:
    """Return whether the event source mappings of a template call an alias."""
    return ALIAS in template.get("Resources", {})


def has_function(template: Template) -> bool:
    """Return whether a template has a function: that of a worker has none."""
    return FUNCTION in template.get("Resources", {})


def needs_alias(old: Template, new: Template) -> bool:
    """Return whether a function without an alias gets one by a change."""
    return has_function(old) and not has_alias(old) and has_alias(new)


def function_reference(stack: str, template: Template) -> str:
    """Return what the event source mappings of a stack call: its function, by the alias if there is one."""
    return f"{stack}:{ALIAS_NAME}" if has_alias(template) else stack


def version_id(template: Template) -> str:
    """Return the logical id of the version in a template, or "" if it has none."""
    return _id_that_begins(template, VERSION)


def probe_id(template: Template) -> str:
    """Return the logical id of what waits until the version was tried, or "" if nothing does."""
    return _id_that_begins(template, PROBE)


def _id_that_begins(template: Template, prefix: str) -> str:
    return next((name for name in template.get("Resources", {}) if name.startswith(prefix)), "")


def with_version_id(template: Template, values: Values, mark: str = "") -> Json:
    """Return a template in which another function has another version: its logical id depends on the function's.

    `values` are those of parameters that AWS tells. For the others there is a `mark`, which differs if one may have
    changed. Lambda publishes a version when the resource is created, and only if the function has changed since the
    last one: https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
    So the description of the function names the version.
    """
    if VERSION not in template["Resources"]:
        return dict(template)
    digest = _digest(template, values, mark)
    ids = {VERSION: f"{VERSION}{digest}", PROBE: f"{PROBE}{digest}"}
    resources = {ids.get(name, name): each for name, each in template["Resources"].items()}
    function = resources[FUNCTION]
    description = f"{function['Properties'].get('Description', '')} ({digest})".lstrip()
    resources[FUNCTION] = with_properties(function, Description=description)
    version = ids[VERSION]
    if mark:
        resources[version] = {**resources[version], "Metadata": {_MARK: mark}}
    named = attribute(version, "Version")
    resources[ALIAS] = with_properties(resources[ALIAS], FunctionVersion=named)
    for name in (ids[PROBE], ALIAS):
        waiting = resources.get(name, {})
        if "DependsOn" in waiting:
            needed = [ids.get(each, each) for each in waiting["DependsOn"]]
            resources[name] = {**waiting, "DependsOn": needed}
    return {**template, "Resources": resources}


def mark_of(template: Template) -> str:
    """Return the mark of the hidden values in a template, or ""."""
    version = resource_of(template, version_id(template))
    return str(version.get("Metadata", {}).get(_MARK, ""))


def _digest(template: Template, values: Values, mark: str) -> str:
    """Return a digest of the function's properties, with the values of the parameters in them."""
    text = json.dumps(template["Resources"][FUNCTION]["Properties"])
    used = {name: value for name, value in values.items() if name in text}
    parts = [text, used, mark] if mark else [text, used]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _to_alias(each: Json) -> Json:
    if each["Type"] != _MAPPING:
        return each
    return with_properties(each, FunctionName=ref(ALIAS))
