"""Counts the work of `router check` in units that are equal on every machine; prints JSON.

`sample` is one run on the configuration in the repository, with all imports. `route` is what each more of some routes
costs, each with a queue and a schema of its own. `load` and `check` are the calls for growing numbers of routes.
tests/performance has the bounds.
"""

import gc
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from counters import count_calls, count_instructions

ROOT = Path(__file__).parents[1]
FEW, MANY = 20, 50
LOADED = (250, 500, 1000)
CHECKED = (50, 100, 200)
ROUTE = """  r{0}:
    queue: q{0}
    table: things
    when: "type == 'a{0}'"
    schema:
      type: object
      required: [id{1}, n{1}]
      properties: {{id{1}: {{type: string, minLength: 1, maxLength: 100}}, n{1}: {{type: number, minimum: {0}}}}}
    item:
      id: id{1}
      a: {{from: x.y, transform: [strip, {{truncate: 80}}]}}
      b: {{meta: sent_at}}
      c: {{template: "U#{{id{1}}}"}}
      d: {{hash: [id{1}, n{1}]}}
      e: {{ttl: 90d}}
      f: "length(id{1})"
      g: {{from: z, type: SS, default: [a]}}
      n: {{from: n{1}, type: N}}
"""


def main() -> None:
    """Count, and print."""
    if "PYTHONHASHSEED" not in os.environ:
        # The order of sets can change the executed instructions.
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})
    gc.disable()
    with TemporaryDirectory() as folder:
        sample = {"instructions": count_instructions(lambda: check(ROOT / "routes.yaml")), "modules": len(_imported())}
        few, many = config(Path(folder), FEW), config(Path(folder), MANY)
        check(few)  # so that nothing is imported while routes are counted
        counts = {
            "sample": sample,
            "route": {"instructions": a_route(count_instructions, few, many), "calls": a_route(count_calls, few, many)},
            "load": [count_calls(partial(load, config(Path(folder), size))) for size in LOADED],
            "check": [count_calls(partial(check, config(Path(folder), size))) for size in CHECKED],
        }
    print(json.dumps(counts, indent=1))


def config(folder: Path, count: int, *, own_names: bool = False) -> Path:
    """Write a config with so many routes, whose schemas may each have properties of their own."""
    queues = "".join(f"  q{index}: {{dead_letter: dlq}}\n" for index in range(count))
    routes = "".join(ROUTE.format(index, index if own_names else "") for index in range(count))
    file = folder / f"{count}.yaml"
    text = f"version: 1\ntables: {{things: {{key: {{id: S}}}}}}\nqueues:\n{queues}routes:\n{routes}"
    file.write_text(text, encoding="utf-8")
    return file


def check(file: Path) -> None:
    """Run `router check` in this process; raises SystemExit if it finds errors."""
    from router.tools.cli.app import app  # its imports are counted

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            app(["check", str(file)], prog_name="router")
        except SystemExit as end:
            if end.code:
                raise


def load(file: Path) -> None:
    """Load a config without errors."""
    from router.runtime.program.load import load_program

    load_program(file, {})


def a_route(counted: Callable[[Callable[[], Any]], int], few: Path, many: Path) -> float:
    """Return the count of one more route."""
    return round((counted(lambda: check(many)) - counted(lambda: check(few))) / (MANY - FEW), 2)


def _imported() -> list[str]:
    """Return the modules of the router that are imported."""
    return [name for name in sys.modules if name.partition(".")[0] == "router"]


if __name__ == "__main__":
    main()
