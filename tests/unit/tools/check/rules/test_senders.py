"""Senders of queues: what cannot send, who has to, and what a key has to allow."""

import pytest

from tests.unit.tools.check.conftest import Find

CODES = ("RT227", "RT247", "RT248", "RT249")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    "queue",
    [
        "envelope: [sns], managed: false",
        "envelope: [cloudevents]",
        "envelope: [sns], senders: ['123456789012']",
        "envelope: [eventbridge], senders: ['arn:aws:iam::123456789012:role/pipe']",
        f"envelope: [sns, eventbridge], senders: ['{TOPIC}']",
        f"kms_key: '{KEY}', senders: ['123456789012']",
    ],
)
def test_nothing_is_missing(find: Find, queue: str) -> None:
    """Of a queue that others make, of another envelope, and where others may pass messages on."""
    assert find("item: {id: id}", queue=f"dead_letter: dlq, {queue}") == []


def test_a_queue_that_others_make(find: Find) -> None:
    """Its policy is not the stack's."""
    found = find("item: {id: id}", queue=f"dead_letter: dlq, managed: false, kms_key: '{KEY}', senders: ['{TOPIC}']")

    assert found == ["RT227 'senders' has no effect: queue 'q' is not created by the stack; remove it"]


def test_a_variable_without_a_value(find: Find) -> None:
    """It may stand for whatever has to send."""
    found = find("item: {id: id}", queue="dead_letter: dlq, envelope: [sns], senders: ['${TOPIC}']")

    assert [each for each in found if not each.startswith("RT005")] == []


def test_several_services(find: Find) -> None:
    """The policy of the key has to name each once."""
    senders = f"['{TOPIC}', '{TOPIC}2', 'arn:aws:s3:::uploads']"

    (found,) = find("item: {id: id}", queue=f"dead_letter: dlq, kms_key: '{KEY}', senders: {senders}")

    assert "must allow sns.amazonaws.com and s3.amazonaws.com kms:GenerateDataKey" in found
