"""The provisioned capacity of a table.

Quotas:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
Scaling:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from router.runtime.config_types import Spec

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
