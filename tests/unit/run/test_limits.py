"""The limit of open files is raised as far as may be."""

import logging
import resource
from collections.abc import Iterator

import pytest

from router.run.limits import allow_files


@pytest.fixture(autouse=True)
def hard() -> Iterator[int]:
    """The hard limit; the soft one is 256 for the time of a test."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


@pytest.mark.parametrize(("count", "soft"), [(100, 256), (256, 256), (300, 300)])
def test_raised(count: int, soft: int) -> None:
    """To what is needed, and never lowered."""
    allow_files(count)

    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == soft


def test_too_many(hard: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the system allows is told, and as many as it allows are taken."""
    # The system's own bound may be none; this one is of the process for the test only.
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 512))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: asked.append(limits))
    with caplog.at_level(logging.WARNING, "router"):
        allow_files(1000)

    assert (asked, [record.getMessage() for record in caplog.records]) == (
        [(512, 512)],
        ["all receivers together may need more open files than the system allows: raise 'ulimit -Hn'"],
    )


def test_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no bound, nothing is changed."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: pytest.fail("changed"))

    allow_files(1000)
