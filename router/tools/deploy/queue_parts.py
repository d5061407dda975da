"""What a template has for each queue besides the queue itself: its policy, its alarms, and what reads it."""

from enum import StrEnum

QUEUE_PREFIX = "Queue"
"""The prefix of the logical ids of queues."""


class QueuePart(StrEnum):
    """The prefixes of the logical ids of the resources of a queue."""

    ACCESS = "Access"
    AGE_ALARM = "AgeAlarm"
    RETRIES_ALARM = "RetriesAlarm"
    STALLED_ALARM = "StalledAlarm"
    IN_FLIGHT_ALARM = "InFlightAlarm"
    SILENT_ALARM = "SilentAlarm"
    LETTERS_ALARM = "LettersAlarm"
    MAPPING = "Mapping"
    SCALING = "Scaling"

    def of(self, queue_id: str) -> str:
        """Return the logical id of this part of a queue: the rest of the id is that of the queue."""
        return f"{self}{queue_id.removeprefix(QUEUE_PREFIX)}"
