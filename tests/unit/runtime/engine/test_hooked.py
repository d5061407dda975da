"""Messages whose data is decoded when a hook asks for it."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET, structs

from router.model import Message, Record
from router.runtime.engine.engine import OutOfBudget, TypedSteps
from router.runtime.engine.hooked import Undecoded, UndecodedMessage, plan_hooked
from tests.unit.runtime.engine.conftest import Make

DECODED = Message({"a": 1}, "m1", "q", {}, {"SentTimestamp": "5"})
_DATA: Any = Message.data


def undecoded() -> UndecodedMessage:
    """Return a message that is equal to `DECODED`."""
    return UndecodedMessage(Undecoded('{"a": 1}'), "m1", "q", {}, {"SentTimestamp": "5"})


def is_decoded(message: Message) -> bool:
    """Return whether something has asked for the data of a message."""
    data = _DATA.__get__(message)
    return not isinstance(data, Undecoded) or data.data is not UNSET


def test_it_is_a_message() -> None:
    """With its interface; whoever asks for anything but its data does not need it."""
    message = undecoded()

    found = [message.id, message.queue, message.attributes, message.sent_at, message.epoch_ms("sent_at")]

    assert isinstance(message, Message)
    assert found == ["m1", "q", {}, "1970-01-01T00:00:00.005Z", 5]
    assert not is_decoded(message)
    assert message.data == {"a": 1}
    assert message.data is message.data
    assert structs.asdict(message) == structs.asdict(DECODED)


def test_it_is_equal_to_the_decoded_one() -> None:
    """Whichever is on the left."""
    other = structs.replace(DECODED, data={"a": 2})

    assert [undecoded() == DECODED, undecoded() == DECODED, undecoded() == undecoded()] == [True] * 3
    assert [undecoded() == other, other == undecoded(), undecoded() == 5] == [False] * 3
    assert repr(undecoded()) == repr(DECODED)
    with pytest.raises(TypeError):
        hash(undecoded())


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda message: pickle.loads(pickle.dumps(message))])
def test_copies(again: Callable[[Message], Message]) -> None:
    """They are equal; what is pickled is read by other versions."""
    assert again(undecoded()) == DECODED
    assert type(pickle.loads(pickle.dumps(undecoded()))) is Message


def test_a_message_with_other_fields_has_the_same_data() -> None:
    """As that of any message: what one of them changes in place, all have."""
    message = undecoded()
    other = structs.replace(message, id="m2")
    assert not is_decoded(other)

    other.data["a"] = 2

    assert message.data == {"a": 2}
    assert (other.id, other.with_data(None).data) == ("m2", None)


@pytest.mark.parametrize("error", [OutOfBudget, KeyboardInterrupt])
def test_what_ends_more_than_a_message(make: Make, error: type[BaseException]) -> None:
    """It is raised by hooks, and by the functions of a plugin that an item is made with."""

    def fail(*given: Any) -> Any:
        raise error

    queue = make("r: {queue: q, table: things}").engine.queues["q"]
    hooked = structs.replace(queue, routes=(structs.replace(queue.routes[0], transform_message=(fail,)),))
    record = Record("m1", "", '{"id": "x"}')
    with pytest.raises(error):
        plan_hooked(hooked, record, None, TypedSteps(fail, fail))
    if error is KeyboardInterrupt:
        with pytest.raises(error):
            plan_hooked(queue, record, None, TypedSteps(fail, fail))
