"""What queues and tables are called in AWS."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.runtime.aws.references import is_fifo, match_key, queue_fault, queue_name, table_fault, table_name

QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:events"
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/things"
NO_QUEUE = "is not a valid queue name: 1 to 80 letters, digits, '-' and '_', with '.fifo' at the end of a FIFO queue's"
NO_QUEUE_ARN = "is no ARN of a queue: arn:aws:sqs:REGION:ACCOUNT:NAME"
NO_QUEUE_URL = "is no URL of a queue: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
NO_TABLE = "is not a valid table name: 3 to 255 letters, digits, '-', '_' and '.'"
NO_TABLE_ARN = "is no ARN of a table: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME"


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("events", "events"),
        ("events.fifo", "events.fifo"),
        (QUEUE_ARN, "eu-west-1:123456789012:events"),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:events", "cn-north-1:123456789012:events"),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/events", "eu-west-1:123456789012:events"),
        ("https://sqs-fips.us-east-1.amazonaws.com/123456789012/events", "us-east-1:123456789012:events"),
        ("https://sqs.eu-west-1.api.aws/123456789012/events", "eu-west-1:123456789012:events"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/events", "cn-north-1:123456789012:events"),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/events", "eu-west-1:123456789012:events"),
        ("https://queue.amazonaws.com/123456789012/events", "123456789012:events"),
        ("https://sqs.eusc-de-east-1.amazonaws.eu/123456789012/events", "eusc-de-east-1:123456789012:events"),
        ("http://localhost:4566/000000000000/events", "000000000000:events"),
        ("http://127.0.0.1:4566/000000000000/events", "000000000000:events"),
        ("http://[broken/000000000000/events", "http://[broken/000000000000/events"),
    ],
)
def test_match_key(reference: str, key: str) -> None:
    """As much of region, account and name as the reference has."""
    assert match_key(reference) == key


@pytest.mark.parametrize("reference", ["events", QUEUE_ARN, "https://sqs.eu-west-1.amazonaws.com/123456789012/events"])
def test_queue_name(reference: str) -> None:
    """The name in a name, ARN or URL."""
    assert queue_name(reference) == "events"


@pytest.mark.parametrize("reference", ["things", TABLE_ARN])
def test_table_name(reference: str) -> None:
    """The name in a name or ARN."""
    assert table_name(reference) == "things"


@pytest.mark.parametrize(("reference", "fifo"), [("a.fifo", True), (f"{QUEUE_ARN}.fifo", True), ("fifo", False)])
def test_is_fifo(reference: str, fifo: bool) -> None:
    """By the name."""
    assert is_fifo(reference) is fifo


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("e", None),
        ("E-1_e", None),
        ("e" * 80, None),
        ("e" * 75 + ".fifo", None),
        (QUEUE_ARN, None),
        ("arn:aws-us-gov:sqs:us-gov-west-1:123456789012:events.fifo", None),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/events", None),
        ("http://127.0.0.1:4566/000000000000/events.fifo", None),
        ("", NO_QUEUE),
        ("e" * 81, NO_QUEUE),
        ("e" * 76 + ".fifo", NO_QUEUE),
        ("a.b", NO_QUEUE),
        (".fifo", NO_QUEUE),
        ("a.fifo.fifo", NO_QUEUE),
        ("ä", NO_QUEUE),
        ("a b", NO_QUEUE),
        ("a\n", NO_QUEUE),
        ("arn:aws:sqs:eu-west-1:123456789012:a.b", NO_QUEUE),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/a.b", NO_QUEUE),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/", NO_QUEUE),
        ("arn:aws:sns:eu-west-1:123456789012:events", NO_QUEUE_ARN),
        ("arn:aws:sqs:eu-west-1:1234:events", NO_QUEUE_ARN),
        ("arn:aws:sqs:eu-west-1:123456789012", NO_QUEUE_ARN),
        ("https://sqs.eu-west-1.amazonaws.com/events", NO_QUEUE_URL),
        ("https://sqs.eu-west-1.amazonaws.com/1/2/events", NO_QUEUE_URL),
        ("ftp://sqs.eu-west-1.amazonaws.com/123456789012/events", NO_QUEUE_URL),
        ("http://[broken/000000000000/events", NO_QUEUE_URL),
    ],
)
def test_queue_fault(reference: str, fault: str | None) -> None:
    """Names follow AWS's rules, alone and in ARNs and URLs."""
    assert queue_fault(reference) == fault


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("abc", None),
        ("a.b-c_9", None),
        ("t" * 255, None),
        (TABLE_ARN, None),
        ("ab", NO_TABLE),
        ("t" * 256, NO_TABLE),
        ("täble", NO_TABLE),
        ("a/b/c", NO_TABLE),
        ("abc\n", NO_TABLE),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/ab", NO_TABLE),
        (f"{TABLE_ARN}/index/by-user", NO_TABLE_ARN),
        ("arn:aws:dynamodb:eu-west-1:123456789012:things", NO_TABLE_ARN),
        ("arn:aws:sqs:eu-west-1:123456789012:table/things", NO_TABLE_ARN),
        ("arn:aws:dynamodb", NO_TABLE_ARN),
    ],
)
def test_table_fault(reference: str, fault: str | None) -> None:
    """Names follow AWS's rules, alone and in ARNs."""
    assert table_fault(reference) == fault


@settings(deadline=None)
@given(
    st.text()
    | st.text(":/.[]@?#%arnsqhtp0a", max_size=30).map("arn:{}".format)
    | st.text("[]:/@?#%a0").map("http://{}".format)
)
def test_any_text_gets_an_answer(reference: str) -> None:
    """No text makes these functions raise."""
    assert [type(answer(reference)) for answer in (match_key, queue_name, table_name)] == [str] * 3
    assert {type(fault(reference)) for fault in (queue_fault, table_fault)} <= {str, type(None)}
