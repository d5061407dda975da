"""From messages to what is sent, and from answers back to messages: steps, batches, and their outcomes."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from router.model import WRITTEN, Outcome, Record, Table, worst
from router.runtime.deliver.batches import pack
from router.runtime.deliver.item_writes import CoalescedWrites, Transaction, coalesce, schedule
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


def outcomes(*messages: Any) -> Any:
    """The outcomes of messages."""
    return [each.outcome for each in messages]


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

    more = step.settle(outcome)

    assert (more, outcomes(*messages)) == (False, [outcome] * 3)


def test_each_coalesced_write_has_its_own_route() -> None:
    """An outcome for all of them, which has none, is that of each one's route."""
    messages = [planned(put_by(route, x)) for x, route in enumerate(("r1", "r2"))]
    ((step,),) = steps(messages)

    step.settle(Outcome("retry", "RT814"))

    assert outcomes(*messages) == [Outcome("retry", "RT814", route="r1"), Outcome("retry", "RT814", route="r2")]


def test_after_a_rejected_write_the_one_before_is_sent() -> None:
    """Down to the first."""
    messages = [planned(put({"id": "a", "x": x})) for x in range(3)]
    ((step,),) = steps(messages)

    sent = [(step.write.item["x"]["N"], step.settle(outcome)) for outcome in (REJECTED, WRITTEN)]

    assert (sent, outcomes(*messages)) == ([("2", True), ("1", False)], [WRITTEN, WRITTEN, REJECTED])


def test_coalesced_writes_that_are_all_rejected_end() -> None:
    """There is none before the first."""
    messages = [planned(put({"id": "a", "x": x})) for x in range(2)]
    ((step,),) = steps(messages)

    assert [step.settle(REJECTED), step.settle(REJECTED), *outcomes(*messages)] == [True, False, REJECTED, REJECTED]


def test_one_message_may_write_an_item_twice() -> None:
    """It has its outcome once both writes are settled."""
    twice = planned(put({"id": "a", "x": 1}), put({"id": "a", "x": 2}))
    ((step,),) = steps([twice])

    step.settle(REJECTED)
    before = twice.outcome
    step.settle(WRITTEN)

    assert (before, twice.outcome, twice.results) == (None, REJECTED, [REJECTED, WRITTEN])


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

    more = [step.settle(WRITTEN), step.settle(Outcome("duplicate"))]

    assert (more, outcomes(*messages)) == ([True, False], [STALE, WRITTEN, STALE, Outcome("duplicate", route="r")])


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6))
def test_versions_are_sent_in_order(versions: list[int]) -> None:
    """While they are rejected: the greatest first, and of equal ones the first received."""
    writes = [newest(version) for version in versions]
    ((step,),) = steps([planned(write) for write in writes])

    sent: list[int] = []
    more = True
    while more and len(sent) < len(writes):
        sent.append(next(number for number, write in enumerate(writes) if write is step.write))
        more = step.settle(REJECTED)

    assert sent == sorted(range(len(versions)), key=lambda number: (-versions[number], number))


def test_lesser_versions_are_left_if_the_greatest_is_not_written() -> None:
    """If it is rejected, the next one is sent."""
    messages = [planned(newest(version)) for version in (1, 2, 3)]
    ((step,),) = steps(messages)

    more = [step.settle(REJECTED), step.settle(RETRY)]

    assert (more, outcomes(*messages)) == ([True, False], [RETRY, RETRY, REJECTED])


def test_versions_of_different_types_have_no_order() -> None:
    """They are sent in the order of receipt: the table decides about each type."""
    messages = [planned(newest(version)) for version in (7, {"S": "w"}, {"S": "x"}, 8)]
    (item,) = steps(messages)

    sent = [(step.write.version, step.settle(WRITTEN)) for step in item]

    assert sent == [({"N": "7"}, False), ({"S": "x"}, False), ({"N": "8"}, False)]
    assert outcomes(*messages) == [WRITTEN, STALE, WRITTEN, WRITTEN]


def test_decided_messages_have_nothing_to_send() -> None:
    """Whatever else is in the batch."""
    decided = PlannedMessage(Record("id", "handle", "{}"), REJECTED)

    (((step,),),) = schedule([decided, planned(put({"id": "a"}))], atomic=False)

    assert isinstance(step, CoalescedWrites)
    assert step.write.identity == ("things", "a")


def test_transactions_of_one_item_are_sent_in_order() -> None:
    """Others are sent at once; the order of two is kept through an item that they share with a third."""
    one, two, three = planned(put({"id": "a"}), put({"id": "b"})), planned(put({"id": "b"})), planned(put({"id": "c"}))
    four = planned(put({"id": "c"}), put({"id": "b"}))

    waves = list(schedule([one, two, three, four], atomic=True))

    writes = [[item[0].writes for item in wave] for wave in waves]
    assert writes == [[one.writes, three.writes], [two.writes], [four.writes]]
    assert all(type(item) is list and type(item[0]) is Transaction for wave in waves for item in wave)


@pytest.mark.parametrize(
    ("first", "left"), [(RETRY, [True, True, False]), (REJECTED, [False] * 3), (WRITTEN, [False] * 3)]
)
def test_a_transaction_waits_for_earlier_ones_of_its_items(first: Any, left: Any) -> None:
    """Whatever follows one that is still to be made is left too."""
    messages = [planned(put({"id": "a"})), planned(put({"id": "a"}), put({"id": "b"})), planned(put({"id": "b"}))]
    messages.append(planned(put({"id": "c"})))
    answers = dict(zip(map(id, messages), (first, WRITTEN, WRITTEN, WRITTEN), strict=True))

    for wave in schedule(messages, atomic=True):
        for (transaction,) in wave:
            transaction.settle(next(answers[id(each)] for each in messages if each.writes is transaction.writes))

    early = Outcome("retry", "RT819", "an earlier write of one of its items is still to be made", "r")
    assert outcomes(*messages) == [first, *[early if each else WRITTEN for each in left]]


def test_items_of_several_waves_are_blocked() -> None:
    """A transaction that is left blocks its items for all later ones, also after others that are left."""
    messages = [planned(put({"id": id_}), *more) for id_, *more in (["a", put({"id": "b"})], ["b"], ["a"])]
    messages += [planned(put({"id": "c"})), planned(put({"id": "c"}), put({"id": "d"})), planned(put({"id": "d"}))]

    sent: list[Any] = []
    for wave in schedule(messages, atomic=True):
        for (transaction,) in wave:
            sent.append(transaction.writes)
            transaction.settle(RETRY)

    assert sent == [messages[0].writes, messages[3].writes]


def steps_of(*writes: Any) -> Any:
    """A step for each write."""
    return [CoalescedWrites(planned(write), write) for write in writes]


def sizes(steps: Any) -> Any:
    """The table and the number of writes of each batch."""
    return [(batch.table.name, len(batch.steps)) for batch in pack(steps)]


@pytest.mark.parametrize(
    ("count", "batches"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (75, [25, 25, 25]), (76, [25, 25, 25, 1])]
)
def test_a_batch_has_25_items_at_most(count: Any, batches: Any) -> None:
    """In their order."""
    steps = steps_of(*(put({"id": str(number)}) for number in range(count)))

    packed = pack(steps)

    assert ([len(batch.steps) for batch in packed], [step for batch in packed for step in batch.steps]) == (
        batches,
        steps,
    )


def test_a_batch_has_one_table() -> None:
    """Batches of each table are filled separately."""
    writes = [put({"id": str(number)}) if number % 2 else put({"n": number}, COUNTS) for number in range(60)]

    assert sizes(steps_of(*writes)) == [("counts", 25), ("counts", 5), ("things", 25), ("things", 5)]


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
    packed = pack(steps_of(*(put({"id": str(number), "x": value}) for number in range(sum(batches)))))

    lengths = [len(msgspec.json.encode(batch.requests())) for batch in packed]
    assert ([len(batch.steps) for batch in packed], max(lengths) < 17_000_000) == (batches, True)


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

    packed = pack(steps_of(*writes))

    lengths = [len(msgspec.json.encode(batch.requests())) for batch in packed]
    assert ([len(batch.steps) for batch in packed], max(lengths) < 17_000_000) == (batches, True)


@pytest.mark.parametrize(("more", "batches"), [(0, [2]), (1, [1, 1])])
def test_requests_may_fill_a_batch(more: int, batches: list[int]) -> None:
    """To its last byte."""
    requests = [Raw(b"0" * length) for length in (2**23, 2**23 + more)]
    writes = [structs.replace(put({"id": "a"}), size=400_000, request=request) for request in requests]

    assert [len(batch.steps) for batch in pack(steps_of(*writes))] == batches


def test_requests_are_those_of_batch_write_item() -> None:
    """In the order of the steps."""
    (batch,) = pack(steps_of(put({"id": "a", "x": 1}), delete({"id": "b"})))

    assert batch.requests() == [
        {"PutRequest": {"Item": {"id": {"S": "a"}, "x": {"N": "1"}}}},
        {"DeleteRequest": {"Key": {"id": {"S": "b"}}}},
    ]


@pytest.mark.parametrize("count", [2, 3, 25])
def test_halves_are_the_whole(count: Any) -> None:
    """Each is smaller, and in order."""
    (batch,) = pack(steps_of(*(put({"id": str(number)}) for number in range(count))))

    one, other = batch.halves()

    assert (one.steps + other.steps, one.table, other.table) == (batch.steps, batch.table, batch.table)
    assert 0 < len(one.steps) <= len(other.steps) < count


@pytest.mark.parametrize("form", ["1", "1.0", "1E0", "1e+0", "0.1E1"])
@pytest.mark.parametrize("write", [put({"n": 1, "x": "y"}, COUNTS), delete({"n": 1}, COUNTS)])
def test_unprocessed_requests_are_matched_to_steps(form: Any, write: Any) -> None:
    """By key, though the server returns the number in another form."""
    messages = [planned(write), planned(put({"n": 2}, COUNTS))]
    (batch,) = pack(item[0] for item in steps(messages))
    (request,) = (
        {kind: {part: {**item, "n": {"N": form}}}}
        for kind, body in batch.requests()[0].items()
        for part, item in body.items()
    )

    left = batch.settle([request])

    assert (left, outcomes(*messages)) == ([batch.steps[0]], [None, WRITTEN])


def test_all_are_written_if_nothing_is_unprocessed() -> None:
    """The usual answer."""
    messages = [planned(put({"id": "a"})), planned(put({"id": "b"}))]
    (batch,) = pack(item[0] for item in steps(messages))

    assert (batch.settle([]), outcomes(*messages)) == ([], [WRITTEN, WRITTEN])


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
        if any(is_bad(step.write) for step in batch.steps):
            return None
        left = []
        for step, request in zip(batch.steps, batch.requests(), strict=True):
            if not next(self.takes, True):
                left.append(request)
            elif "PutRequest" in request:
                self.items[step.write.identity] = request["PutRequest"]["Item"]
            else:
                self.items.pop(step.write.identity, None)
        return left


def send_all(items: Any, tables: Any, rounds: Any) -> Any:
    """Send all steps as the writer does, for so many rounds; returns the keys of what is then left for a retry."""
    steps = [item[0] for item in items]
    for _ in range(rounds):
        batches = pack(steps)
        steps = []
        while batches:
            batch = batches.pop()
            unprocessed = tables.write(batch)
            if unprocessed is not None:
                steps += batch.settle(unprocessed)
            elif len(batch.steps) > 1:
                batches += batch.halves()
            elif batch.steps[0].settle(REJECTED):
                steps += batch.steps
    left = {step.write.identity for step in steps}
    for step in steps:
        step.settle(RETRY)
    return left


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

    left = send_all(coalesce(messages), tables, rounds)

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
        assert each.outcome is not None
        assert each.outcome.kind == worst([Outcome(kind) for kind in kinds]).kind or (
            open_still and each.outcome.kind == "retry"
        )
    assert tables.items == {name: write.item for name, write in accepted.items() if write.mode.name == "put"}
