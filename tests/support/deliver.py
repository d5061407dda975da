"""What tests of other rooms use of `router.runtime.deliver`."""

from router.runtime.deliver import postponing
from router.runtime.deliver.dead_letters import describe_failure, send_dead_letters, with_failure
from router.runtime.deliver.delivery import TOO_COSTLY, Delivery, DeliveryOptions
from router.runtime.deliver.fast_paths import COMPILE_AFTER, TRIES, FastPath, FastPaths
from router.runtime.deliver.item_writes import CoalescedWrites, Transaction
from router.runtime.deliver.metrics import AGES, LINES_DROPPED, METRICS, PAUSES
from router.runtime.deliver.postponing import IN_FLIGHT_MOST, can_postpone, postpone
from router.runtime.deliver.telemetry import LOGGER, JsonLines, embedded, log_batch, log_results
from router.runtime.deliver.time_limits import (
    MARGIN_SECONDS,
    MAX_PLANNING_SECONDS,
    MAX_WAIT_SECONDS,
    QUICK_PLANNING_SECONDS,
    RESERVE_SECONDS,
    WAIT_SHARE,
    FixedDeadline,
    SharedWaits,
    StartLimit,
    WaitBudget,
)
from router.runtime.deliver.visibility import Delivered
from router.runtime.deliver.writer import KEY_SECONDS, Writer

__all__ = [
    "AGES",
    "COMPILE_AFTER",
    "IN_FLIGHT_MOST",
    "KEY_SECONDS",
    "LINES_DROPPED",
    "LOGGER",
    "MARGIN_SECONDS",
    "MAX_PLANNING_SECONDS",
    "MAX_WAIT_SECONDS",
    "METRICS",
    "PAUSES",
    "QUICK_PLANNING_SECONDS",
    "RESERVE_SECONDS",
    "TOO_COSTLY",
    "TRIES",
    "WAIT_SHARE",
    "CoalescedWrites",
    "Delivered",
    "Delivery",
    "DeliveryOptions",
    "FastPath",
    "FastPaths",
    "FixedDeadline",
    "JsonLines",
    "SharedWaits",
    "StartLimit",
    "Transaction",
    "WaitBudget",
    "Writer",
    "can_postpone",
    "describe_failure",
    "embedded",
    "log_batch",
    "log_results",
    "postpone",
    "postponing",
    "send_dead_letters",
    "with_failure",
]
