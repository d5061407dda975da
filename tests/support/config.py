"""What tests of other rooms use of `router.runtime.config`, and the keys of a route that have expressions."""

from typing import Any, get_args, get_type_hints

from router.runtime.config import spec
from router.runtime.config.environment import REDACT_KEY, find_references
from router.runtime.config.findings import ConfigFault, Findings
from router.runtime.config.include import MAX_ENTRIES
from router.runtime.config.merge import with_defaults
from router.runtime.config.secret_values import WRITTEN, SecretValues, find_secret
from router.runtime.config.source import parse_text, read_config
from router.runtime.config.spec import Attribute
from router.runtime.config_types import Expression
from router.tools.check.config_schema import config_schema


def _has_expression(hint: Any) -> bool:
    return hint == Expression or any(map(_has_expression, get_args(hint)))


EXPRESSION_KEYS = tuple(
    name
    for struct in (spec.RouteSettings, spec.WriteSettings)
    for name, hint in get_type_hints(struct, include_extras=True).items()
    if _has_expression(hint)
)
"""The keys of a route and of its `write` that have an expression."""

__all__ = [
    "EXPRESSION_KEYS",
    "MAX_ENTRIES",
    "REDACT_KEY",
    "WRITTEN",
    "Attribute",
    "ConfigFault",
    "Findings",
    "SecretValues",
    "config_schema",
    "find_references",
    "find_secret",
    "parse_text",
    "read_config",
    "spec",
    "with_defaults",
]
