"""Tests of routes in the config."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from router.config.spec_names import Spec


class Test(Spec, frozen=True):
    """A message and what becomes of it, run by `router test` and sent by `router demo`."""

    name: Annotated[str, Meta(description="What the test shows.")] = ""
    message: Annotated[Any, Meta(description="The message; envelopes and encoding of the queue are put around it.")] = (
        UNSET
    )
    body: Annotated[str | UnsetType, Meta(description="The body as SQS has it, instead of `message`.")] = UNSET
    record: Annotated[
        dict[str, Any] | UnsetType,
        Meta(description="A whole record, as ReceiveMessage or a Lambda event has it, instead of `message`."),
    ] = UNSET
    file: Annotated[
        str | UnsetType,
        Meta(
            description="A file, relative to the config, that holds the message as JSON, instead of `message`.",
            examples=["messages/first.json"],
        ),
    ] = UNSET
    attributes: Annotated[dict[str, str], Meta(description="Message attributes, as strings.")] = field(
        default_factory=dict
    )
    env: Annotated[
        dict[str, str],
        Meta(
            description="Variables of the environment for this test, before those that are set.",
            examples=[{"STAGE": "prod"}],
        ),
    ] = field(default_factory=dict)
    item: Annotated[dict[str, Any] | UnsetType, Meta(description="The one item that is written, whole.")] = UNSET
    item_contains: Annotated[
        dict[str, Any] | UnsetType, Meta(description="Attributes of the one item that is written.")
    ] = UNSET
    items: Annotated[
        tuple[dict[str, Any], ...] | UnsetType,
        Meta(description="All items that this route writes, in order, each whole."),
    ] = UNSET
    outcome: Annotated[
        Literal["written", "dropped", "rejected", "retry"], Meta(description="How the message ends.")
    ] = "written"
    reason: Annotated[str | UnsetType, Meta(description="The reason, word for word, where it is not written.")] = UNSET
    code: Annotated[
        str | UnsetType, Meta(description="The code of the reason, where it is not written.", examples=["RT806"])
    ] = UNSET
    write: Annotated[
        dict[str, Any] | UnsetType,
        Meta(
            description="The one request of this route to DynamoDB, as `router explain` shows it.",
            examples=[{"PutItem": {"TableName": "things", "Item": {"id": {"S": "a"}}}}],
        ),
    ] = UNSET
