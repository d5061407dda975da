"""What tests of other rooms use of `router.deliver`."""

from router.deliver.dead_letters import send_dead_letters
from router.deliver.delivery import Delivery
from router.deliver.telemetry import LOGGER, log_batch, log_result
from router.deliver.writer import Writer

__all__ = [
    "LOGGER",
    "Delivery",
    "Writer",
    "log_batch",
    "log_result",
    "send_dead_letters",
]
