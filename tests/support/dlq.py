"""What tests of other rooms use of `router.tools.dlq`."""

from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.rehearse import Change, Rehearsal, Rehearser
from router.tools.dlq.spool import WrittenItems

__all__ = ["Change", "DlqMessage", "Rehearsal", "Rehearser", "WrittenItems"]
