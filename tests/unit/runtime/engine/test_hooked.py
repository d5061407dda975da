"""What hooks raise that ends more than a message."""

from typing import Any

import pytest
from msgspec import structs

from router.model import Record
from router.runtime.engine.engine import OutOfBudget, TypedSteps
from router.runtime.engine.hooked import plan_hooked
from tests.unit.runtime.engine.conftest import Make


@pytest.mark.parametrize("error", [OutOfBudget, KeyboardInterrupt])
def test_what_ends_more_than_a_message(make: Make, error: type[BaseException]) -> None:
    """It is raised by hooks, and by the functions of a plugin that an item is made with."""

    def fail(*given: Any) -> Any:
        raise error

    queue = make("r: {queue: q, table: things}").engine.queues["q"]
    hooked = structs.replace(queue, routes=(structs.replace(queue.routes[0], transform_message=(fail,)),))
    record = Record("m1", "", '{"id": "x"}')
    with pytest.raises(error):
        plan_hooked(hooked, record, {"id": "x"}, None, TypedSteps(fail, fail, is_flat=True))
    if error is KeyboardInterrupt:
        with pytest.raises(error):
            plan_hooked(queue, record, {"id": "x"}, None, TypedSteps(fail, fail, is_flat=True))
