"""The specification of the `tests:` of a route."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, field

from router.model import OutcomeKind
from router.runtime.config_types import Spec, Timestamp


class ReceivedMessage(Spec, frozen=True):
    """One of the messages of a test, with its outcome; received once the one before is written."""

    name: Annotated[str, Meta(description="What it verifies.")] = ""
    message: Annotated[
        Any,
        Meta(description="The message; the queue's encoding and envelopes are applied to it."),
    ] = UNSET
    body: Annotated[
        str | None,
        Meta(description="The body of the SQS message, instead of `message`."),
    ] = None
    record: Annotated[
        dict[str, Any] | None,
        Meta(
            description="A whole record of ReceiveMessage or of a Lambda event, "
            "instead of `message`."
        ),
    ] = None
    file: Annotated[
        str | None,
        Meta(
            description="A file, relative to the config, that holds the message as "
            "JSON, instead of `message`.",
            examples=["messages/first.json"],
        ),
    ] = None
    attributes: Annotated[dict[str, str], Meta(description="Message attributes, as strings.")] = (
        field(default_factory=dict)
    )
    sent_at: Annotated[
        Timestamp | None,
        Meta(
            description="When it was sent. Default: `2026-01-02T03:04:05.678Z`.",
            examples=["2026-01-02T03:04:06Z"],
        ),
    ] = None
    group: Annotated[
        str | None,
        Meta(description="Its message group. Default: `group-1`."),
    ] = None
    id: Annotated[
        str | None,
        Meta(
            description="Its message id; messages with the same one are deliveries of "
            "one message. Default: an id of "
            "its own.",
            examples=["m-1"],
        ),
    ] = None
    outcome: Annotated[OutcomeKind, Meta(description="The outcome of the message.")] = "written"
    reason: Annotated[
        str | None,
        Meta(description="The exact reason, if the message is not written."),
    ] = None
    code: Annotated[
        str | None,
        Meta(
            description="The code of the reason, if the message is not written.",
            examples=["RT806"],
        ),
    ] = None


class StoredItems(Spec, frozen=True):
    """What the route's table holds at the end of a test."""

    items: Annotated[
        tuple[dict[str, Any], ...] | None,
        Meta(description="All items of the table, in any order, with all their attributes."),
    ] = None
    contains: Annotated[
        tuple[dict[str, Any], ...],
        Meta(description="Items of the table: the key and some attributes of each."),
    ] = ()
    absent: Annotated[
        tuple[dict[str, Any], ...],
        Meta(
            description="Keys of which the table holds no item.",
            examples=[[{"id": "a"}]],
        ),
    ] = ()


class Test(ReceivedMessage, frozen=True):
    """One or more messages and what is expected of them, for `router test` and `router demo`."""

    given: Annotated[
        dict[str, tuple[dict[str, Any], ...]],
        Meta(
            description="The items that tables hold before, by table, a key of `tables`.",
            examples=[{"users": [{"user_id": "u-1", "version": 7}]}],
        ),
    ] = field(default_factory=dict)
    messages: Annotated[
        tuple[ReceivedMessage, ...],
        Meta(
            description="Instead of `message`: several messages, in the order in which "
            "they are received."
        ),
    ] = ()
    env: Annotated[
        dict[str, str],
        Meta(
            description="Environment variables of this test; they override those that are set.",
            examples=[{"STAGE": "prod"}],
        ),
    ] = field(default_factory=dict)
    item: Annotated[
        dict[str, Any] | None,
        Meta(description="The one item that is written, with all its attributes."),
    ] = None
    item_contains: Annotated[
        dict[str, Any] | None,
        Meta(description="Attributes of the one item that is written."),
    ] = None
    items: Annotated[
        tuple[dict[str, Any], ...] | None,
        Meta(description="All items that this route writes, in order, with all their attributes."),
    ] = None
    write: Annotated[
        dict[str, Any] | None,
        Meta(
            description="The one request of this route to DynamoDB, as `router explain` prints it.",
            examples=[{"PutItem": {"TableName": "things", "Item": {"id": {"S": "a"}}}}],
        ),
    ] = None
    table: Annotated[
        tuple[dict[str, Any], ...] | StoredItems | None,
        Meta(
            description="What the route's table holds afterwards: a list of all its "
            "items, or a map.",
            examples=[
                [{"user_id": "u-1", "version": 8}],
                {"absent": [{"user_id": "u-2"}]},
            ],
        ),
    ] = None

    @property
    def received(self) -> tuple[ReceivedMessage, ...]:
        """Its messages; itself, if it is about one."""
        return self.messages or (self,)
