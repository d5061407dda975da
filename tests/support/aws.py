"""What tests of other rooms use of `router.aws`."""

from router.aws.calls import FixedDeadline, RunLock
from router.aws.connect import connect
from router.aws.http.signing import Credentials, SigningScope, sign
from router.aws.protocols import Aws, AwsFault, OutgoingMessage, WriteResponse

__all__ = [
    "Aws",
    "AwsFault",
    "Credentials",
    "FixedDeadline",
    "OutgoingMessage",
    "RunLock",
    "SigningScope",
    "WriteResponse",
    "connect",
    "sign",
]
