"""What tests of other rooms use of `router.tools.dlq`."""

from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.planning import Planner
from router.tools.dlq.rehearse import Change, Rehearsal, Rehearser
from router.tools.dlq.spool import WrittenItems, write_messages

__all__ = ["Change", "DlqMessage", "Planner", "Rehearsal", "Rehearser", "WrittenItems", "write_messages"]
