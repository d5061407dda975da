"""What queues redact, beside what the fixtures have."""

from tests.unit.tools.check.conftest import Find

CODES = ("RT237", "RT238", "RT239")


def test_what_is_no_path(find_all: Find) -> None:
    """It is reported as that: nothing is said of what routes need of it."""
    found = find_all(
        """
queues: {q: {dead_letter: dlq, redact: ["length(x)"]}, other: {dead_letter: dlq}}
tables: {t: {key: {id: S}}}
routes:
  r: {queue: q, table: t, item: {id: id, a: length(x)}}
  s: {queue: other, table: t, item: {id: id}}
"""
    )

    codes = {each.partition(" ")[0] for each in found}
    assert ("RT236" in codes, codes & {*CODES}) == (True, set())
