"""Which queues there are, what they are called, and which one a message comes from."""

from typing import Any

import pytest

from tests.support.engine import OutageBackoff, PointerFinder
from tests.support.envelopes import ENVELOPES
from tests.support.envelopes import unwrap_sns as sns

ACCOUNT = "123456789012"
ARN = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:events"
URL = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/events"
NO_NAME = (
    "RT202 'a b' is not a valid queue name: 1 to 80 letters, digits, '-' and '_', with '.fifo' at the end of a FIFO "
    "queue's"
)
OPEN_POINTERS = (
    "RT209 nothing says which buckets pointers of queue 'q' may lead to; add 's3_pointer: {buckets: […]}' to the queue"
)
UNUSED_POINTERS = (
    "RT209 's3_pointer' of queue 'q' has no effect: 'envelope' does not name it; "
    "add s3_pointer to 'envelope', or remove the key"
)
LOCAL = f"http://localhost:4566/{ACCOUNT}/events"


def config(queues: str, routes: str) -> str:
    return f"version: 1\nqueues: {queues}\ntables: {{things: {{key: {{id: S}}}}}}\nroutes: {routes}\n"


@pytest.mark.parametrize(
    ("reference", "arn", "found"),
    [
        ("events", ARN, True),
        ("events", "arn:aws:sqs:us-east-1:000000000000:events", True),
        ("events", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:events.fifo", False),
        (ARN, ARN, True),
        (ARN, f"arn:aws:sqs:us-east-1:{ACCOUNT}:events", False),
        (ARN, "arn:aws:sqs:eu-west-1:000000000000:events", False),
        (URL, ARN, True),
        (URL, f"arn:aws:sqs:us-east-1:{ACCOUNT}:events", False),
        (URL, "arn:aws:sqs:eu-west-1:000000000000:events", False),
        (LOCAL, ARN, True),
        (LOCAL, "arn:aws:sqs:eu-west-1:000000000000:events", False),
        ("q", ARN, False),
    ],
)
def test_the_queue_of_an_arn(flow: Any, reference: str, arn: str, found: bool) -> None:
    """An ARN or a URL matches wholly, a name matches in any account and region."""
    engine = flow(queue={"name": reference}).loaded.program.engine

    assert engine.queue_of(arn) is (engine.queues["q"] if found else None)


def test_the_most_exact_queue_is_found(load_text: Any) -> None:
    """Where a name and ARNs match, the ARN of the account has the message."""
    made = load_text(
        config(
            f"{{any: {{name: events, dead_letter: d}}, ours: {{name: '{ARN}', dead_letter: d}}, "
            "theirs: {name: 'arn:aws:sqs:eu-west-1:000000000000:events', dead_letter: d}}",
            "{a: {queue: any, table: things}, b: {queue: ours, table: things}, c: {queue: theirs, table: things}}",
        )
    )
    find = made.loaded.program.engine.queue_of

    assert [find(arn).name for arn in (ARN, ARN.replace(ACCOUNT, "0" * 12), ARN.replace(ACCOUNT, "1" * 12))] == [
        "ours",
        "theirs",
        "any",
    ]


def test_queues_are_those_that_routes_read(load_text: Any) -> None:
    """In the order of `queues`, then of the routes; one that is only a dead-letter queue is read by nobody."""
    made = load_text(
        config(
            "{dlq: {name: dev-dlq}, b: {dead_letter: dlq}, a: {name: dev-a.fifo, dead_letter: other}}",
            "{one: {queue: c, table: things}, two: {queue: a, table: things}, three: {queue: b, table: things}}",
        )
    )
    queues = made.loaded.program.engine.queues.values()

    assert [(queue.name, queue.reference, queue.dead_letter, queue.fifo) for queue in queues] == [
        ("b", "b", "dev-dlq", False),
        ("a", "dev-a.fifo", "other", True),
        ("c", "c", "", False),
    ]


@pytest.mark.parametrize(
    ("queues", "used", "found"),
    [
        ("{main: {name: events, dead_letter: d}}", ["main", "events"], ["'events' is the same queue as 'main'"]),
        ("{main: {name: events, dead_letter: d}}", ["events", "main"], ["'events' is the same queue as 'main'"]),
        (f"{{main: {{name: '{ARN}', dead_letter: d}}}}", ["main", ARN], [f"'{ARN}' is the same queue as 'main'"]),
        (f"{{main: {{name: '{ARN}', dead_letter: d}}}}", ["main", URL], [f"'{URL}' is the same queue as 'main'"]),
        (
            "{a: {name: x, dead_letter: d}, b: {name: x, dead_letter: d}, c: {name: x, dead_letter: d}}",
            ["a"],
            ["'b' is the same queue as 'a'", "'c' is the same queue as 'a'"],
        ),
        ("{a: {name: b, dead_letter: d}, b: {name: a, dead_letter: d}}", ["a", "b"], []),
        ("{main: {name: events, dead_letter: d}}", ["main", "main"], []),
    ],
)
def test_one_queue_under_two_names(load_text: Any, queues: str, used: list[str], found: list[str]) -> None:
    """Only one of the names would get its messages, so that there can be but one; a key comes before a name."""
    routes = ", ".join(f"r{index}: {{queue: '{name}', table: things}}" for index, name in enumerate(used))

    sentences = load_text(config(queues, f"{{{routes}}}")).sentences

    assert [each[6:].partition(";")[0] for each in sentences if each.startswith("RT207")] == found


@pytest.mark.parametrize(
    ("queue", "sentences"),
    [
        ({"dead_letter": "q"}, ["RT206 queue 'q' is its own dead-letter queue; name another queue"]),
        ({"name": ARN, "dead_letter": URL}, ["RT206 queue 'q' is its own dead-letter queue; name another queue"]),
        (
            {"name": "events", "dead_letter": "events"},
            ["RT206 queue 'q' is its own dead-letter queue; name another queue"],
        ),
        ({"name": ARN, "dead_letter": f"{ARN}-dlq"}, []),
        ({"envelope": ["sns", "eventbridge", "cloudevents"]}, []),
        ({"envelope": ["sms"]}, ["RT205 unknown envelope 'sms'; did you mean 'sns'?"]),
        (
            {"envelope": ["kafka"]},
            [f"RT205 unknown envelope 'kafka'; there are {', '.join(sorted(ENVELOPES))}"],
        ),
        ({"envelope": ["s3_pointer", "sns"], "s3_pointer": {"buckets": ["payloads"]}}, []),
        (
            {"envelope": ["s3_pointer", "sns", "s3_pointer"]},
            [
                OPEN_POINTERS,
                "RT209 'envelope' of queue 'q' names s3_pointer twice; keep one; no object is a pointer to another",
            ],
        ),
        (
            {"s3_pointer": {"buckets": ["payloads"]}},
            [UNUSED_POINTERS],
        ),
        (
            {"name": "a b"},
            [NO_NAME],
        ),
        (
            {"dead_letter": "a b"},
            [NO_NAME],
        ),
    ],
)
def test_faults(flow: Any, queue: Any, sentences: list[str]) -> None:
    """Of one queue."""
    assert flow(queue=queue).sentences == sentences


def test_letters_that_come_back(load_text: Any) -> None:
    """Dead-letter queues that lead back to a queue would send its messages round and round; told of each of these."""
    queues = "{a: {dead_letter: b}, b: {dead_letter: c}, c: {dead_letter: b}, d: {dead_letter: b}}"
    made = load_text(config(queues, "{r: {queue: a, table: things}}"))

    assert [line.split(" RT206 ")[1] for line in made.found if "RT206" in line] == [
        "the dead letters of queue 'b' come back to it, by way of 'c'; name another queue",
        "the dead letters of queue 'c' come back to it, by way of 'b'; name another queue",
    ]


def test_a_dead_letter_queue_by_its_key(load_text: Any) -> None:
    """A fault in its name is reported once, where the name stands."""
    made = load_text(config("{q: {dead_letter: dlq}, dlq: {name: 'd l q'}}", "{r: {queue: q, table: things}}"))

    assert [line.split(" is")[0] for line in made.found] == ["routes.yaml:2:45: error RT202 'd l q'"]


def test_places_of_names(load_text: Any) -> None:
    """At the name, or at the key that is the name, or at the route's own."""
    made = load_text(
        config(
            "{a.b: {dead_letter: d}, c: {name: c.d, dead_letter: d}}",
            "{r: {queue: a.b, table: things}, s: {queue: c, table: things}, t: {queue: e.f, table: things}}",
        )
    )

    assert [line.split(" is no")[0] for line in made.found if "RT202" in line] == [
        "routes.yaml:2:10: error RT202 'a.b'",
        "routes.yaml:2:43: error RT202 'c.d'",
        "routes.yaml:4:83: error RT202 'e.f'",
    ]


@pytest.mark.parametrize(
    ("match", "items"),
    [("all", [{"id": "1", "by": "one"}, {"id": "1", "by": "two"}]), ("first", [{"id": "1", "by": "one"}])],
)
def test_match(load_text: Any, match: str, items: Any) -> None:
    """All of the routes that hold, or the first of them, in the order of the file."""
    routes = [
        f"{name}: {{queue: q, table: things, when: {when}, item: {{id: id, by: {{value: {name}}}}}}}"
        for name, when in [("none", "nowhere"), ("one", "id"), ("two", "id")]
    ]
    made = load_text(config(f"{{q: {{match: {match}, dead_letter: d}}}}", f"{{{', '.join(routes)}}}"))

    assert made.send({"id": "1"}) == items


@pytest.mark.parametrize(("unmatched", "kind"), [("dead_letter", "rejected"), ("drop", "dropped"), ("retry", "retry")])
def test_unmatched(flow: Any, unmatched: str, kind: str) -> None:
    """What becomes of a message that no route takes."""
    assert flow({"when": "nowhere"}, queue={"unmatched": unmatched}).send({"id": "1"}) == (
        kind,
        "RT805",
        "no route takes the message",
        "",
    )


def test_the_finder_of_pointers(flow: Any) -> None:
    """It unwraps what is around the pointer, and no more."""
    queue = {
        "envelope": ["sns", "s3_pointer", "eventbridge"],
        "s3_pointer": {"buckets": ["a-1", "b.2"], "max_bytes": 9},
    }

    engine = flow(queue=queue).loaded.program.engine

    assert engine.queues["q"].pointers == PointerFinder((sns,), frozenset({"a-1", "b.2"}), 9)


def test_without_the_envelope_nothing_is_sought(flow: Any) -> None:
    """So that other queues pay nothing."""
    assert flow(queue={"envelope": ["sns"]}).loaded.program.engine.queues["q"].pointers is None


@pytest.mark.parametrize(
    ("queue", "backoff"),
    [
        ({}, OutageBackoff(43_200, 5)),
        ({"outlast": "3d", "max_receive_count": 7}, OutageBackoff(259_200, 7)),
        ({"outlast": "9w"}, OutageBackoff(1_209_600, 5)),
    ],
)
def test_outlast(flow: Any, queue: Any, backoff: OutageBackoff) -> None:
    """Without `max_receive_count` five receives are assumed; no message is older than 14 days."""
    program = flow({}, queue={"dead_letter": "q-dlq", **queue}).loaded.program

    assert program.engine.queues["q"].outage == backoff
