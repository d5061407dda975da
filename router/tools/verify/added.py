"""What updates add to the numbers of an item, and append to its lists."""

from collections import Counter
from collections.abc import Set
from decimal import Context, Decimal
from typing import Any

from router.model import WRITTEN, AttributeValue, Outcome
from router.runtime.engine.writes import StoredItem
from router.tools.verify.kept import KeptWrite

_WIDE = Context(prec=300)


def canonical(value: AttributeValue) -> Any:
    """Return what is equal for equal values, to count them."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "M":
            return kind, frozenset((name, canonical(each)) for name, each in content.items())
        case "L":
            return kind, tuple(map(canonical, content))
        case "NS":
            return kind, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return kind, frozenset(content)
        case _:
            return kind, content


def _elements(value: AttributeValue) -> Counter[Any]:
    """Return what an append adds to a list: the elements of a list, or one value."""
    return Counter(map(canonical, value.get("L", [value])))


class Sums:
    """What is added to the numbers of an item."""

    def __init__(self) -> None:
        self.total: dict[str, Decimal] = {}
        """What is added to an attribute; with a version, in the order of the source or by idempotency keys."""
        self.without_keys: dict[str, bool] = {}
        """The attributes of `total` of which no idempotency key tells whether an update with a version was made, and
        whether one of these is stale in the order of the source."""
        self.refused: set[str] = set()
        """The attributes to which an update adds that DynamoDB refuses in order, if no idempotency key tells more."""
        self.repeating: set[str] = set()
        """The attributes to which a write without idempotency key adds: a redelivery adds again."""

    def see(self, kept: KeptWrite, outcome: Outcome, names: Set[str]) -> None:
        """Take in an update that adds to attributes."""
        item = kept.write.item
        by_order = bool(kept.write.version_name) and kept.applied is None
        is_made = outcome == WRITTEN if by_order else kept.applied is not False
        for name in names & item.keys():
            if "N" in item[name] and is_made:
                number = Decimal(item[name]["N"])
                self.total[name] = _WIDE.add(self.total.get(name, Decimal(0)), number)
            if outcome.kind == "rejected" and kept.applied is None:
                self.refused.add(name)
            if by_order:
                is_stale = outcome.kind == "stale"
                self.without_keys[name] = is_stale or self.without_keys.get(name, False)
        if not kept.once or kept.is_doubtful:
            self.repeating |= set(names)


class Lists:
    """The elements of stored lists, which those that appended them take."""

    def __init__(self, stored: StoredItem) -> None:
        self._stored = stored
        self._left: dict[str, Counter[Any]] = {}
        self._reserved: dict[str, Counter[Any]] = {}
        """The elements that writes appended whose idempotency keys are stored."""

    def see(self, kept: KeptWrite, names: Set[str]) -> None:
        """Take in an update that appends to attributes."""
        item = kept.write.item
        # Of two with one idempotency key and other content only one was made.
        is_made = kept.applied and not kept.is_doubtful
        for name in names & item.keys() if is_made else ():
            self._reserved.setdefault(name, Counter()).update(_elements(item[name]))

    def take(self, kept: KeptWrite, name: str) -> bool:
        """Return whether a stored list has what a write appended; what it has then counts for no other write.

        What writes appended whose idempotency keys are stored counts for these only: they were made, others perhaps.
        """
        if name not in self._left:
            self._left[name] = Counter(map(canonical, self._stored.get(name, {}).get("L", ())))
        left = self._left[name]
        wanted = _elements(kept.write.item[name])
        reserved = self._reserved.get(name, Counter())
        if kept.applied:
            reserved.subtract(wanted)
            is_there = all(left[each] >= count for each, count in wanted.items())
        else:
            is_there = all(left[each] - reserved[each] >= n for each, n in wanted.items())
        if is_there:
            left.subtract(wanted)
        return is_there
