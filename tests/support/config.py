"""What tests of other rooms use of `router.config`."""

from router.config import spec
from router.config.findings import Findings
from router.config.schema import config_schema

__all__ = [
    "Findings",
    "config_schema",
    "spec",
]
