"""Chains become the batches that BatchWriteItem takes.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from router.engine.chain import Chain
from router.engine.requests import make_request
from router.model import Table, Write

MAX_BATCH_ITEMS = 25
MAX_BATCH_BYTES = 16 * 1024 * 1024
# JSON text is at most so many times longer than what DynamoDB counts: a number of two digits counts two bytes, and is
# written with up to 134 characters, two quotes and a comma (-1.2E-130 in a set); nothing else comes near.
_MAX_EXPANSION = 70
_SMALL = MAX_BATCH_BYTES // MAX_BATCH_ITEMS // _MAX_EXPANSION


class Batch:
    """Chains of one table whose writes go into one call."""

    __slots__ = ("chains", "table")

    def __init__(self, table: Table, chains: list[Chain]) -> None:
        self.table = table
        self.chains = chains

    def requests(self) -> list[dict[str, Any]]:
        """The requests of BatchWriteItem, in the order of `chains`."""
        return [make_request(chain.write) for chain in self.chains]

    def halves(self) -> "tuple[Batch, Batch]":
        """Two smaller batches, to find the item that the table refuses."""
        middle = len(self.chains) // 2
        return Batch(self.table, self.chains[:middle]), Batch(self.table, self.chains[middle:])


def pack(chains: Iterable[Chain]) -> list[Batch]:
    """Batches of one table, at most 25 items and 16 MB each, in order."""
    batches: list[Batch] = []
    filling: dict[str, tuple[Batch, int]] = {}
    for chain in chains:
        write = chain.write
        weight = _weight(write)
        batch, filled = filling.get(write.table.name, (None, 0))
        if batch is None or len(batch.chains) == MAX_BATCH_ITEMS or filled + weight > MAX_BATCH_BYTES:
            batch, filled = Batch(write.table, []), 0
            batches.append(batch)
        batch.chains.append(chain)
        filling[write.table.name] = batch, filled + weight
    return batches


def _weight(write: Write) -> int:
    """The most bytes that a write takes in a request; encoded only where that could matter."""
    if write.size <= _SMALL:
        return write.size * _MAX_EXPANSION
    return len(msgspec.json.encode(write.item))
