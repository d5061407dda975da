"""What DynamoDB makes of an item in the global secondary indexes of its table.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
"""

from collections.abc import Mapping
from typing import Any

from router.model import KeyType
from router.runtime.config.spec import TableIndex
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES


def index_fault(item: Mapping[str, Any], index: TableIndex) -> str:
    """Return why DynamoDB refuses an item, in its JSON, for the key attributes of an index that it has; or ""."""
    for kind, part, limit in (
        ("partition", index.partition_key, MAX_PARTITION_KEY_BYTES),
        ("sort", index.sort_key, MAX_SORT_KEY_BYTES),
    ):
        size = 0
        for name, type_ in part:
            if name not in item:
                continue
            fault = _fault_of(item[name], type_)
            if fault:
                return f"'{name}' {fault}"
            size += _size(item[name])
        # DynamoDB counts all attributes of a key: "Aggregated size of all hash keys has exceeded the size limit".
        if size > limit:
            return f"its {kind} key has more than {limit} bytes"
    return ""


def _fault_of(value: Mapping[str, Any], kind: KeyType) -> str:
    if value.keys() != {kind}:
        return f"is of type {next(iter(value))}, the key of the index is {kind}"
    return "" if value[kind] else "is empty"


def _size(value: Mapping[str, Any]) -> int:
    """Return the bytes of a text, binary value or number; a number has two digits in a byte."""
    ((kind, content),) = value.items()
    if kind == "N":
        return (len(content) + 1) // 2 + 1
    return len(content if kind == "B" else content.encode())


def lacking(item: Mapping[str, Any], index: TableIndex) -> list[str]:
    """Return the key attributes of an index that an item does not have: without one it is not in the index."""
    return [name for name in index.key if name not in item]
