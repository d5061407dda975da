"""What tests of other rooms use of `router.program`."""

from router.program.expressions.compile import InvalidExpression, compile_condition, compile_expression
from router.program.hooks.modules import HOOKS
from router.program.load import Loaded, Program, load, load_program
from router.program.precompile import precompile
from router.program.precompiled import COMPILED_NAME
from router.program.schemas.compile import SchemaStore

__all__ = [
    "COMPILED_NAME",
    "HOOKS",
    "InvalidExpression",
    "Loaded",
    "Program",
    "SchemaStore",
    "compile_condition",
    "compile_expression",
    "load",
    "load_program",
    "precompile",
]
