"""What BatchWriteItem answered becomes the outcomes of chains."""

from collections.abc import Iterable
from typing import Any

from router.deliver.batch import Batch
from router.deliver.chain import Chain
from router.engine.attributes import identify
from router.model import WRITTEN


def settle_answer(batch: Batch, unprocessed: Iterable[dict[str, Any]]) -> list[Chain]:
    """Settle what was written; the chains whose requests came back are returned, to be tried again.

    Requests are matched by table and key, since a server may write a number in another form than it was sent in.
    """
    again = {_identity(batch, request) for request in unprocessed}
    if not again:
        for chain in batch.chains:
            chain.settle(WRITTEN)
        return []
    left = []
    for chain in batch.chains:
        if chain.write.identity in again:
            left.append(chain)
        else:
            chain.settle(WRITTEN)
    return left


def _identity(batch: Batch, request: dict[str, Any]) -> tuple[str, ...]:
    item = request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"]
    return identify(batch.table.name, batch.table.key, item)
