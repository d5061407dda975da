"""The page that a soak writes."""

from tests.faults.fault_report import page
from tests.faults.soak import PAGE

HEADING = "## The last run\n\n"


def test_page_is_current() -> None:
    """Except for its result the page is current, and the result has no lost message and no duplicate effect."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEADING)
    result, _, after = rest.partition("\n\n## ")
    wanted_before, _, wanted_rest = page([], 1).partition(HEADING)

    last_row = next(line for line in result.splitlines() if line.startswith("| all |"))
    assert (before, after) == (wanted_before, wanted_rest.partition("\n\n## ")[2])
    assert last_row.endswith("| 0 | 0 | 0 |")
