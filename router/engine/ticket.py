"""The ticket of a message: its planned writes and its outcome.

Limits of a transaction: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from router.codes import NOT_ATOMIC
from router.engine.writes import Write
from router.errors import Refusal
from router.model import Outcome, Record, worst

MAX_ACTIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
"""Of all items of a transaction together."""


class Ticket:
    """A message with what is to be written for it.

    `outcome` is None until it is decided. `writes` are the planned writes; each adds its outcome to `results`, and the
    worst of all results is the outcome.
    """

    __slots__ = ("outcome", "record", "results", "writes")

    def __init__(self, record: Record, outcome: Outcome | None = None, writes: list[Write] | None = None) -> None:
        self.record = record
        self.outcome = outcome
        self.writes = writes or []
        self.results: list[Outcome] = []

    def settle(self, outcome: Outcome) -> None:
        """Add the outcome of one of the writes."""
        self.results.append(outcome)
        if len(self.results) == len(self.writes):
            self.outcome = outcome if len(self.writes) == 1 else worst(self.results)


def check_transaction(writes: list[Write]) -> None:
    """Raise Refusal if the writes of a message cannot be one transaction."""
    actions = sum(2 if write.marker else 1 for write in writes)
    if actions > MAX_ACTIONS:
        raise Refusal(NOT_ATOMIC, f"the message makes more than {MAX_ACTIONS} writes, too many for one transaction")
    if len({write.identity for write in writes}) < len(writes):
        raise Refusal(NOT_ATOMIC, "the message writes one item twice, which no transaction can")
    if sum(write.size for write in writes) > MAX_TRANSACTION_BYTES:
        raise Refusal(NOT_ATOMIC, f"the items of the message have more than {MAX_TRANSACTION_BYTES} bytes together")
