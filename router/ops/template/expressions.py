"""CloudFormation's intrinsic functions and logical ids.

A *text* here is an argument of `Fn::Sub`: `${Parameter}` stands for a value, and `${!` for `${`.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import hashlib
import re
from typing import Any, Literal

Json = dict[str, Any]
Expression = str | Json
"""A value, or a function that gives one."""

PARTITION, REGION, ACCOUNT, STACK = "${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}", "${AWS::StackName}"
NO_VALUE: Json = {"Ref": "AWS::NoValue"}

_REFERENCE = re.compile(r"\$\{[^!]")


def sub(text: str) -> Expression:
    """The value of a text."""
    return {"Fn::Sub": text} if _REFERENCE.search(text) else text.replace("${!", "${")


def ref(name: str) -> Json:
    """The value of a parameter, or what names a resource."""
    return {"Ref": name}


def attribute(resource: str, name: str) -> Json:
    """What a resource says of itself."""
    return {"Fn::GetAtt": [resource, name]}


def when(condition: str, value: Any, otherwise: Any = NO_VALUE) -> Json:
    """A value if a condition holds."""
    return {"Fn::If": [condition, value, otherwise]}


def is_given(parameter: str) -> Json:
    """The condition that a parameter is not empty."""
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def text_parameter(description: str, **more: Any) -> Json:
    """A parameter that takes text."""
    return {"Type": "String", "Description": description, **more}


Kind = Literal["Queue", "Table", "Variable"]
"""None is the beginning of another, nor of what else there is (`Mapping…`, `AgeAlarm…`): no id is made twice."""
_PLAIN = re.compile(r"(?:[a-z][a-z0-9]*-)*(?!fifo\b)[a-z][a-z0-9]*(?:\.fifo)?")
_WORD = re.compile(r"[A-Za-z0-9]+")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_LONGEST = 160
"""Characters of a name that are kept."""


def logical_id(kind: Kind, name: str) -> str:
    """The id of a thing by its name, which may have `${…}` in it.

    Lower-case words with hyphens between them can be told from the id, so that two such names make two ids; any other
    name has a hash of it at the end.
    """
    # Of a name that is a variable and nothing else, the variable's name is better than none.
    found = _WORD.findall(_VARIABLE.sub("-", name)) or _WORD.findall(name)
    words = "".join(word[0].upper() + word[1:] for word in found)
    if _PLAIN.fullmatch(name) and len(words) <= _LONGEST:
        return f"{kind}{words}"
    return f"{kind}{words[:_LONGEST]}{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


def variable_id(name: str) -> str:
    """The id of the parameter for a variable of the environment: `STAGE_NAME` is `VariableStageName`."""
    usual = re.fullmatch(r"[A-Z0-9_]+", name)
    return logical_id("Variable", name.lower().replace("_", "-") if usual else f"_{name}")
