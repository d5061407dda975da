"""Writes in the shape of DynamoDB's requests.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from typing import Any, Literal

from router.model import Write, WriteKind

Operation = Literal["Put", "Update", "Delete"]
Action = tuple[Operation, dict[str, Any]]
"""A call of PutItem, UpdateItem or DeleteItem, or an action of a transaction; both take the same parameters."""
NO_ATTRIBUTE = "router: no attribute"
"""A name that no item has."""

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


def make_part(write: Write) -> Action:
    """The action of a write in a transaction, where an update must have an expression."""
    operation, call = make_action(write)
    if operation == "Update" and "UpdateExpression" not in call:
        # With its key alone it makes the item if there is none. To remove what no item has does that too.
        names = call.get("ExpressionAttributeNames", {}) | {"#none": NO_ATTRIBUTE}
        call = {**call, "UpdateExpression": "REMOVE #none", "ExpressionAttributeNames": names}
    return operation, call


def make_action(write: Write) -> Action:
    """The call of a write by itself."""
    if write.call is not None:
        return _OPERATIONS[write.kind], write.call
    target = "Item" if write.kind == "put" else "Key"
    return _OPERATIONS[write.kind], {"TableName": write.table.name, target: write.item}
