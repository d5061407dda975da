"""The marks `slow` and `timing`, by folder or file, so that a new test of a folder has them too.

`slow` is what `make quick` leaves out: models, long searches, emulators, browsers, killed processes, and other tests of
more than about a second. `timing` is what depends on a clock, or on another process or thread: `--retry-timing`
runs those that failed once more.
A test may also have a mark of its own.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = (
    "tests/aws",
    "tests/browser",
    "tests/conformance",
    "tests/e2e",
    "tests/faults",
    "tests/performance",
    "tests/soundness",
    "tests/unit/tools/change/test_soundness.py",
    "tests/unit/prover/test_compared_patterns.py",
    "tests/unit/tools/check/analysis/test_item_sizes.py",
    "tests/unit/tools/check/test_soundness_of_claims.py",
    "tests/unit/runtime/deliver/test_delivery_model.py",
    "tests/unit/tools/deploy/template/test_template_files.py",
    "tests/unit/tools/deploy/template/test_template_lint.py",
    "tests/unit/tools/deploy/test_packages.py",
    "tests/unit/runtime/run/test_supervisor.py",
    "tests/unit/runtime/run/test_worker.py",
    "tests/unit/test_fuzz.py",
    "tests/unit/test_gate.py",
    "tests/unit/test_pytest_plugin.py",
)
TIMING = (
    "tests/aws",
    "tests/browser",
    "tests/e2e",
    "tests/faults",
    "tests/performance/test_latency.py",
    "tests/unit/runtime/aws/http",
    "tests/unit/runtime/deliver/test_otlp.py",
    "tests/unit/tools/console",
    "tests/unit/tools/dlq/test_lease.py",
    "tests/unit/runtime/run",
)
NOT_TIMING = (
    "tests/e2e/test_build.py",
    "tests/e2e/test_cli.py",
    "tests/e2e/test_compile.py",
    "tests/e2e/test_demo_tests.py",
    "tests/e2e/test_diff.py",
    "tests/e2e/test_distribution.py",
    "tests/e2e/test_explain_page.py",
    "tests/e2e/test_graph.py",
    "tests/e2e/test_list.py",
    "tests/e2e/test_readme.py",
    "tests/e2e/test_template_environment.py",
    "tests/e2e/test_test_and_explain.py",
)
"""Of these folders, what only runs commands to their end: nothing else runs meanwhile."""


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark each test by its file."""
    missing = [place for place in (*SLOW, *TIMING, *NOT_TIMING) if not (ROOT / place).exists()]
    if missing:
        raise pytest.UsageError(f"tests/support/marks.py names what does not exist: {', '.join(missing)}")
    for item in items:
        if _is_in(item.path, SLOW):
            item.add_marker("slow")
        if _is_in(item.path, TIMING) and not _is_in(item.path, NOT_TIMING):
            item.add_marker("timing")


def _is_in(file: Path, places: Iterable[str]) -> bool:
    return any(file.is_relative_to(ROOT / place) for place in places)
