"""A handler on fastsqs, for the small messages: its routing, a pydantic model, and `put_item` for each record."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import boto3
from fastsqs import Context, FastSQS, SQSEvent
from peers.reference import to_iso
from pydantic import Field

TABLE = boto3.resource("dynamodb").Table("small")
Text = Annotated[str, Field(min_length=1, max_length=200)]
app = FastSQS(discriminator="action")


class Play(SQSEvent):
    """The small message, with the constraints of its schema."""

    user_id: Text
    device: Text
    location: Annotated[str, Field(max_length=200)]
    action: Literal["play", "pause", "stop"]
    position: Annotated[int, Field(ge=0)]
    rate: Annotated[Decimal, Field(ge=0, le=4)]
    session: Annotated[str, Field(pattern=r"^[0-9a-f-]+$")]


@app.route(Play)
def write(msg: Play, ctx: Context) -> None:
    """Write one record."""
    TABLE.put_item(Item={**msg.model_dump(), "sent_at": to_iso(ctx.record["attributes"]["SentTimestamp"])})


def handler(event: dict[str, Any], context: Any) -> Any:
    """Write each record."""
    return app.handler(event, context)
