"""Writes as the requests to DynamoDB that they become when nothing else is written with them."""

from collections.abc import Sequence
from typing import Any

from router.engine.writes import Write


def show_request(write: Write, atomic: bool = False) -> dict[str, Any]:
    """The request of one write: the operation, and all that is sent.

    BatchWriteItem is shown with its one entry, and of the transaction of an atomic queue the part of this write.
    """
    if atomic or write.marker:
        return _transaction([write])
    if write.call is None:
        return {"BatchWriteItem": {"RequestItems": {write.table.name: [write.batch_request()]}}}
    operation, parameters = write.action()
    return {f"{operation}Item": parameters}


def show_requests(writes: Sequence[Write], atomic: bool) -> list[dict[str, Any]]:
    """The requests of a message: one for each write, or on an atomic queue one for all."""
    if atomic and writes:
        return [_transaction(writes)]
    return [show_request(write) for write in writes]


def _transaction(writes: Sequence[Write]) -> dict[str, Any]:
    actions: list[dict[str, Any]] = []
    for write in writes:
        if write.marker:
            actions.append({"Put": write.marker.call})
        operation, parameters = write.action()
        actions.append({operation: parameters})
    return {"TransactWriteItems": {"TransactItems": actions}}
