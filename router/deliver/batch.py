"""Chains become the batches that BatchWriteItem takes.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from router.deliver.chain import Chain
from router.model import Table
from router.modes.requests import make_request

MAX_BATCH_ITEMS = 25
MAX_BATCH_BYTES = 16 * 1024 * 1024
# JSON text is at most so many times longer than what DynamoDB counts: a number of two digits counts two bytes, and is
# written with up to 134 characters, two quotes and a comma (-1.2E-130 in a set); nothing else comes near. An
# item is encoded to weigh it only where that could matter.
_MAX_EXPANSION = 70
_SMALL = MAX_BATCH_BYTES // MAX_BATCH_ITEMS // _MAX_EXPANSION


class Batch:
    """Chains of one table whose writes go into one call; `weight` is the most bytes that they take in it."""

    __slots__ = ("chains", "table", "weight")

    def __init__(self, table: Table, chains: list[Chain], weight: int = 0) -> None:
        self.table = table
        self.chains = chains
        self.weight = weight

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
    filling: dict[str, Batch] = {}
    for chain in chains:
        write = chain.write
        size, name = write.size, write.table.name
        batch = filling.get(name)
        weight = size * _MAX_EXPANSION if size <= _SMALL else len(msgspec.json.encode(write.item))
        if batch is None or batch.weight + weight > MAX_BATCH_BYTES or len(batch.chains) == MAX_BATCH_ITEMS:
            batch = filling[name] = Batch(write.table, [])
            batches.append(batch)
        batch.chains.append(chain)
        batch.weight += weight
    return batches
