"""Reads items of tables by their keys, consistently, at a rate; it changes nothing.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

from collections.abc import Sequence
from random import random
from typing import Any

from router.errors import UsageError
from router.model import Table
from router.runtime.aws.calls import Clock, Sleep
from router.runtime.aws.faults import translate
from router.runtime.engine.attributes import identify
from router.runtime.engine.writes import StoredItem
from router.tools.control_plane.clients import AwsCallError, ServiceClient

MOST_KEYS = 100
"""The most keys of a call."""
_TRIES = 10
_LONGEST_WAIT = 20.0
_FIRST_WAIT = 0.1


class ItemReader:
    """Reads at most `rate` read units a second, of all tables together; raises UsageError if a table cannot be read."""

    def __init__(
        self,
        dynamodb: ServiceClient,
        rate: float,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self.units = 0.0
        """The read units that were consumed."""
        self._dynamodb = dynamodb
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0
        self._has_answered = False

    def read(self, table: Table, keys: Sequence[StoredItem]) -> list[StoredItem | None]:
        """Return the items of keys, None for one that is not there; at most `MOST_KEYS` keys."""
        found: dict[tuple[str, ...], StoredItem] = {}
        left: Sequence[StoredItem] = keys
        tries = 0
        while left:
            answer = self._call(table, left)
            items = answer.get("Responses", {}).get(table.name, ())
            found |= {identify(table.name, table.key, each): each for each in items}
            left = answer.get("UnprocessedKeys", {}).get(table.name, {}).get("Keys", ())
            tries = 0 if items else tries + 1
            if left:
                self._wait(table, tries)
        return [found.get(identify(table.name, table.key, each)) for each in keys]

    def end(self, table: str) -> str | None:
        """Return the attribute by which the items of a table expire, "" for none; None if AWS does not tell."""
        try:
            answer = self._dynamodb.call("DescribeTimeToLive", TableName=table)
        except AwsCallError:
            # What the config says of the table is used then.
            return None
        found = answer["TimeToLiveDescription"]
        is_on = found["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
        return str(found["AttributeName"]) if is_on else ""

    def _call(self, table: Table, keys: Sequence[StoredItem]) -> Any:
        request = {table.name: {"Keys": keys, "ConsistentRead": True}}
        tries = 0
        while True:
            self._sleep(max(0.0, self._free_at - self._clock()))
            try:
                answer = self._dynamodb.call(
                    "BatchGetItem", RequestItems=request, ReturnConsumedCapacity="TOTAL"
                )
            except AwsCallError as error:
                self._has_answered |= error.answered
                # What has never answered may not be there at all; boto3 has tried several times.
                if translate(error.code).kind != "retry" or not self._has_answered:
                    raise self._unreadable(table, error) from None
                tries += 1
                if tries >= _TRIES and not error.answered:
                    raise self._unreadable(table, error) from None
                self._wait(table, tries)
                continue
            self._has_answered = True
            self._consume(answer, len(keys))
            return answer

    def _unreadable(self, table: Table, error: AwsCallError) -> UsageError:
        return UsageError(f"the table '{table.name}' cannot be read{self._dynamodb.place}: {error}")

    def _consume(self, answer: Any, keys: int) -> None:
        """Count the units of a call; the next one begins when the rate allows."""
        consumed = [each["CapacityUnits"] for each in answer.get("ConsumedCapacity", ())]
        # A server that does not tell: a consistent read of up to 4 KB is one unit.
        units = sum(consumed) or float(keys)
        self.units += units
        self._free_at = max(self._free_at, self._clock()) + units / self._rate

    def _wait(self, table: Table, tries: int) -> None:
        if tries >= _TRIES:
            raise UsageError(
                f"the table '{table.name}' throttles its reads; run again later, with a lower --rate"
            )
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**tries)
        self._sleep(longest * (0.5 + random() / 2))  # noqa: S311 — spreads waits, no secret
