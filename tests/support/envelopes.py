"""What tests of other rooms use of `router.runtime.envelopes`."""

from router.runtime.envelopes import ENVELOPES, EnvelopeFormat, to_json
from router.runtime.envelopes.eventbridge import unwrap as unwrap_eventbridge
from router.runtime.envelopes.sns import unwrap as unwrap_sns

__all__ = [
    "ENVELOPES",
    "EnvelopeFormat",
    "to_json",
    "unwrap_eventbridge",
    "unwrap_sns",
]
