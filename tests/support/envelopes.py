"""What tests of other rooms use of `router.envelopes`."""

from router.envelopes import ENVELOPES, EnvelopeFormat
from router.envelopes.eventbridge import unwrap as unwrap_eventbridge
from router.envelopes.sns import unwrap as unwrap_sns

__all__ = [
    "ENVELOPES",
    "EnvelopeFormat",
    "unwrap_eventbridge",
    "unwrap_sns",
]
