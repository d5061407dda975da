"""The built-in transforms of DynamoDB's JSON, as in records of streams and in exports of tables.

Its types: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from router.model import Number
from router.runtime.conversions import UnfitValueError, number_set, text_of
from router.runtime.transforms.transform import MAP, SameNames, Transform, as_before
from router.runtime.transforms.values import to_number


def dynamodb_value(value: dict[str, Any]) -> Any:
    """The value that an attribute value of DynamoDB's JSON stands for; `{"NULL": true}` is nothing.

    >>> dynamodb_value({"L": [{"S": "x"}, {"N": "1.50"}]})
    ['x', Decimal('1.50')]
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise UnfitValueError("it is no attribute value")
    ((kind, content),) = value.items()
    return _VALUES[kind](content) if kind in _VALUES else _refuse(content)


DYNAMODB_VALUE = Transform(
    name="dynamodb_value",
    apply=dynamodb_value,
    takes=MAP,
    accepts="unknown",
    gives=None,
    arguments={},
    result=None,
    most_bytes=as_before,  # each value is in a map of its type
)


def dynamodb_item(value: dict[str, Any]) -> dict[str, Any]:
    """The object that an item in DynamoDB's JSON stands for, such as the `NewImage` of a stream's record.

    >>> dynamodb_item({"id": {"S": "a"}, "tags": {"SS": ["x"]}})
    {'id': 'a', 'tags': {'x'}}
    """
    if not isinstance(value, dict):
        raise UnfitValueError("it is no item")
    return {name: dynamodb_value(content) for name, content in value.items()}


DYNAMODB_ITEM = Transform(
    name="dynamodb_item",
    apply=dynamodb_item,
    takes=MAP,
    accepts="unknown",
    gives="object",
    arguments={},
    result=SameNames(),
    most_bytes=as_before,  # each value is in a map of its type
)


def _refuse(content: Any) -> Any:
    raise UnfitValueError("it is no attribute value")


def _number(content: Any) -> Number:
    return to_number(text_of(content))


def _binary(content: Any) -> bytes:
    return base64.b64decode(text_of(content), validate=True)


def _boolean(content: Any) -> bool:
    return content if isinstance(content, bool) else _refuse(content)


def _null(content: Any) -> None:
    if content is not True:
        _refuse(content)


def _list(content: Any) -> list[Any]:
    return [dynamodb_value(element) for element in _listed(content)]


def _listed(content: Any) -> list[Any]:
    return content if isinstance(content, list) else _refuse(content)


_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "S": text_of,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "M": dynamodb_item,
    "L": _list,
    "SS": lambda content: {text_of(element) for element in _listed(content)},
    "NS": lambda content: number_set([_number(element) for element in _listed(content)]),
    "BS": lambda content: {_binary(element) for element in _listed(content)},
}
