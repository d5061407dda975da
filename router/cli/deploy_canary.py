"""Whether `router deploy --canary` may let two versions write side by side: the deployed one and the new one."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from router.change.compare import side_by_side
from router.change.versions import STACK, open_versions


def why_not_side_by_side(stack: str, config: Path, env: Mapping[str, str]) -> str:
    """Return why what the function of a stack runs and a config must not write at the same time, or ""."""
    with ExitStack() as closing:
        old, new = open_versions(f"{STACK}{stack}", str(config), config, env, closing)
        reasons = side_by_side(old, new)
    advice = "with --canary both versions write for a while: deploy without it, when few messages come"
    return f"refused: {'; '.join(reasons)}; {advice}" if reasons else ""
