"""What tests of other rooms use of `router.tools.dlq`."""

from router.tools.dlq.messages import Cause, DlqMessage, UnknownNames
from router.tools.dlq.planning import Planner
from router.tools.dlq.queues import DeadLetterQueue, OpenQueue
from router.tools.dlq.redacted import redact_all
from router.tools.dlq.rehearse import Change, Rehearsal, Rehearser
from router.tools.dlq.spool import WrittenItems, write_messages

__all__ = [
    "Cause",
    "Change",
    "DeadLetterQueue",
    "DlqMessage",
    "OpenQueue",
    "Planner",
    "Rehearsal",
    "Rehearser",
    "UnknownNames",
    "WrittenItems",
    "redact_all",
    "write_messages",
]
