"""The library of schemas is imported without what it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

from router.program.schemas.links import import_library

PROGRAM = """
import sys
{before}
from router.program.schemas.links import import_library
import_library()
import_library()
stood_in = "email.utils" not in sys.modules
import jsonschema_rs
from email.utils import parsedate_to_datetime
year = parsedate_to_datetime("1 Jan 2026 00:00:00 +0000").year
print(stood_in, jsonschema_rs.is_valid({{"type": "string"}}, "x"), year)
"""


@pytest.mark.parametrize(("before", "stood_in"), [("", True), ("import email.utils", False)])
def test_the_import(before: str, stood_in: bool) -> None:
    """The library works, and so does the standard library's module that was not there for a while."""
    command = [sys.executable, "-c", PROGRAM.format(before=before)]

    output = subprocess.run(command, capture_output=True, text=True, check=True)

    assert output.stdout == f"{stood_in} True 2026\n"


def test_the_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is there only while a library is imported, which gets the date as it is written."""
    (tmp_path / "dated_library.py").write_text(
        "from email.utils import parsedate_to_datetime\nbuilt = parsedate_to_datetime('Sun')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "email.utils", raising=False)

    import_library("dated_library")

    assert (sys.modules.pop("dated_library").built, "email.utils" in sys.modules) == ("Sun", False)
