"""What the compilers of the parts of a config share."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from msgspec import Struct

from router.model import Path, Severity, Table
from router.runtime.config.findings import Findings
from router.runtime.engine.engine import PlanPut
from router.runtime.program.expressions import fields_read
from router.runtime.program.expressions.compile import (
    INVALID_EXPRESSION,
    InvalidExpression,
    Trees,
    compile_condition,
    compile_expression,
    is_plain_path,
    parse_expression,
)
from router.runtime.program.hooks import Plugins
from router.runtime.program.schemas.compile import SchemaStore
from router.runtime.sources import CompiledExpression


class Environment(Struct, frozen=True):
    """The variables of the environment, and how bad it is if one that the config needs
    is not set.
    """

    variables: Mapping[str, str] = {}
    unset: Severity = "error"


class CompileContext(Struct, frozen=True):
    """The tables, plugins and schemas of a config, and where to add findings.

    `ttl` are the time-to-live attributes of the tables, or "". `trees` are the trees of
    expressions by their text: a compiled config holds them, so that it needs no parser.
    `getters` are the compiled attributes of `item` by all that they are compiled from:
    many routes have equal ones. `plans` are what plans their writes as text, likewise.
    """

    tables: Mapping[str, Table]
    ttl: Mapping[str, str]
    plugins: Plugins
    schemas: SchemaStore
    findings: Findings
    trees: Trees
    getters: dict[Hashable, Any] = {}
    plans: dict[Hashable, PlanPut] = {}

    def expression(self, text: str, path: Path) -> CompiledExpression | None:
        """Compile an expression of the config; None after a finding at `path`."""
        try:
            evaluate = compile_expression(text, self.trees)
        except InvalidExpression as error:
            self.findings.add(INVALID_EXPRESSION, error.sentence, path)
            return None
        return CompiledExpression(
            evaluate,
            "/" + text.replace(".", "/") if is_plain_path(text) else "",
        )

    def reads_only(self, text: str, field: str) -> bool:
        """Whether a valid expression reads no top-level field but one."""
        if is_plain_path(text):
            return text.partition(".")[0] == field
        read = fields_read(parse_expression(text, self.trees))
        return read is not None and read <= {field}

    def condition(self, text: str, path: Path) -> Callable[[Any], bool] | None:
        """Compile a condition of the config; None after a finding at `path`."""
        try:
            return compile_condition(text, self.trees)
        except InvalidExpression as error:
            self.findings.add(INVALID_EXPRESSION, error.sentence, path)
            return None
