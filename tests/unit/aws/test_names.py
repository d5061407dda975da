"""Tests of router.aws.names."""

import pytest

from router.aws.names import is_url, queue_name, table_name


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("orders", ("orders", "")),
        ("orders.fifo", ("orders.fifo", "")),
        ("arn:aws:sqs:eu-west-1:123456789012:orders.fifo", ("orders.fifo", "123456789012")),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:orders", ("orders", "123456789012")),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", ("orders", "123456789012")),
        ("http://127.0.0.1:4000/000000000000/orders/", ("orders", "000000000000")),
    ],
)
def test_queue_name(reference: str, name: tuple[str, str]) -> None:
    """The name and the account are read from every way to call a queue."""
    assert queue_name(reference) == name


@pytest.mark.parametrize(
    ("reference", "name"),
    [("orders", "orders"), ("arn:aws:dynamodb:eu-west-1:123456789012:table/orders", "orders")],
)
def test_table_name(reference: str, name: str) -> None:
    """The name is read from every way to call a table."""
    assert table_name(reference) == name


@pytest.mark.parametrize(
    ("reference", "url"), [("https://host/1/q", True), ("http://host/1/q", True), ("https", False)]
)
def test_is_url(reference: str, url: bool) -> None:
    """A URL begins like one."""
    assert is_url(reference) is url
