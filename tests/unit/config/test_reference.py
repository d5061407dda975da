"""The reference page."""

import pathlib
import runpy
import sys

from router.config import reference, spec
from router.config.kinds import fields_of
from router.config.reference import config_reference

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "config.md"


def test_the_page_in_docs_is_current():
    """Run `python -m router.config.reference > docs/config.md` if this fails."""
    assert PAGE.read_text() == config_reference()


def test_each_key_has_its_row():
    """No struct is without a section."""
    rows = [line.split("|")[1].strip() for line in config_reference().splitlines() if line.startswith("| `")]
    structs = [
        spec.Config,
        spec.Included,
        spec.Ignore,
        spec.Queue,
        spec.S3Pointer,
        spec.Retry,
        spec.EventSourceMapping,
        spec.Table,
        spec.Route,
        spec.Attribute,
        spec.TtlAfter,
        spec.Write,
        spec.Test,
        spec.Function,
        spec.Worker,
    ]

    assert rows == [f"`{name}`" for cls in structs for name in fields_of(cls)]


def test_the_module_prints_the_page(capsys, monkeypatch):
    """As a program."""
    monkeypatch.delitem(sys.modules, "router.config.reference")

    runpy.run_path(str(reference.__file__), run_name="__main__")

    assert capsys.readouterr().out == config_reference()
