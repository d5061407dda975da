"""The retry budget."""

from types import SimpleNamespace
from typing import Any

from router.aws.http.queues import RETRY_CAPACITY, RETRY_COST, TIMEOUT_COST, TRIES, DirectQueues, RetryBudget
from router.aws.http.service import FailedCall
from router.aws.protocols import AwsFault

BUSY = AwsFault("retry", "ServiceUnavailable", 503)
LATE = AwsFault("retry", "ReadTimeoutError")


class Service:
    """Answers as it is told, the same again and again at the end; counts."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls = 0

    def begin(self, operation: str, body: bytes, seconds: float) -> Any:
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return SimpleNamespace(finish=lambda late=False: answer)


def make(*answers: Any, budget: RetryBudget | None = None) -> tuple[DirectQueues, Any, list[float]]:
    service: Any = Service(*answers)
    slept: list[float] = []
    return DirectQueues(service, slept.append, budget=budget), service, slept


def test_a_service_in_trouble_is_asked_less() -> None:
    """When the budget is spent, each call is made once, until calls that go well have earned another try."""
    queues, service, _ = make(FailedCall(BUSY))
    tries = []
    for _ in range(RETRY_CAPACITY // RETRY_COST // (TRIES - 1) + 2):
        before = service.calls
        assert queues.visibility("https://q") == BUSY
        tries.append(service.calls - before)
    assert tries == [TRIES] * (RETRY_CAPACITY // RETRY_COST // (TRIES - 1)) + [1, 1]


def test_timeouts_cost_more() -> None:
    """Half as many calls that time out are tried again."""
    queues, service, _ = make(FailedCall(LATE))
    for _ in range(RETRY_CAPACITY // TIMEOUT_COST):
        queues.visibility("https://q")
    assert service.calls == RETRY_CAPACITY // TIMEOUT_COST // (TRIES - 1) * TRIES + RETRY_CAPACITY // TIMEOUT_COST // (
        TRIES - 1
    )


def test_success_pays_back() -> None:
    """A call that goes well at last gets back what its last try cost."""
    answer = {"Attributes": {"VisibilityTimeout": "30"}}
    budget = RetryBudget()
    queues, _, slept = make(FailedCall(BUSY), answer, answer, budget=budget)
    found = [queues.visibility("https://q"), queues.visibility("https://q")]
    assert (found, len(slept), budget.left) == ([30, 30], 1, RETRY_CAPACITY)


def test_earns_little_by_little() -> None:
    """What goes well earns a fifth of a try, up to what there was at first."""
    budget = RetryBudget()
    while budget.spend():
        pass
    earned = 0
    while not budget.spend():
        budget.refund()
        earned += 1
    assert earned == RETRY_COST
