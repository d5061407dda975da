"""CloudFormation's intrinsic functions and logical ids.

A *text* here is an argument of `Fn::Sub`: `${Parameter}` stands for a value, and `${!` for `${`.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import hashlib
import re
from typing import Any, Literal

Json = dict[str, Any]
Expression = str | Json
"""A value, or an intrinsic function."""

PARTITION, REGION, ACCOUNT, STACK = "${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}", "${AWS::StackName}"
NO_VALUE: Json = {"Ref": "AWS::NoValue"}

_REFERENCE = re.compile(r"\$\{[^!]")


def sub(text: str) -> Expression:
    """Returns the expression of a text."""
    return {"Fn::Sub": text} if _REFERENCE.search(text) else text.replace("${!", "${")


def ref(name: str) -> Json:
    """Returns a reference to a parameter or a resource."""
    return {"Ref": name}


def attribute(resource: str, name: str) -> Json:
    """Returns an attribute of a resource."""
    return {"Fn::GetAtt": [resource, name]}


def when(condition: str, value: Any, otherwise: Any = NO_VALUE) -> Json:
    """Returns a value if a condition holds, else another."""
    return {"Fn::If": [condition, value, otherwise]}


def is_given(parameter: str) -> Json:
    """Returns the condition that a parameter is not empty."""
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def text_parameter(description: str, **more: Any) -> Json:
    """Returns a parameter of type String."""
    return {"Type": "String", "Description": description, **more}


Kind = Literal["Queue", "Table", "Variable"]
"""None is a prefix of another, nor of other ids (`Mapping…`, `AgeAlarm…`), so that ids are unique."""
_PLAIN = re.compile(r"(?:[a-z][a-z0-9]*-)*(?!fifo\b)[a-z][a-z0-9]*(?:\.fifo)?")
_WORD = re.compile(r"[A-Za-z0-9]+")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_LONGEST = 160
"""The maximum number of characters of a name in an id."""


def logical_id(kind: Kind, name: str) -> str:
    """Returns the id of a queue, table or variable by its name, which may contain `${…}`.

    The id depends on the kind and the name only, so that it stays the same when routes are added or removed. Names of
    lower-case words and hyphens have distinct ids without a hash; other ids end with a hash of the name. Ids consist of
    at most 255 letters and digits:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
    """
    # For a name that is only a variable, use the name of the variable.
    found = _WORD.findall(_VARIABLE.sub("-", name)) or _WORD.findall(name)
    words = "".join(word[0].upper() + word[1:] for word in found)
    if _PLAIN.fullmatch(name) and len(words) <= _LONGEST:
        return f"{kind}{words}"
    return f"{kind}{words[:_LONGEST]}{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


def variable_id(name: str) -> str:
    """Returns the id of the parameter of an environment variable: `STAGE_NAME` is `VariableStageName`."""
    usual = re.fullmatch(r"[A-Z0-9_]+", name)
    return logical_id("Variable", name.lower().replace("_", "-") if usual else f"_{name}")
