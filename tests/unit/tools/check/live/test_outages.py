"""Tests of router.tools.check.live.queues: how long an outage a deployed queue survives."""

from typing import Any

import pytest

from router.tools.check.live.queues import OutageSurvival, check_expiry, check_survival, survivals
from router.tools.check.rules.queues import rough_duration
from tests.support.aws import DeployedQueue, Unanswered

CONFIG = """\
queues:
  a: {dead_letter: a-dlq, outlast: OUTLAST}
tables:
  items: {key: {id: S}}
routes:
  a: {queue: a, table: items}
"""
ARN = "arn:aws:sqs:eu-west-1:123456789012:a"
HOUR, DAY = 3600, 86_400


def deployed(receives: int, retention: int, visibility: int = 30) -> DeployedQueue:
    """A queue; without receives it has no redrive policy."""
    return DeployedQueue(ARN, False, visibility, retention, 1024, f"{ARN}-dlq" if receives else "", receives)


@pytest.mark.parametrize(
    ("receives", "retention", "outlast", "survives", "crashes", "sentence"),
    [
        (5, 4 * DAY, "12h", 12 * HOUR, 120, ""),
        (10, 4 * DAY, "12h", 12 * HOUR, 270, ""),
        (0, 4 * DAY, "12h", 4 * DAY, 4 * DAY, ""),
        (
            3,
            4 * DAY,
            "12h",
            42_330,
            60,
            "3 receives of queue 'a' are used up after 11 h 45 min of an outage, and it is to survive 12 h",
        ),
        (
            1,
            4 * DAY,
            "10m",
            0,
            0,
            "1 receive of 'a' is used up after 0 s of an outage, and it is to survive 10 min",
        ),
        (5, HOUR, "12h", HOUR, 120, "queue 'a' keeps a message for 1 h, and it is to survive 12 h"),
        (5, 12 * HOUR, "12h", 12 * HOUR, 120, "queue 'a' keeps a message for 12 h, and it is to survive 12 h"),
    ],
)
def test_survival(
    deploy: Any, output: Any, receives: int, retention: int, outlast: str, survives: int, crashes: int, sentence: str
) -> None:
    """The router spreads the receives over the outage; a crash uses up one with each visibility timeout."""
    deployment = deploy(CONFIG.replace("OUTLAST", outlast), queues={"a": deployed(receives, retention)})

    (found,) = survivals(deployment)

    assert (found.survives, found.survives_crashes) == (survives, crashes)
    assert output(check_survival, deployment) == ([("RT733", sentence)] if sentence else [])


def test_an_unknown_queue(deploy: Any, output: Any) -> None:
    """Nothing is said about a queue that could not be read."""
    denied = Unanswered("sqs:GetQueueAttributes", "a", "AccessDenied")
    deployment = deploy(CONFIG.replace("OUTLAST", "1d"), queues={"a": denied})

    assert [survivals(deployment), *(output(rule, deployment) for rule in (check_expiry, check_survival))] == [[]] * 3


@pytest.mark.parametrize(
    ("retention", "sentences"),
    [
        (151, []),
        (150, ["queue 'a' keeps a message for 150 s, and 5 receives with a visibility timeout of 30 s take 150 s"]),
    ],
)
def test_expiry(deploy: Any, output: Any, retention: int, sentences: list[str]) -> None:
    """A message lives longer than its receives take."""
    deployment = deploy(CONFIG.replace("OUTLAST", "1m"), queues={"a": deployed(5, retention)})

    assert output(check_expiry, deployment) == [("RT730", sentence) for sentence in sentences]


def test_the_result_of_a_queue(deploy: Any) -> None:
    """Each queue that is read has its own result."""
    deployment = deploy(CONFIG.replace("OUTLAST", "1d"), queues={"a": deployed(5, 4 * DAY)})

    assert survivals(deployment) == [OutageSurvival("a", DAY, 30 + 1770 + 2 * 42_300, 120)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (150, "2 min 30 s"),
        (42_330, "11 h 45 min"),
        (86_400, "24 h"),
        (4 * DAY, "4 days"),
        (200_000, "2 days 7 h"),
    ],
)
def test_rough_duration(seconds: int, text: str) -> None:
    """In the largest unit and the next smaller one, rounded down."""
    assert rough_duration(seconds) == text
