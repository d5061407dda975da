"""Messages of shapes that the world sends, in their published form; all values are invented."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tests.conformance.world.aws import eventbridge_ec2, eventbridge_s3, iot_rule
from tests.conformance.world.commerce import shopify_order, stripe_expanded
from tests.conformance.world.operations import (
    cloudwatch_alarm,
    datadog_monitor,
    github_workflow_run,
    pagerduty_event,
)
from tests.conformance.world.people import auth0_log, segment_track, twilio_status

SHAPES: Mapping[str, Callable[[Random], dict[str, Any]]] = {
    "shopify-orders": shopify_order,
    "pagerduty-events": pagerduty_event,
    "twilio-callbacks": twilio_status,
    "segment-tracks": segment_track,
    "datadog-monitors": datadog_monitor,
    "github-workflow-runs": github_workflow_run,
    "iot-telemetry": iot_rule,
    "s3-events": eventbridge_s3,
    "ec2-events": eventbridge_ec2,
    "cloudwatch-alarms": cloudwatch_alarm,
    "stripe-events": stripe_expanded,
    "auth0-logs": auth0_log,
}


def messages_of(shape: str, count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Messages of a shape; the same in each run."""
    random = Random(f"{shape} {seed}")
    return [SHAPES[shape](random) for _ in range(count)]
