"""What tests of other rooms use of `router.program`."""

from router.program.context import CompileContext
from router.program.expressions.compile import InvalidExpression, compile_condition, compile_expression
from router.program.generated import WARM
from router.program.hooks import Plugins
from router.program.hooks.modules import HOOKS
from router.program.hooks.registry import load_plugins
from router.program.load import Loaded, Program, load, load_program
from router.program.mapping import compile_mapping
from router.program.precompile import precompile
from router.program.precompiled import COMPILED_NAME
from router.program.schemas.compile import Check, SchemaStore, Validation
from router.program.schemas.cost import MAX_APPLIED
from router.program.schemas.documents import ASSERTED_SINCE, SchemaDocument, steps_of, subschemas
from router.program.schemas.reasons import MAX_BRANCHES
from router.program.schemas.references import Location, Locations

__all__ = [
    "ASSERTED_SINCE",
    "COMPILED_NAME",
    "HOOKS",
    "MAX_APPLIED",
    "MAX_BRANCHES",
    "WARM",
    "Check",
    "CompileContext",
    "InvalidExpression",
    "Loaded",
    "Location",
    "Locations",
    "Plugins",
    "Program",
    "SchemaDocument",
    "SchemaStore",
    "Validation",
    "compile_condition",
    "compile_expression",
    "compile_mapping",
    "load",
    "load_plugins",
    "load_program",
    "precompile",
    "steps_of",
    "subschemas",
]
