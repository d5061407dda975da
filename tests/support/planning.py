"""Compares planned messages."""

from typing import Any

import msgspec

from router.runtime.engine.writes import PlannedMessage


def shown(planned: PlannedMessage) -> tuple[Any, list[bytes], list[Any]]:
    """Return what is to be sent, in bytes, and what decides about its order."""
    requests = [msgspec.json.encode(write.request or write.batch_request()) for write in planned.writes]
    return planned.outcome, requests, [(write.identity, write.route, write.call) for write in planned.writes]


def meaning(planned: PlannedMessage) -> tuple[Any, list[Any], list[Any]]:
    """Return the same, whatever the order of members in the JSON of a request: it means nothing to DynamoDB."""
    outcome, requests, order = shown(planned)
    return outcome, [msgspec.json.decode(request) for request in requests], order
