"""What to add to a schema so that it guarantees what it does not yet, in words."""

from router.check.flows import Flow
from router.check.inference import Value
from router.check.predicates import Steps
from router.check.schema_index import text_of


def require(flow: Flow, steps: Steps | None) -> str:
    """How to make sure that there is a value at a path; the first step that is not sure."""
    if steps is None or flow.mapped is None or flow.declared is None:
        return ""
    level, gap = flow.mapped.first_gap(steps)
    where = flow.declared.where(level)
    if gap == "type":
        return f"add 'type: object' {where}"
    return f"take null out of the types {where}" if gap == "null" else f"add '{gap}' to 'required' {where}"


def constrain(flow: Flow, value: Value, keyword: str) -> str:
    """How to say something of a value: the place of it in the schema, if it is just that of a path."""
    if value.origin is None or flow.declared is None:
        return ""
    return f"add '{keyword}' {flow.declared.where(value.origin)}"


def named(value: Value) -> str:
    """What may lack, for a sentence."""
    return "a value" if value.lacking is None else f"'{text_of(value.lacking)}'"
