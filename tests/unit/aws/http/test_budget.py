"""The retry budget."""

from typing import Any

from router.aws.faults import Fault
from router.aws.http.budget import CAPACITY, COST, TIMEOUT_COST, RetryBudget
from router.aws.http.queues import TRIES, DirectQueues
from router.aws.http.service import Failed

BUSY = Fault("retry", "ServiceUnavailable", 503)
LATE = Fault("retry", "ReadTimeoutError")


class Service:
    """Answers as it is told, the same again and again at the end; counts."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls = 0

    def call(self, operation: str, body: bytes, seconds: float) -> Any:
        self.calls += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def make(*answers: Any) -> tuple[DirectQueues, Any, list[float]]:
    service: Any = Service(*answers)
    slept: list[float] = []
    return DirectQueues(service, slept.append), service, slept


def test_a_service_in_trouble_is_asked_less() -> None:
    """When the budget is spent, each call is made once, until calls that go well have earned another try."""
    queues, service, _ = make(Failed(BUSY))
    tries = []
    for _ in range(CAPACITY // COST // (TRIES - 1) + 2):
        before = service.calls
        assert queues.visibility("https://q") == BUSY
        tries.append(service.calls - before)
    assert tries == [TRIES] * (CAPACITY // COST // (TRIES - 1)) + [1, 1]


def test_timeouts_cost_more() -> None:
    """Half as many calls that time out are tried again."""
    queues, service, _ = make(Failed(LATE))
    for _ in range(CAPACITY // TIMEOUT_COST):
        queues.visibility("https://q")
    assert service.calls == CAPACITY // TIMEOUT_COST // (TRIES - 1) * TRIES + CAPACITY // TIMEOUT_COST // (TRIES - 1)


def test_success_pays_back() -> None:
    """A call that goes well at last gets back what its last try cost."""
    answer = {"Attributes": {"VisibilityTimeout": "30"}}
    queues, _, slept = make(Failed(BUSY), answer, answer)
    found = [queues.visibility("https://q"), queues.visibility("https://q")]
    assert (found, len(slept), queues._budget._left) == ([30, 30], 1, CAPACITY)


def test_earns_little_by_little() -> None:
    """What goes well earns a fifth of a try, up to what there was at first."""
    budget = RetryBudget()
    while budget.spend():
        pass
    earned = 0
    while not budget.spend():
        budget.earn()
        earned += 1
    assert earned == COST
