"""What tests of other rooms use of `router.config`."""

from router.config import spec
from router.config.environment import REDACT_KEY
from router.config.findings import ConfigFault, Findings
from router.config.include import MAX_ENTRIES
from router.config.schema import config_schema
from router.config.source import parse_text
from router.config.spec import Attribute

__all__ = [
    "MAX_ENTRIES",
    "REDACT_KEY",
    "Attribute",
    "ConfigFault",
    "Findings",
    "config_schema",
    "parse_text",
    "spec",
]
