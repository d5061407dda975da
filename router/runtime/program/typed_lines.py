"""Lines of Python from which the typed form is compiled."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from types import CodeType


def indented(lines: Iterable[str]) -> list[str]:
    """Return the lines of a block."""
    return [f"  {line}" for line in lines]


@lru_cache(maxsize=64)
def compile_source(source: str) -> CodeType:
    """Compile functions; those of one shape differ in their variables only."""
    return compile(source, "<the fast path of a queue>", "exec")


_CHECK = re.compile(r"if not (c[0-9]+)\(\[(p[0-9]+)\]\): raise ValueError")


def together(lines: Sequence[str]) -> list[str]:
    """Return lines that call a check once for all its values: it takes a list."""
    calls = Counter(check for check, _ in _CHECK.findall("\n".join(lines)))
    several = [check for check, times in calls.items() if times > 1]

    def collect(found: re.Match[str]) -> str:
        return f"{found[1]}s.append({found[2]})" if found[1] in several else found[0]

    return [
        *(f"{check}s = []" for check in several),
        *(_CHECK.sub(collect, line) for line in lines),
        *(f"if not {check}({check}s): raise ValueError" for check in several),
    ]
