"""What tests of other rooms use of `router.aws`."""

from router.aws.calls import FixedDeadline
from router.aws.connect import connect
from router.aws.http.sigv4 import Credentials, SigningScope, sign
from router.aws.protocols import Aws, AwsFault, OutgoingMessage, WriteResponse
from router.aws.run_lock import RunLock

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
