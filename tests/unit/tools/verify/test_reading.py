"""Items are read at a rate; what AWS does not answer is asked again, for a while."""

from collections.abc import Callable
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Table
from router.tools.verify.reading import ItemReader
from tests.support.aws import AwsCallError

TABLE = Table("orders", (("id", "S"),))
KEYS = [{"id": {"S": "a"}}, {"id": {"S": "b"}}]
ITEM = {"id": {"S": "b"}, "total": {"N": "1"}}


class Dynamo:
    """Answers calls in turn, each with a value or an error, and then with everything."""

    place = " in eu-west-1"

    def __init__(self, *answers: Any) -> None:
        self.answers = [*answers]
        self.calls: list[Any] = []

    def call(self, operation: str, **parameters: Any) -> Any:
        if operation == "DescribeTimeToLive":
            return self._next()
        assert operation == "BatchGetItem"
        request = parameters["RequestItems"]["orders"]
        assert request["ConsistentRead"]
        self.calls.append(request["Keys"])
        return self._next()

    def _next(self) -> Any:
        answer = self.answers.pop(0) if self.answers else {"Responses": {"orders": [ITEM]}}
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def waits() -> list[float]:
    """How long was waited, in order."""
    return []


@pytest.fixture
def reader(waits: list[float]) -> Callable[..., ItemReader]:
    """Make a reader whose clock moves with its waits only."""
    return lambda dynamodb, rate=1000.0: ItemReader(dynamodb, rate, lambda: sum(waits), waits.append)


def throttled() -> AwsCallError:
    return AwsCallError("too fast", "ProvisionedThroughputExceededException")


def unanswered() -> AwsCallError:
    return AwsCallError("AWS did not answer", "EndpointConnectionError", answered=False)


def test_items_in_the_order_of_keys(reader: Callable[..., ItemReader]) -> None:
    """None for an item that is not there."""
    assert reader(Dynamo()).read(TABLE, KEYS) == [None, ITEM]


def test_unprocessed_keys_are_read_again(reader: Callable[..., ItemReader], waits: list[float]) -> None:
    """After a wait."""
    dynamodb = Dynamo({"Responses": {}, "UnprocessedKeys": {"orders": {"Keys": [KEYS[1]]}}})
    assert reader(dynamodb).read(TABLE, KEYS) == [None, ITEM]
    assert dynamodb.calls == [KEYS, [KEYS[1]]]
    assert max(waits) > 0.05


def test_a_call_that_is_throttled_is_repeated(reader: Callable[..., ItemReader]) -> None:
    """A fault that may pass."""
    dynamodb = Dynamo(throttled(), unanswered())
    assert reader(dynamodb).read(TABLE, KEYS) == [None, ITEM]


@pytest.mark.parametrize("answer", [throttled(), {"UnprocessedKeys": {"orders": {"Keys": KEYS}}}])
def test_a_table_that_never_answers(reader: Callable[..., ItemReader], answer: Any) -> None:
    """It ends with what to do."""
    with pytest.raises(UsageError, match="run again later, with a lower --rate"):
        reader(Dynamo(*[answer] * 20)).read(TABLE, KEYS)


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        ({"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "gone_at"}}, "gone_at"),
        ({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}, ""),
        (AwsCallError("these credentials may not do it", "AccessDeniedException"), None),
    ],
)
def test_when_items_expire(reader: Callable[..., ItemReader], answer: Any, end: str | None) -> None:
    """It is not known if the credentials may not ask."""
    assert reader(Dynamo(answer)).end("orders") == end


def test_a_fault_that_does_not_pass(reader: Callable[..., ItemReader]) -> None:
    """It names the table, and the region."""
    denied = AwsCallError("these credentials may not do dynamodb:BatchGetItem", "AccessDeniedException")
    with pytest.raises(UsageError, match=r"'orders' cannot be read in eu-west-1: .*BatchGetItem"):
        reader(Dynamo(denied)).read(TABLE, KEYS)


def test_what_never_answers(reader: Callable[..., ItemReader], waits: list[float]) -> None:
    """It ends at once: nothing may listen there. What has answered may do so again; if not, it is said why."""
    with pytest.raises(UsageError, match=r"'orders' cannot be read in eu-west-1: AWS did not answer"):
        reader(Dynamo(unanswered())).read(TABLE, KEYS)
    assert sum(waits) == 0
    later = Dynamo({"Responses": {"orders": [ITEM]}}, *[unanswered()] * 20)
    reading = reader(later)
    reading.read(TABLE, KEYS)
    with pytest.raises(UsageError, match=r"'orders' cannot be read in eu-west-1: AWS did not answer"):
        reading.read(TABLE, KEYS)
    assert len(later.calls) > 5


@pytest.mark.parametrize(("consumed", "seconds"), [([{"CapacityUnits": 50.0}], 5.0), ([], 0.2)])
def test_the_rate(reader: Callable[..., ItemReader], waits: list[float], consumed: Any, seconds: float) -> None:
    """The next call waits for the units that were consumed; without an answer about them, for one a key."""
    dynamodb = Dynamo({"Responses": {}, "ConsumedCapacity": consumed})
    reading = reader(dynamodb, 10.0)
    reading.read(TABLE, KEYS)
    assert sum(waits) == 0
    reading.read(TABLE, KEYS)
    assert sum(waits) == pytest.approx(seconds)
    assert reading.units == (50.0 if consumed else 2.0) + 2
