"""What the tests of plugins share: a folder, and findings that show where they stand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from router.model import Place
from router.runtime.program.hooks import Plugins
from router.runtime.program.hooks.registry import load_plugins
from tests.support.config import Findings

Load = Callable[..., tuple[Plugins, list[str]]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write `stem="code"` as plugin files and load them, or given entries: the plugins, and the findings as text."""

    def write_and_load(*entries: str, **files: str) -> tuple[Plugins, list[str]]:
        for stem, code in files.items():
            (tmp_path / f"{stem}.py").write_text(f"from router import *\n{code}", encoding="utf-8")
        findings = Findings(lambda path, key: Place("/".join(map(str, path)), 0, 0))
        plugins = load_plugins(entries or [f"{stem}.py" for stem in files], tmp_path, findings)
        return plugins, [str(finding) for finding in findings]

    return write_and_load
