"""Writes in the shape of DynamoDB's requests.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from typing import Any

from router.model import Action, Operation, Write, WriteKind

_OPERATIONS: dict[WriteKind, Operation] = {
    "put": "Put",
    "insert": "Put",
    "newest": "Put",
    "update": "Update",
    "delete": "Delete",
}


def make_request(write: Write) -> dict[str, Any]:
    """The request of BatchWriteItem for a plain put or delete."""
    if write.kind == "put":
        return {"PutRequest": {"Item": write.item}}
    return {"DeleteRequest": {"Key": write.item}}


def make_action(write: Write) -> Action:
    """The action of a write by itself, or in a transaction."""
    if write.call is not None:
        return _OPERATIONS[write.kind], write.call
    target = "Item" if write.kind == "put" else "Key"
    return _OPERATIONS[write.kind], {"TableName": write.table.name, target: write.item}
