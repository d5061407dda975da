"""Keeps hands off stacks that hold something else: a template of ours would delete all that they have."""

from router.aws.stacks import Stack, Stacks
from router.errors import UsageError
from router.ops.stack_status import EMPTY, is_absent

DESCRIPTION = "Message Router: "
"""How the description of each template of ours begins."""


def refuse_foreign(stacks: Stacks, stack: Stack | None) -> None:
    """Raise UsageError for a stack that was not made from a template of ours."""
    if stack is None or is_absent(stack) or stack.status == EMPTY:
        return
    description = str(stacks.template(stack.id).get("Description", ""))
    if not description.startswith(DESCRIPTION):
        told = f", described as '{description}'" if description else ""
        raise UsageError(
            f"the stack '{stack.name}' was not made by the router{told}: it is left alone; give another name"
        )
