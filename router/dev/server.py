"""Starts the embedded AWS (ministack) for the demo and the tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from msgspec import Struct

from router.errors import MissingExtra, UsageError

REGION = "us-east-1"
ACCOUNT = "000000000000"
READY_SECONDS = 30
"""How long it may take to come up; half a second is usual."""
_END_SECONDS = 5
_LOG_LINES = 10
_KEY = "local"
_IAM = {"AUTH": "true", "AWS_ACCESS_KEY_ID": _KEY}
"""What makes ministack ask its policies, and whom it takes for the root of the account."""
_PASSED_ON = ("PATH", "HOME", "LANG", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT")


class LocalAws(Struct, frozen=True):
    """A running embedded AWS: its endpoint, e.g. `http://127.0.0.1:40123`, and the directory that goes with it."""

    endpoint: str
    directory: str = ""

    def environment(self) -> dict[str, str]:
        """The environment of a process that is to find this AWS and no other, nor any credentials of the user's."""
        # What boto3 reads besides these could lead it elsewhere: profiles, proxies, endpoints of single services.
        kept = {name: value for name, value in os.environ.items() if not _is_foreign(name)}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def local_aws(*, enforces_iam: bool = False) -> Iterator[LocalAws]:
    """Run an embedded AWS of our own, empty at first and gone afterwards, whichever way the program ends.

    With `enforces_iam`, whoever is not the root of the account may do only what policies allow. Raises MissingExtra
    (no ministack), UsageError (it does not come up).
    """
    if find_spec("ministack") is None:
        raise MissingExtra("the demo", "local")
    directory = tempfile.mkdtemp(prefix="router-aws-")
    try:
        with _guarded(directory, _IAM if enforces_iam else {}) as process:
            yield LocalAws(_endpoint(process, Path(directory, "log")), directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _guarded(directory: str, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (
        Path(directory, "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 — our own module on our own interpreter
            # -P: a `router` folder where the user stands is not this package.
            [sys.executable, "-P", "-m", "router.dev.guard", directory],
            env={**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C at the terminal is for the program, which may still have to finish what it has begun.
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _endpoint(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server answers, once it does."""
    assert process.stdout
    port = process.stdout.readline().strip().decode()
    endpoint = f"http://127.0.0.1:{port}"
    # Never through a proxy of the environment; and without a line there is no server.
    with suppress(OSError):
        if port:
            build_opener(ProxyHandler({})).open(f"{endpoint}/_ministack/health", timeout=READY_SECONDS).close()
            return endpoint
    last = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
    raise UsageError(f"the embedded AWS did not come up; the end of its log:\n{last}")


def _is_foreign(name: str) -> bool:
    return name.startswith("AWS_") or name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "BOTO_CONFIG")
