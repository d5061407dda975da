"""The retry budget."""

from types import SimpleNamespace
from typing import Any

from router.runtime.aws.http.queues import RETRY_CAPACITY, RETRY_COST, TIMEOUT_COST, TRIES, DirectQueues, RetryBudget
from router.runtime.aws.http.service import FailedCall
from router.runtime.aws.protocols import AwsFault, QueueAttributes

BUSY = AwsFault("retry", "ServiceUnavailable", 503)
LATE = AwsFault("retry", "ReadTimeoutError")


class Service:
    """Scripted responses, the last one repeated; counts the calls."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls = 0

    def begin(self, operation: str, body: bytes, seconds: float, decode: Any) -> Any:
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return SimpleNamespace(fileno=lambda: -1, finish=lambda late=False: answer)


def make(*answers: Any, budget: RetryBudget | None = None) -> tuple[DirectQueues, Any, list[float]]:
    service: Any = Service(*answers)
    slept: list[float] = []
    return DirectQueues(service, slept.append, budget=budget), service, slept


def test_spent_budget() -> None:
    """After the budget is spent, each call is made once, until successful calls have refunded a retry."""
    queues, service, _ = make(FailedCall(BUSY))
    tries = []
    for _ in range(RETRY_CAPACITY // RETRY_COST // (TRIES - 1) + 2):
        before = service.calls
        assert queues.attributes("https://q", 60) == BUSY
        tries.append(service.calls - before)
    assert tries == [TRIES] * (RETRY_CAPACITY // RETRY_COST // (TRIES - 1)) + [1, 1]


def test_timeouts_cost_more() -> None:
    """Half as many calls that time out are retried."""
    queues, service, _ = make(FailedCall(LATE))
    for _ in range(RETRY_CAPACITY // TIMEOUT_COST):
        queues.attributes("https://q", 60)
    assert service.calls == RETRY_CAPACITY // TIMEOUT_COST // (TRIES - 1) * TRIES + RETRY_CAPACITY // TIMEOUT_COST // (
        TRIES - 1
    )


def test_refund_after_a_retry() -> None:
    """A call that succeeds after a retry refunds its cost."""
    answer = {"Attributes": {"VisibilityTimeout": "30"}}
    budget = RetryBudget()
    queues, _, slept = make(FailedCall(BUSY), answer, answer, budget=budget)
    found = [queues.attributes("https://q", 60), queues.attributes("https://q", 60)]
    assert (found, len(slept), budget.left) == ([QueueAttributes(30)] * 2, 1, RETRY_CAPACITY)


def test_small_refunds() -> None:
    """A successful call refunds a fifth of a retry, up to the capacity."""
    budget = RetryBudget()
    while budget.spend():
        pass
    earned = 0
    while not budget.spend():
        budget.refund()
        earned += 1
    assert earned == RETRY_COST
