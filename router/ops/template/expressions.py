"""CloudFormation's functions: values that are known only when a stack is made.

A *text* here is what `Fn::Sub` takes: `${Parameter}` stands for a value, and `${!` for `${`.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import re
from typing import Any

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
