"""Does on a local AWS what its CloudFormation leaves out (docs/testing.md)."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.tools.control_plane.clients import ServiceClient, read_table
from router.tools.control_plane.stacks import Stacks

_EXPIRY = "TimeToLiveSpecification"


def enable_expiry(
    dynamodb: ServiceClient, stacks: Stacks, stack: str, template: Mapping[str, Any]
) -> Iterator[str]:
    """Enable the times to live of a stack on a local AWS; yield the names of the tables.

    In an account CloudFormation does that. Raises AwsCallError.
    """
    if not dynamodb.is_local:
        return
    for resource in stacks.resources(stack):
        declared = template["Resources"].get(resource.logical_id, {}).get("Properties", {})
        wanted = declared.get(_EXPIRY)
        table = read_table(dynamodb, resource.physical_id) if wanted else None
        if table and table.ttl != wanted["AttributeName"]:
            dynamodb.call(
                "UpdateTimeToLive", TableName=resource.physical_id, TimeToLiveSpecification=wanted
            )
            yield resource.physical_id
