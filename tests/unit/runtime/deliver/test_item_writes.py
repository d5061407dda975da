"""From messages to what is sent, and from answers back to messages: steps, batches, and their outcomes."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from router.model import WRITTEN, Outcome, Record, Table, worst
from router.runtime.deliver.batches import Batch, pack
from router.runtime.deliver.item_writes import CoalescedWrites, ItemWrites, coalesce, transaction_waves
from router.runtime.deliver.time_limits import SharedWaits, Usage, WaitBudget
from router.runtime.deliver.writer import Settlement, Writer
from tests.support.aws import AwsFault, EndedCall, WriteResponse
from tests.support.engine import PlannedMessage, Write, encode_item, identify
from tests.support.modes import MODES

THINGS = Table("things", (("id", "S"),))
COUNTS = Table("counts", (("n", "N"),))
REJECTED = Outcome("rejected", "RT815", "refused", "r")
RETRY = Outcome("retry", "RT814", route="r")
STALE = Outcome("stale", "RT821", "a greater 'v' for table 'things' came in the same batch", "r")


def put(item: Any, table: Any = THINGS) -> Any:
    """A plain put of an item."""
    encoded, size = encode_item(item)
    return Write("r", table, MODES["put"], identify(table.name, table.key, encoded), encoded, size)


def delete(key: Any, table: Any = THINGS) -> Any:
    """A plain delete of a key."""
    encoded, size = encode_item(key)
    return Write("r", table, MODES["delete"], identify(table.name, table.key, encoded), encoded, size)


def put_by(route: str, x: int) -> Any:
    """A plain put of the item "a" by a route."""
    encoded, size = encode_item({"id": "a", "x": x})
    return Write(route, THINGS, MODES["put"], ("things", "a"), encoded, size)


def special(kind: Any, version: Any = None) -> Any:
    """A write of the item "a" that BatchWriteItem cannot make."""
    item = {"id": {"S": "a"}}
    return Write("r", THINGS, MODES[kind], ("things", "a"), item, 3, {"TableName": "things"}, "v", version)


def newest(version: Any) -> Any:
    """A write of the item "a" with a version."""
    return special("newest", version if isinstance(version, dict) else {"N": str(version)})


def steps(messages: Any) -> list[list[CoalescedWrites]]:
    """The steps of each item, which are all writes that are coalesced."""
    items = coalesce(messages)
    assert all(isinstance(step, CoalescedWrites) for item in items for step in item)
    return [[step for step in item if isinstance(step, CoalescedWrites)] for item in items]


def planned(*writes: Any) -> Any:
    """A planned message of these writes."""
    return PlannedMessage(Record("id", "handle", "{}"), None, list(writes))


class Sent:
    """What the outcomes of writes that were sent settle."""

    def __init__(self, *messages: Any) -> None:
        self.messages = messages
        self.settlement = Settlement(messages)
        self._settled: dict[Any, Any] = {}

    def settle(self, step: Any, outcome: Any) -> bool:
        """Give a step its outcome; return whether it has another write to send."""
        self.settlement.add(step.settle(outcome))
        return not step.is_settled

    @property
    def outcomes(self) -> Any:
        """The outcomes of the messages; None where a message is not settled."""
        self._settled |= self.settlement.take()
        return [self._settled.get(each) for each in self.messages]


def test_neighbouring_puts_and_deletes_are_coalesced() -> None:
    """In the order of receipt: of each item the last one is sent, whatever its message."""
    writes = [put({"id": "a", "x": 1}), put({"id": "b"}), delete({"id": "a"}), put({"id": "a", "x": 2})]

    items = steps([planned(writes[0], writes[1]), planned(writes[2]), planned(writes[3])])

    assert [[step.write for step in item] for item in items] == [[writes[3]], [writes[1]]]


@pytest.mark.parametrize("one", [1, Decimal("1.0"), Decimal("1E0")])
def test_a_number_is_one_key_in_any_form(one: Any) -> None:
    """1, 1.0 and 1e0 are one key."""
    assert len(coalesce([planned(put({"n": 1}, COUNTS)), planned(put({"n": one}, COUNTS))])) == 1


def test_the_same_key_in_two_tables_is_two_items() -> None:
    """Tables are independent."""
    other = Table("others", THINGS.key)

    assert len(coalesce([planned(put({"id": "a"}), put({"id": "a"}, other))])) == 2


@pytest.mark.parametrize("outcome", [WRITTEN, RETRY])
def test_the_other_coalesced_writes_have_the_outcome_of_the_last(outcome: Any) -> None:
    """Once the last one is written, they are superseded."""
    messages = [planned(put({"id": "a", "x": x})) for x in range(3)]
    ((step,),) = steps(messages)
    sent = Sent(*messages)

    more = sent.settle(step, outcome)

    assert (more, sent.outcomes) == (False, [outcome] * 3)


def test_each_coalesced_write_has_its_own_route() -> None:
    """An outcome for all of them, which has none, is that of each one's route."""
    messages = [planned(put_by(route, x)) for x, route in enumerate(("r1", "r2"))]
    ((step,),) = steps(messages)
    sent = Sent(*messages)

    sent.settle(step, Outcome("retry", "RT814"))

    assert sent.outcomes == [Outcome("retry", "RT814", route="r1"), Outcome("retry", "RT814", route="r2")]


def test_after_a_rejected_write_the_one_before_is_sent() -> None:
    """Down to the first."""
    messages = [planned(put({"id": "a", "x": x})) for x in range(3)]
    ((step,),) = steps(messages)
    sent = Sent(*messages)

    more = [(step.write.item["x"]["N"], sent.settle(step, outcome)) for outcome in (REJECTED, WRITTEN)]

    assert (more, sent.outcomes) == ([("2", True), ("1", False)], [WRITTEN, WRITTEN, REJECTED])


def test_coalesced_writes_that_are_all_rejected_end() -> None:
    """There is none before the first."""
    messages = [planned(put({"id": "a", "x": x})) for x in range(2)]
    ((step,),) = steps(messages)
    sent = Sent(*messages)

    more = [sent.settle(step, REJECTED), sent.settle(step, REJECTED)]

    assert (more, sent.outcomes) == ([True, False], [REJECTED, REJECTED])


def test_one_message_may_write_an_item_twice() -> None:
    """It has its outcome once both writes are settled."""
    twice = planned(put({"id": "a", "x": 1}), put({"id": "a", "x": 2}))
    ((step,),) = steps([twice])
    sent = Sent(twice)

    sent.settle(step, REJECTED)
    before = sent.outcomes
    sent.settle(step, WRITTEN)

    assert (before, sent.outcomes) == ([None], [REJECTED])


def test_other_modes_are_barriers() -> None:
    """Writes before and after one are not combined."""
    writes = [
        *(put({"id": "a", "x": 1}), put({"id": "a", "x": 2}), special("update"), special("update")),
        *(special("insert"), newest(1), newest(2), put({"id": "a", "x": 3}), delete({"id": "a"})),
    ]

    (item,) = steps([planned(write) for write in writes])

    assert [step.write for step in item] == [writes[at] for at in (1, 2, 3, 4, 6, 8)]
    assert [step.batched for step in item] == [True, False, False, False, False, True]


def test_a_delete_with_a_version_is_a_barrier() -> None:
    """Its condition may fail, so that neither it nor a put of its item replaces the other one."""
    writes = [put({"id": "a", "x": 1}), special("delete", {"N": "1"}), put({"id": "a", "x": 2})]

    (item,) = steps([planned(write) for write in writes])

    assert [step.write for step in item] == writes


def test_the_greatest_version_is_sent_first() -> None:
    """Lesser ones are then stale without a call; equal ones are sent, the first received first."""
    versions = (2, 3, 1, 3)
    messages = [planned(newest(version)) for version in versions]
    ((step,),) = steps(messages)
    sent = Sent(*messages)

    more = [sent.settle(step, WRITTEN), sent.settle(step, Outcome("duplicate"))]

    assert (more, sent.outcomes) == ([True, False], [STALE, WRITTEN, STALE, Outcome("duplicate", route="r")])


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6))
def test_versions_are_sent_in_order(versions: list[int]) -> None:
    """While they are rejected: the greatest first, and of equal ones the first received."""
    writes = [newest(version) for version in versions]
    ((step,),) = steps([planned(write) for write in writes])

    sent: list[int] = []
    more = True
    while more and len(sent) < len(writes):
        sent.append(next(number for number, write in enumerate(writes) if write is step.write))
        step.settle(REJECTED)
        more = not step.is_settled

    assert sent == sorted(range(len(versions)), key=lambda number: (-versions[number], number))


def test_lesser_versions_are_left_if_the_greatest_is_not_written() -> None:
    """If it is rejected, the next one is sent."""
    messages = [planned(newest(version)) for version in (1, 2, 3)]
    ((step,),) = steps(messages)
    sent = Sent(*messages)

    more = [sent.settle(step, REJECTED), sent.settle(step, RETRY)]

    assert (more, sent.outcomes) == ([True, False], [RETRY, RETRY, REJECTED])


def test_versions_of_different_types_have_no_order() -> None:
    """They are sent in the order of receipt: the table decides about each type."""
    messages = [planned(newest(version)) for version in (7, {"S": "w"}, {"S": "x"}, 8)]
    (item,) = steps(messages)
    sent = Sent(*messages)

    more = [(step.write.version, sent.settle(step, WRITTEN)) for step in item]

    assert more == [({"N": "7"}, False), ({"S": "x"}, False), ({"N": "8"}, False)]
    assert sent.outcomes == [WRITTEN, STALE, WRITTEN, WRITTEN]


def test_transactions_of_one_item_are_sent_in_order() -> None:
    """Others are sent at once; the order of two is kept through an item that they share with a third."""
    one, two, three = planned(put({"id": "a"}), put({"id": "b"})), planned(put({"id": "b"})), planned(put({"id": "c"}))
    four = planned(put({"id": "c"}), put({"id": "b"}))

    assert transaction_waves([one, two, three, four]) == [[one, three], [two], [four]]


class FirstAnswers:
    """Tables whose first calls have these answers; later ones succeed. `sent` are the ids of each transaction."""

    def __init__(self, *answers: WriteResponse) -> None:
        self.sent: list[list[str]] = []
        self._answers = [*answers]

    def key_schema(self, table: str, timeout: float) -> Any:
        return THINGS.key

    def begin_batch_write(self, table: str, requests: Any, timeout: float, measured: bool) -> Any:
        raise AssertionError("all writes are transactions")

    def begin_actions(self, actions: Any, timeout: float, measured: bool) -> Any:
        self.sent.append([action["Item"]["id"]["S"] for _, action in actions])
        return EndedCall(self._answers.pop(0) if self._answers else WriteResponse())


def write_atomically(tables: Any, messages: Any) -> list[Outcome]:
    """Write messages whose first wave has one transaction, without waits for retries."""
    limit: Any = SimpleNamespace(moment=1e9, timeout=lambda now: 60.0, usage=Usage())
    settled: dict[Any, Outcome] = {}
    for part in Writer(tables, lambda: 0.0).write(
        messages, limit, WaitBudget(lambda: 0.0, SharedWaits(0.0)), atomic=True
    ):
        settled |= part
    return [settled[each] for each in messages]


THROTTLED = WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400))
REFUSED = WriteResponse(fault=AwsFault("refused", "ValidationException", 400))


@pytest.mark.parametrize(
    ("answer", "first", "left"),
    [
        (THROTTLED, "retry", [True, True, False]),
        (REFUSED, "rejected", [False] * 3),
        (WriteResponse(), "written", [False] * 3),
    ],
)
def test_a_transaction_waits_for_earlier_ones_of_its_items(answer: WriteResponse, first: str, left: Any) -> None:
    """Whatever follows one that is still to be made is left too."""
    messages = [planned(put({"id": "a"})), planned(put({"id": "a"}), put({"id": "b"})), planned(put({"id": "b"}))]
    messages.append(planned(put({"id": "c"})))

    outcomes = write_atomically(FirstAnswers(answer), messages)

    early = Outcome("retry", "RT819", "an earlier write of one of its items is still to be made", "r")
    assert (outcomes[0].kind, outcomes[1:]) == (first, [early if each else WRITTEN for each in left])


def test_items_of_several_waves_are_blocked() -> None:
    """A transaction that is left blocks its items for all later ones, also after others that are left."""
    messages = [planned(put({"id": id_}), *more) for id_, *more in (["a", put({"id": "b"})], ["b"], ["a"])]
    messages += [planned(put({"id": "c"})), planned(put({"id": "c"}), put({"id": "d"})), planned(put({"id": "d"}))]
    tables = FirstAnswers(*[THROTTLED] * 9)

    outcomes = write_atomically(tables, messages)

    assert ([each.kind for each in outcomes], tables.sent) == (["retry"] * 6, [["a", "b"], ["c"]])


def items_of(*writes: Any) -> list[ItemWrites]:
    """An item for each write."""
    return [ItemWrites([CoalescedWrites(planned(write), write)]) for write in writes]


def requests_of(batch: Batch) -> list[Any]:
    """The requests of a batch, by a client whose calls block; another one is given the same."""
    sent: list[Any] = []

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> Any:
        sent.append((table, requests, measured))

    tables: Any = SimpleNamespace(batch_write=batch_write, begin_batch_write=batch_write)
    batch.call(tables, 1.0)
    batch.begin(tables, 1.0)
    assert sent[0] == (batch.writes[0].table.name, sent[0][1], batch.writes[0].table.write_units > 0)
    assert msgspec.json.encode(sent[0]) == msgspec.json.encode(sent[1])
    requests: list[Any] = sent[0][1]
    return requests


def sizes(items: Any) -> Any:
    """The table and the number of writes of each batch."""
    return [(batch.writes[0].table.name, len(batch.items)) for batch in pack(items)]


@pytest.mark.parametrize(
    ("count", "batches"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (75, [25, 25, 25]), (76, [25, 25, 25, 1])]
)
def test_a_batch_has_25_items_at_most(count: Any, batches: Any) -> None:
    """In their order."""
    items = items_of(*(put({"id": str(number)}) for number in range(count)))

    packed = pack(items)

    assert ([len(batch.items) for batch in packed], [item for batch in packed for item in batch.items]) == (
        batches,
        items,
    )


def test_a_batch_has_one_table() -> None:
    """Batches of each table are filled separately."""
    writes = [put({"id": str(number)}) if number % 2 else put({"n": number}, COUNTS) for number in range(60)]

    assert sizes(items_of(*writes)) == [("counts", 25), ("counts", 5), ("things", 25), ("things", 5)]


LONGEST = {
    (-1) ** sign * Decimal((0, (digit, last), -131))
    for sign in (0, 1)
    for digit in range(1, 10)
    for last in range(1, 10)
}


@pytest.mark.parametrize(
    ("value", "batches"),
    [
        ("x" * 400_000, [25]),
        ("\x01" * 400_000, [6, 1]),
        ("\x01" * 9_000, [25]),
        (b"\0" * 400_000, [25]),
        ([LONGEST] * 10, [25]),
        ([LONGEST] * 60, [12, 1]),
    ],
)
def test_a_batch_has_16_mb_at_most(value: Any, batches: Any) -> None:
    """Of JSON, which is far longer than DynamoDB's count for escaped characters and very small numbers."""
    packed = pack(items_of(*(put({"id": str(number), "x": value}) for number in range(sum(batches)))))

    lengths = [len(msgspec.json.encode(requests_of(batch))) for batch in packed]
    assert ([len(batch.items) for batch in packed], max(lengths) < 17_000_000) == (batches, True)


@pytest.mark.parametrize(
    ("first", "others", "table", "batches"),
    [
        ("x" * 400_000, ["x"] * 30, THINGS, [25, 6]),
        ("\x01" * 400_000, [[LONGEST] * 28] * 24, THINGS, [23, 2]),
        ("x", ["x"] * 30, Table("units", THINGS.key, 1000.0), [25, 6]),
        ("x" * 5000, ["x"] * 6, Table("units", THINGS.key, 6.0), [2, 5]),
    ],
)
def test_items_of_many_sizes(first: Any, others: Any, table: Table, batches: Any) -> None:
    """A batch of large and small items, or of a table with a budget, keeps all limits: items, bytes and units."""
    writes = [put({"id": str(number), "x": value}, table) for number, value in enumerate([first, *others])]

    packed = pack(items_of(*writes))

    lengths = [len(msgspec.json.encode(requests_of(batch))) for batch in packed]
    assert ([len(batch.items) for batch in packed], max(lengths) < 17_000_000) == (batches, True)


@pytest.mark.parametrize(("more", "batches"), [(0, [2]), (1, [1, 1])])
def test_requests_may_fill_a_batch(more: int, batches: list[int]) -> None:
    """To its last byte."""
    requests = [Raw(b"0" * length) for length in (2**23, 2**23 + more)]
    writes = [structs.replace(put({"id": "a"}), size=400_000, request=request) for request in requests]

    assert [len(batch.items) for batch in pack(items_of(*writes))] == batches


def test_requests_are_those_of_batch_write_item() -> None:
    """In the order of the items."""
    (batch,) = pack(items_of(put({"id": "a", "x": 1}), delete({"id": "b"})))

    assert requests_of(batch) == [
        {"PutRequest": {"Item": {"id": {"S": "a"}, "x": {"N": "1"}}}},
        {"DeleteRequest": {"Key": {"id": {"S": "b"}}}},
    ]


@pytest.mark.parametrize("count", [2, 3, 25])
def test_halves_are_the_whole(count: Any) -> None:
    """Each is smaller, and in order."""
    (batch,) = pack(items_of(*(put({"id": str(number)}) for number in range(count))))

    one, other = batch.halves()

    assert one.items + other.items == batch.items
    assert 0 < len(one.items) <= len(other.items) < count


@pytest.mark.parametrize("form", ["1", "1.0", "1E0", "1e+0", "0.1E1"])
@pytest.mark.parametrize("write", [put({"n": 1, "x": "y"}, COUNTS), delete({"n": 1}, COUNTS)])
def test_unprocessed_requests_are_matched_to_steps(form: Any, write: Any) -> None:
    """By key, though the server returns the number in another form."""
    (batch,) = pack(items_of(write, put({"n": 2}, COUNTS)))
    (request,) = (
        {kind: {part: {**item, "n": {"N": form}}}}
        for kind, body in requests_of(batch)[0].items()
        for part, item in body.items()
    )

    assert batch.left_of([request]) == [batch.items[0]]


def test_all_are_written_if_nothing_is_unprocessed() -> None:
    """The usual answer."""
    (batch,) = pack(items_of(put({"id": "a"}), put({"id": "b"})))

    assert batch.left_of([]) == []


KEYS = st.sampled_from([{"id": "a"}, {"id": "b"}, {"n": 1}, {"n": Decimal("1.0")}, {"n": 10}, {"n": Decimal("1E1")}])


@st.composite
def plain_writes(draw: Any) -> Any:
    """A put or a delete; some that the table will refuse."""
    key = draw(KEYS)
    table = THINGS if "id" in key else COUNTS
    if draw(st.integers(0, 3)) == 0:
        return delete(key, table)
    return put({**key, "mark": draw(st.integers(0, 10**6)), "bad": draw(st.sampled_from([True, False, False]))}, table)


def is_bad(write: Any) -> Any:
    """Whether the table refuses it."""
    return write.item.get("bad") == {"BOOL": True}


class FakeTables:
    """Tables in memory that leave out and refuse what they are reported to."""

    def __init__(self, takes: Any) -> None:
        self.items: dict[str, Any] = {}
        self.takes = takes

    def write(self, batch: Any) -> Any:
        """What is left to send, and what is to be sent at once, after one call."""
        if any(is_bad(write) for write in batch.writes):
            return None
        left = []
        for write, request in zip(batch.writes, requests_of(batch), strict=True):
            if not next(self.takes, True):
                left.append(request)
            elif "PutRequest" in request:
                self.items[write.identity] = request["PutRequest"]["Item"]
            else:
                self.items.pop(write.identity, None)
        return left


def send_all(messages: Any, tables: Any, rounds: Any) -> Any:
    """Send all writes as the writer does, for so many rounds; returns what is left for a retry, and the outcomes."""
    settlement = Settlement(messages)
    items = [ItemWrites(steps) for steps in coalesce(messages)]
    for _ in range(rounds):
        batches = pack(items)
        items = []
        while batches:
            batch = batches.pop()
            unprocessed = tables.write(batch)
            if unprocessed is not None:
                left = batch.left_of(unprocessed)
                items += left
                for item in batch.items:
                    if item not in left:
                        settlement.add(item.settle(WRITTEN))
            elif len(batch.items) > 1:
                batches += batch.halves()
            else:
                settlement.add(batch.items[0].settle(REJECTED))
                items += [item for item in batch.items if item.steps]
    unwritten = {item.writes[0].identity for item in items}
    for item in items:
        settlement.add(item.abandon(RETRY))
    return unwritten, settlement.take()


@given(
    st.lists(st.lists(plain_writes(), min_size=1, max_size=3), max_size=8),
    st.lists(st.booleans(), max_size=12),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=200)
def test_any_writes_and_any_answers(all_writes: Any, takes: Any, rounds: Any) -> None:
    """Each message is settled once, as the worst of its writes; the table holds the accepted writes, in order."""
    messages = [planned(*writes) for writes in all_writes]
    tables = FakeTables(iter(takes))

    left, outcomes = send_all(messages, tables, rounds)

    in_order = [write for writes in all_writes for write in writes]
    accepted = {write.identity: write for write in in_order if write.identity not in left and not is_bad(write)}
    places = {id(write): at for at, write in enumerate(in_order)}
    for each in messages:
        kinds: set[Any] = set()
        for write in each.writes:
            last = accepted.get(write.identity)
            had = last is not None and places[id(write)] <= places[id(last)]
            kinds.add("written" if had else "retry" if write.identity in left and not is_bad(write) else "rejected")
        open_still = any(write.identity in left and is_bad(write) for write in each.writes)
        assert outcomes[each].kind == worst([Outcome(kind) for kind in kinds]).kind or (
            open_still and outcomes[each].kind == "retry"
        )
    assert tables.items == {name: write.item for name, write in accepted.items() if write.mode.name == "put"}
