"""What CloudFormation says of the change of a resource; needs no boto3, so that `router diff` does not."""

from collections.abc import Mapping

from msgspec import Struct

Tags = Mapping[str, str]
"""The values of tags by their names."""


def is_aws_tag(name: str) -> bool:
    """Return whether a tag is one of AWS, such as of CloudFormation or Service Catalog: nobody else can give it."""
    return name.lower().startswith("aws:")


class DriftedValue(Struct, frozen=True):
    """A property that was changed by hand: its path, such as `/Properties/Tags`, and its value now as AWS writes it."""

    path: str
    actual: str


class ResourceChange(Struct, frozen=True):
    """The change of one resource by a change set, with AWS's values.

    `replacement` is "True", "False", "Conditional", or "" if nothing is modified; `policy` is the policy for the old
    resource ("Delete", "Retain", "ReplaceAndDelete" …). `details` are the properties or attributes that certainly
    change; if `certain` is false, none does, and these may, since they refer to others that change (AWS: Dynamic).
    `drift` is what was changed by hand, which only a drift-aware change set has.
    """

    action: str
    logical_id: str
    physical_id: str
    type: str
    replacement: str = ""
    policy: str = ""
    details: tuple[str, ...] = ()
    certain: bool = True
    drift: tuple[DriftedValue, ...] = ()
