"""What the tests of the engine share: programs made of short configs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import Program, load_program

Make = Callable[..., Program]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """The program of one queue `q` with settings, of a table `things`, of routes, and of plugins `stem="code"`."""

    def write_and_load(routes: str, queue: str = "", key: str = "{id: S}", **plugins: str) -> Program:
        for stem, code in plugins.items():
            (tmp_path / f"{stem}.py").write_text(f"from router import *\n{code}", encoding="utf-8")
        config = (
            f"version: 1\nplugins: [{', '.join(f'{stem}.py' for stem in plugins)}]\n"
            f"queues: {{q: {{dead_letter: letters, {queue}}}}}\ntables: {{things: {{key: {key}}}}}\nroutes:\n"
        )
        path = tmp_path / "routes.yaml"
        path.write_text(config + "".join(f"  {line}\n" for line in routes.strip().splitlines()), encoding="utf-8")
        return load_program(path, {})

    return write_and_load
