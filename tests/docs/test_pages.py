"""The generated pages of `docs/`."""

from pathlib import Path

import pytest

from docs.generate import pages

REPOSITORY = Path(pages.__file__).parents[2]


@pytest.mark.parametrize("name", pages.PAGES)
def test_the_committed_page_is_current(name: str) -> None:
    """Run `make format` if this fails."""
    is_current = (REPOSITORY / name).read_text(encoding="utf-8") == pages.PAGES[name]()
    assert is_current, f"{name} is out of date: run `make format`"


def test_the_schema_of_a_config_is_written_before_what_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new key is unknown to what loads a config until then; it is made also where the file is missing."""

    def refuse(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    first = next(iter(pages.PAGES))

    assert first == "router/runtime/config/exact.json"
    assert pages.PAGES[first]() == (REPOSITORY / first).read_text(encoding="utf-8")
