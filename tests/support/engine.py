"""What tests of other rooms use of `router.runtime.engine`."""

from router.runtime.engine.attributes import (
    MAX_DIGITS,
    MAX_ITEM_BYTES,
    MAX_NAME_BYTES,
    MAX_NESTING,
    MAX_PARTITION_KEY_BYTES,
    MAX_SORT_KEY_BYTES,
    encode_item,
    identify,
)
from router.runtime.engine.backoff import FIRST_WAIT, MAX_BACKOFF_SECONDS, MAX_OUTLAST, OutageBackoff
from router.runtime.engine.convert import CONVERTERS
from router.runtime.engine.decode import (
    CLASSES,
    MAX_DECODED_BYTES,
    MAX_UNPACKED_BYTES,
    Encoding,
    PointerFinder,
    compile_decoder,
)
from router.runtime.engine.decode import MAX_NESTING as MAX_PAYLOAD_NESTING
from router.runtime.engine.engine import (
    MAX_ELEMENTS,
    MAX_PLANNED_BYTES,
    UNLIMITED,
    CompiledQueue,
    TypedSteps,
    plan,
)
from router.runtime.engine.writes import (
    IdempotencyConfig,
    IdempotencyKey,
    Mode,
    PlannedMessage,
    Setting,
    Write,
    WriteConfig,
)
from router.tools.check.analysis.text_formats import TEXT_FORMATS
from router.tools.memory.decoding import decode_item

__all__ = [
    "CLASSES",
    "CONVERTERS",
    "FIRST_WAIT",
    "MAX_BACKOFF_SECONDS",
    "MAX_DECODED_BYTES",
    "MAX_DIGITS",
    "MAX_ELEMENTS",
    "MAX_ITEM_BYTES",
    "MAX_NAME_BYTES",
    "MAX_NESTING",
    "MAX_OUTLAST",
    "MAX_PARTITION_KEY_BYTES",
    "MAX_PAYLOAD_NESTING",
    "MAX_PLANNED_BYTES",
    "MAX_SORT_KEY_BYTES",
    "MAX_UNPACKED_BYTES",
    "TEXT_FORMATS",
    "UNLIMITED",
    "CompiledQueue",
    "Encoding",
    "IdempotencyConfig",
    "IdempotencyKey",
    "Mode",
    "OutageBackoff",
    "PlannedMessage",
    "PointerFinder",
    "Setting",
    "TypedSteps",
    "Write",
    "WriteConfig",
    "compile_decoder",
    "decode_item",
    "encode_item",
    "identify",
    "plan",
]
