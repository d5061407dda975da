"""What tests of other rooms use of `router.runtime.program`."""

from router.runtime.program.attribute import compile_transforms
from router.runtime.program.context import CompileContext
from router.runtime.program.expressions.compile import InvalidExpression, compile_condition, compile_expression
from router.runtime.program.expressions.functions import FUNCTIONS as EXPRESSION_FUNCTIONS
from router.runtime.program.hooks import Plugins
from router.runtime.program.hooks.modules import HOOKS
from router.runtime.program.hooks.registry import load_plugins
from router.runtime.program.load import Loaded, Program, load, load_program
from router.runtime.program.mapping import compile_mapping
from router.runtime.program.precompiled import COMPILED_NAME, unpack
from router.runtime.program.redaction import is_redacted
from router.runtime.program.schemas.compile import Check, SchemaStore, Validation
from router.runtime.program.schemas.cost import MAX_APPLIED
from router.runtime.program.schemas.documents import ASSERTED_SINCE, SchemaDocument, draft_of, steps_of, subschemas
from router.runtime.program.schemas.reasons import MAX_BRANCHES
from router.runtime.program.schemas.references import Location, Locations
from router.runtime.program.typed_schema import TypedValue, typed_schema

__all__ = [
    "ASSERTED_SINCE",
    "COMPILED_NAME",
    "EXPRESSION_FUNCTIONS",
    "HOOKS",
    "MAX_APPLIED",
    "MAX_BRANCHES",
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
    "TypedValue",
    "Validation",
    "compile_condition",
    "compile_expression",
    "compile_mapping",
    "compile_transforms",
    "draft_of",
    "is_redacted",
    "load",
    "load_plugins",
    "load_program",
    "steps_of",
    "subschemas",
    "typed_schema",
    "unpack",
]
