"""Tests of router.tools.check.live.queues, where no server can be brought to it."""

from typing import Any

import pytest
from msgspec import structs

from router.tools.check.live.deployed import duration
from router.tools.check.live.queues import check_queues
from router.tools.check.rule import Found
from tests.support.aws import DeployedQueue, Unanswered

CONFIG = """\
queues:
  a: {name: NAME, dead_letter: DLQ}
tables:
  items: {key: {id: S}}
routes:
  a: {queue: a, table: items}
"""
ARN = "arn:aws:sqs:eu-west-1:123456789012:a"
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/a-dlq"
QUEUE = DeployedQueue(ARN, False, 30, 3600, 1024, f"{ARN}-dlq", 5)
GONE = Unanswered("sqs:GetQueueUrl", "a", "QueueDoesNotExist")


def named(name: str = "a", dead_letter: str = "a-dlq") -> str:
    return CONFIG.replace("NAME", name).replace("DLQ", dead_letter)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(345_600, "4 days"), (86_400, "24 hours"), (7_200, "2 hours"), (3_600, "60 minutes"), (90, "90 s"), (60, "60 s")],
)
def test_duration(seconds: int, text: str) -> None:
    """In the largest unit that fits, and in the plural."""
    assert duration(seconds) == text


@pytest.mark.parametrize("reference", ["a-dlq", f"{ARN}-dlq", URL])
def test_one_dead_letter_queue(deploy: Any, output: Any, reference: str) -> None:
    """The config and the redrive policy name the same queue, however each names it."""
    assert output(check_queues, deploy(named(dead_letter=reference), queues={"a": QUEUE})) == []


def test_two_dead_letter_queues(deploy: Any, output: Any) -> None:
    """A queue of that name in another account is another one."""
    other = f"{ARN}-dlq".replace("123456789012", "999999999999")

    ((code, sentence),) = output(check_queues, deploy(named(dead_letter=other), queues={"a": QUEUE}))

    moved = "'a-dlq' where SQS moves those of queue 'a' that failed 5 times"
    assert (code, sentence) == ("RT727", f"'a-dlq' is where the router sends rejected messages, {moved}")


def test_messages_of_deletes(deploy: Any, output: Any) -> None:
    """A message makes no item where its key is deleted, however large it is."""
    config = named().replace("table: items}", "table: items, write: {mode: delete}}")

    assert output(check_queues, deploy(config, queues={"a": structs.replace(QUEUE, max_bytes=1_048_576)})) == []


@pytest.mark.parametrize(
    ("fifo", "retention", "found"),
    [
        (False, 3601, []),
        (
            False,
            3600,
            [("RT726", "the retention of dead-letter queue 'a-dlq' is 60 minutes, that of queue 'a' is 60 minutes")],
        ),
        (True, 3600, []),
        (
            True,
            3599,
            [("RT726", "the retention of dead-letter queue 'a-dlq' is 3599 s, that of queue 'a' is 60 minutes")],
        ),
    ],
)
def test_retention(deploy: Any, output: Any, fifo: bool, retention: int, found: list[tuple[str, str]]) -> None:
    """Longer than on a standard queue, and as long as on a FIFO queue."""
    source = structs.replace(QUEUE, fifo=fifo)
    target = DeployedQueue(f"{ARN}-dlq", fifo, 30, retention, 1024)

    assert output(check_queues, deploy(named(), queues={"a": source, f"{ARN}-dlq": target})) == found


@pytest.mark.parametrize(
    ("retention", "advice"),
    [
        (1_209_599, "make the retention of the dead-letter queue longer"),
        (1_209_600, "make the retention of the queue shorter than 14 days, the target's longer"),
    ],
)
def test_longest_retention(deploy: Any, retention: int, advice: str) -> None:
    """No queue keeps messages longer than 14 days, so that the advice is another one."""
    source = structs.replace(QUEUE, retention=retention)
    target = DeployedQueue(f"{ARN}-dlq", False, 30, 3600, 1024)

    found = list(check_queues(deploy(named(), queues={"a": source, f"{ARN}-dlq": target})))

    assert [each.suggestion for each in found if isinstance(each, Found)] == [advice]


def test_dead_letter_queue_of_another_kind(deploy: Any, output: Any) -> None:
    """A standard queue's letters have no group, which a FIFO queue demands."""
    letters = DeployedQueue(f"{ARN}-dlq.fifo", True, 30, 3600, 1024)

    assert output(check_queues, deploy(named(dead_letter="a-dlq.fifo"), queues={"a-dlq.fifo": letters})) == [
        ("RT725", "dead-letter queue 'a-dlq.fifo' is FIFO, its queue is standard")
    ]


def test_no_dead_letter_queue(deploy: Any, output: Any) -> None:
    """The dead-letter queue of the config is not there."""
    assert output(check_queues, deploy(named(), queues={"a-dlq": GONE})) == [
        ("RT721", "there is no queue 'a-dlq' in this region")
    ]


def test_nothing_known(deploy: Any, output: Any) -> None:
    """What was not seen is not judged."""
    denied = structs.replace(GONE, code="AccessDenied")
    seen = {"a": denied, "a-dlq": denied}

    found = [output(rule, deploy(named(), queues=seen)) for rule in (check_queues, check_queues)]

    assert found == [[], []]


def test_unseen_target(deploy: Any, output: Any) -> None:
    """A redrive policy to a queue that may not be looked at."""
    seen = {"a": QUEUE, f"{ARN}-dlq": structs.replace(GONE, code="AccessDenied")}

    assert output(check_queues, deploy(named(), queues=seen)) == []


KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER = KEY.replace("1234abcd", "2234abcd")


@pytest.mark.parametrize(
    ("settings", "key", "found"),
    [
        ("", "", False),
        (f"kms_key: '{KEY}'", KEY, False),
        (f"kms_key: '{KEY}'", KEY.rpartition("/")[2], False),
        (f"kms_key: '{OTHER}', kms_key_previous: '{KEY}'", KEY, False),
        (f"kms_key: '{OTHER}'", "alias/aws/sqs", False),
        (f"kms_key: '{OTHER}'", "arn:aws:kms:eu-west-1:123456789012:alias/orders", False),
        (f"kms_key: '{OTHER}'", KEY, True),
        ("", KEY, True),
    ],
)
def test_kms_key(deploy: Any, output: Any, settings: str, key: str, found: bool) -> None:
    """Messages are encrypted with the key of the queue, which must be one of the config."""
    config = named().replace("dead_letter: a-dlq", f"dead_letter: a-dlq, {settings}")
    sentence = f"queue 'a' is encrypted with the KMS key {key}, which neither 'kms_key' nor 'kms_key_previous' names"

    reported = output(check_queues, deploy(config, queues={"a": structs.replace(QUEUE, kms_key=key)}))

    assert reported == ([("RT734", sentence)] if found else [])
