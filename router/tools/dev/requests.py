"""Shows writes as the requests that DynamoDB gets."""

from collections.abc import Sequence
from typing import Any

from router.runtime.engine.writes import Write


def show_request(write: Write, atomic: bool = False) -> dict[str, Any]:
    """Return the request of one write: the operation and its parameters.

    BatchWriteItem has its one entry, and the transaction of an atomic queue only the part of this
    write.
    """
    if atomic or write.idempotency_key:
        return _transaction([write])
    if write.call is None:
        return {"BatchWriteItem": {"RequestItems": {write.table.name: [write.batch_request()]}}}
    operation, parameters = write.action()
    return {f"{operation}Item": parameters}


def show_requests(writes: Sequence[Write], atomic: bool) -> list[dict[str, Any]]:
    """Return the requests of a message: one for each write, or one for all on an atomic queue."""
    if atomic and writes:
        return [_transaction(writes)]
    return [show_request(write) for write in writes]


def _transaction(writes: Sequence[Write]) -> dict[str, Any]:
    actions: list[dict[str, Any]] = []
    for write in writes:
        if write.idempotency_key:
            actions.append({"Put": write.idempotency_key.call})
        operation, parameters = write.action()
        actions.append({operation: parameters})
    return {"TransactWriteItems": {"TransactItems": actions}}
