"""Tables, their indexes and capacity.

Capacity of a table, and how it is scaled:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
Keys of indexes:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from router.model import KeyType
from router.runtime.config.spec_resources import (
    Description,
    KmsKey,
    OwnerName,
    PreviousKmsKey,
    Tags,
)
from router.runtime.config_types import AttributeName, IndexName, Spec

Units = Annotated[int, Meta(ge=1, le=10_000_000)]


class CapacityRange(Spec, frozen=True, kw_only=True):
    """The units per second of a table that are provisioned for reads or writes."""

    min: Annotated[
        Units,
        Meta(
            description="The least units, with which the table is created.",
            examples=[10],
        ),
    ]
    max: Annotated[
        Units | None,
        Meta(
            description="The most units: Application Auto Scaling follows what is "
            "consumed up to there. Default: as "
            "`min`, so that the units stay as they are."
        ),
    ] = None
    target: Annotated[
        int,
        Meta(
            ge=20,
            le=90,
            description="The percentage of the units that is to be consumed, if they are scaled.",
        ),
    ] = 70

    @property
    def most(self) -> int:
        """The most units."""
        return self.min if self.max is None else self.max


class Capacity(Spec, frozen=True, kw_only=True):
    """Provisioned capacity of a table: write units are for 1 KB each, read units for 4 KB."""

    write: Annotated[
        CapacityRange,
        Meta(
            description="Write capacity units.",
            examples=[{"min": 10, "max": 500}],
        ),
    ]
    read: Annotated[
        CapacityRange,
        Meta(
            description="Read capacity units, for those who read the table: the router "
            "reads no items."
        ),
    ]


class TableIndex(Spec, frozen=True, kw_only=True):
    """A global secondary index: items that have all attributes of its key can be queried by it."""

    key: Annotated[
        dict[AttributeName, KeyType],
        Meta(
            min_length=1,
            max_length=8,
            description="The key attributes and their types: those of the partition "
            "key, then those of the sort key if there is one. Both have up to four.",
            examples=[{"region": "S", "status": "S", "placed_at": "S"}],
        ),
    ]
    partition: Annotated[
        int,
        Meta(
            ge=1,
            le=4,
            description="How many of the key attributes are the partition key; the "
            "others are the sort key.",
        ),
    ] = 1
    projection: Annotated[
        Literal["all", "keys"] | tuple[AttributeName, ...],
        Meta(
            description="The attributes that the index has: `all`, or the `keys` of "
            "table and index, or these and a list of others.",
            examples=[["total", "currency"]],
        ),
    ] = "all"

    @property
    def partition_key(self) -> tuple[tuple[str, KeyType], ...]:
        """The attributes of the partition key."""
        return tuple(self.key.items())[: self.partition]

    @property
    def sort_key(self) -> tuple[tuple[str, KeyType], ...]:
        """The attributes of the sort key."""
        return tuple(self.key.items())[self.partition :]


class TableSettings(Spec, frozen=True, kw_only=True):
    """A DynamoDB table."""

    name: Annotated[
        str,
        Meta(
            description="Its name or ARN, in the router's region. Default: the key.",
            examples=["${STAGE:-dev}-user-metadata"],
        ),
    ] = ""
    key: Annotated[
        dict[AttributeName, KeyType],
        Meta(
            min_length=1,
            max_length=2,
            description="The key attributes and their types: the partition key, then "
            "the sort key if there is one.",
            examples=[{"user_id": "S", "at": "N"}],
        ),
    ]
    indexes: Annotated[
        dict[IndexName, TableIndex],
        Meta(
            description="Global secondary indexes by name. An item without a key "
            "attribute of an index is not in it; a value of another type, or an empty "
            "one, makes DynamoDB refuse the item.",
            examples=[{"by_status": {"key": {"status": "S", "placed_at": "S"}}}],
        ),
    ] = field(default_factory=dict)
    ttl: Annotated[
        str,
        Meta(
            description="The attribute that DynamoDB's time to live reads.",
            examples=["expires_at"],
        ),
    ] = ""
    write_units: Annotated[
        Annotated[int, Meta(ge=1, le=10_000_000)] | None,
        Meta(
            description="The write capacity units per second that the router uses of "
            "it at most. DynamoDB says what "
            "each write consumes; while the table throttles, the rate is lowered. "
            "Default: no bound."
        ),
    ] = None
    share: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="The number of processes that share `write_units`: workers, "
            "times their `--processes`, "
            "or concurrent invocations of the function.",
        ),
    ] = 1
    capacity: Annotated[
        Capacity | None,
        Meta(
            description="Provisioned capacity of a table that `router template` "
            "creates. Default: on demand."
        ),
    ] = None
    managed: Annotated[
        bool,
        Meta(
            description="Whether `router template` creates it, or only refers to it. A "
            "table named by ARN is never "
            "created."
        ),
    ] = True
    kms_key: KmsKey = ""
    kms_key_previous: PreviousKmsKey = ""
    owner: OwnerName = ""
    description: Description = ""
    tags: Tags = field(default_factory=dict)
