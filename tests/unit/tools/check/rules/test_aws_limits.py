"""Tests of router.tools.check.rules.aws_limits, beyond the examples of their codes."""

from typing import Any

import pytest

CODES = (
    "RT225",
    "RT226",
    "RT227",
    "RT228",
    "RT229",
    "RT230",
    "RT231",
    "RT232",
)

FLOWS = "tables: {things: {key: {id: S}}}\nroutes: {events: {queue: events, table: things}}\n"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SHORT = "RT229 the retention of the dead-letter queue of queue 'events' is not longer than the source queue's"
LONGER = "raise it on the dead-letter queue: the maximum is 14d"


@pytest.mark.parametrize(
    ("events", "letters", "found"),
    [
        ("dead_letter: letters, retention: 13d", "", []),
        ("dead_letter: letters, retention: 14d", "", [f"{SHORT}; {LONGER}"]),
        ("dead_letter: letters, retention: 2d", "letters: {retention: 2d}", [f"{SHORT}; {LONGER}"]),
        ("dead_letter: letters, retention: 2d", "letters: {retention: 3d}", []),
        ("dead_letter: letters, retention: 14d", "letters: {managed: false}", []),
        ("dead_letter: 'arn:aws:sqs:eu-west-1:123456789012:letters', retention: 14d", "", []),
        ("dead_letter: letters, managed: false", "letters: {retention: 1d}", []),
        ("name: e.fifo, dead_letter: l.fifo, retention: 14d", "", []),
        (
            "name: e.fifo, dead_letter: l, retention: 14d",
            "l: {name: l.fifo, retention: 13d}",
            [f"{SHORT.replace('not longer', 'shorter')}; {LONGER}"],
        ),
    ],
)
def test_what_dead_letter_queues_keep(find_all: Any, events: Any, letters: Any, found: Any) -> None:
    """They keep messages longer than their queues, where both are made; FIFO queues count anew."""
    assert find_all(f"queues:\n  events: {{{events}}}\n  {letters}\n{FLOWS}") == found


def test_a_queue_without_an_entry_keeps_what_sqs_keeps(find_all: Any) -> None:
    """Four days, and its dead-letter queue fourteen."""
    assert find_all(FLOWS) == []


@pytest.mark.parametrize(
    "key", [KEY, KEY.replace("aws", "aws-cn", 1), KEY[:-36] + "mrk-1234abcd12ab34cd56ef1234567890ab"]
)
def test_keys_of_kms(find_all: Any, key: Any) -> None:
    """Keys of any partition and of several regions have ARNs like any other."""
    assert find_all(f"queues: {{events: {{dead_letter: letters, kms_key: '{key}'}}}}\n{FLOWS}") == []


def test_a_key_that_is_not_known_yet(find_all: Any) -> None:
    """What stands for a variable that is not set is no key, and not reported as one."""
    found = find_all(f"queues: {{events: {{dead_letter: letters, kms_key: '${{KMS_KEY}}'}}}}\n{FLOWS}")

    assert [each[:5] for each in found] == ["RT005"]


@pytest.mark.parametrize("days", ["1d", "2w", "365d"])
def test_log_retention(find_all: Any, days: Any) -> None:
    """Any unit will do that comes to a number of days which CloudWatch takes."""
    settings = f"function: {{log_retention: {days}}}\nworker: {{log_retention: {days}}}\n"

    assert find_all(f"{settings}queues: {{events: {{dead_letter: letters}}}}\n{FLOWS}") == []


@pytest.mark.parametrize(
    ("lambda_", "name"),
    [
        ("batch_size: 10", "e.fifo"),
        ("window: 0s", "e.fifo"),
        ("batch_size: 10, window: 0s", "e"),
        ("batch_size: 11", "e"),
    ],
)
def test_batches_that_lambda_takes(find_all: Any, lambda_: Any, name: Any) -> None:
    """At the limits of each kind of queue."""
    letters = "l.fifo" if name == "e.fifo" else "l"

    found = find_all(f"queues: {{events: {{name: {name}, dead_letter: {letters}, lambda: {{{lambda_}}}}}}}\n{FLOWS}")

    assert found == []
