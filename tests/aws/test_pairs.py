"""What two routes that write one key make of an item, on a local AWS and in memory; `make soundness ONLY=pairs`."""

from pathlib import Path

from tests.soundness.pairs import Tables, compare_on_server, pairs_of, plain_settings


def test_steps(tmp_path: Path) -> None:
    """Each way to write, from items that other routes stored; a step that ends otherwise is named."""
    tables = Tables(plain_settings(), tmp_path)
    for pair in pairs_of(tables, plain_settings()):
        pair.search(2)
    steps = tables.steps[:: len(tables.steps) // 60]
    before, planned, _ = steps[0]

    count, wrong = compare_on_server([*steps, (before, planned, '{"a": {"N": "0"}}')], float("inf"))

    assert (count, len(wrong)) == (len(steps) + 1, 1)
    assert compare_on_server(steps, 0) == (0, [])
