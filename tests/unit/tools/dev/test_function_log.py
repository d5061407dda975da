"""The log of a function on another version of ministack than that of the lock file; the rest is in `tests/aws/`."""

from router.tools.dev.function_log import read_whole_logs


def test_other_methods() -> None:
    """A class that reads a function's output in another way stays as it is."""

    class Worker:
        def read(self) -> str:
            return "a"

    before = dict(vars(Worker))
    read_whole_logs(Worker)

    assert dict(vars(Worker)) == before


def test_other_attributes() -> None:
    """A class with these methods, but without the thread that they read by, keeps its own way."""

    class Worker:
        def _drain_stderr(self) -> str:
            return "b"

        def _drain_stderr_bounded(self, first_line_wait: float = 0.05) -> str:
            return f"a {first_line_wait}"

    read_whole_logs(Worker)

    assert Worker()._drain_stderr_bounded(0.1) == "a 0.1"
