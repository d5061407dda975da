"""How busy the process is."""

from router.run.load import WINDOW_SECONDS, Load


def test_share() -> None:
    """It is that of the last whole window; within one it stays as it was."""
    at = [(100.0, 7.0), (100.0, 7.0), (100.5, 7.25), (100.5 + WINDOW_SECONDS / 2, 9.0), (101.5, 7.75)]
    moments, spent = iter([now for now, _ in at]), iter([processor for _, processor in at])
    load = Load(lambda: next(moments), lambda: next(spent))
    assert [load.share() for _ in range(4)] == [0.0, 0.5, 0.5, 0.5]
