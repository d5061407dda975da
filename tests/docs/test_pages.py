"""The generated pages of `docs/`."""

import runpy
import sys
from pathlib import Path

import pytest

from docs.generate import pages

REPOSITORY = Path(pages.__file__).parents[2]


@pytest.mark.parametrize("name", pages.PAGES)
def test_the_committed_page_is_current(name: str) -> None:
    """Run `make docs` if this fails."""
    assert (REPOSITORY / name).read_text(encoding="utf-8") == pages.PAGES[name]()


def test_the_script_writes_each_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is its argument."""
    monkeypatch.setattr(sys, "argv", ["pages", str(tmp_path)])

    runpy.run_path(pages.__file__, run_name="__main__")

    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        pages.PAGES
    )
