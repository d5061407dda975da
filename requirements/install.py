"""Makes the environment of `make`: `python requirements/install.py VENV STAMP GROUP`.

It uses uv, which takes seconds: the one on the path, or else one that pip installs into the environment. Where neither
is to be had, or uv fails, pip does all. Both verify the hashes of the lock files. Needs the standard library only.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

HERE = Path(__file__).parent
LAYERS = {
    "worker": ("worker",),
    "demo": ("worker", "demo"),
    "tests": ("worker", "demo", "tests"),
    "browser": ("worker", "demo", "tests", "browser"),
    "bench": ("worker", "demo", "tests", "bench"),
    "lint": ("worker", "demo", "tests", "browser", "bench", "lint"),
    "site": ("site",),
    "audit": ("audit",),
}
"""The lock files of each group, in the order in which they are installed."""
FIRST = ("demo", "site", "audit")
"""The groups that an environment begins with; others are added to `demo`."""
_SECTIONS = ("global", "install")
"""Of pip's files; a later one has precedence, and variables of the environment before both."""
_FIRST_WITH_PYTHON = (22, 3)
"""The first version of pip that can install into another environment."""


class Failed(Exception):
    """A program of the installation failed; what it printed."""


def pip_settings(listed: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that `pip config list` prints and the environment has, by their names."""
    lines = re.findall(r"^(\w+)\.([\w-]+)=(.*)$", listed, re.MULTILINE)
    known = [line for line in lines if line[0] in _SECTIONS]
    known.sort(key=lambda line: _SECTIONS.index(line[0]))
    # Where the Python that runs this has no pip, nothing is listed.
    variables = {
        name[4:].lower().replace("_", "-"): value
        for name, value in environ.items()
        if name[:4] == "PIP_"
    }
    return {name: ast.literal_eval(value) for _, name, value in known} | variables


def uv_environment(pip: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which uv has the index, proxy and certificates of pip; what uv itself is told stays."""
    found = {
        "UV_DEFAULT_INDEX": pip.get("index-url"),
        "UV_INDEX": _words(pip.get("extra-index-url"), " "),
        "UV_FIND_LINKS": _words(pip.get("find-links"), ","),
        "UV_INSECURE_HOST": _words(pip.get("trusted-host"), " "),
        "UV_HTTP_TIMEOUT": pip.get("timeout", pip.get("default-timeout")),
        "UV_HTTP_RETRIES": pip.get("retries"),
        "SSL_CERT_FILE": pip.get("cert"),
        "SSL_CLIENT_CERT": pip.get("client-cert"),
        "HTTPS_PROXY": pip.get("proxy"),
        "HTTP_PROXY": pip.get("proxy"),
        "UV_NO_INDEX": "1" if _is_on(pip.get("no-index")) else None,
        "UV_NO_CACHE": "1" if _is_on(pip.get("no-cache-dir")) else None,
        # As pip, which takes a package from any index; the hashes decide.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if "extra-index-url" in pip else None,
        # Of a Python that uv would download, nobody has verified anything.
        "UV_PYTHON_DOWNLOADS": "never",
    }
    given = {name: value for name, value in found.items() if value}
    return given | dict(environ)


def _words(text: str | None, separator: str) -> str:
    return separator.join((text or "").split())


def _is_on(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true", "yes", "on")


class Environment:
    """The environment in a folder, and the programs that install into it."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "bin" / "python"
        self._folder = folder
        self._settings = pip_settings(
            _output(sys.executable, "-m", "pip", "config", "list"), os.environ
        )
        self._uv = shutil.which(
            "uv", path=f"{os.environ.get('PATH', '')}{os.pathsep}{folder / 'bin'}"
        )

    @property
    def tool(self) -> str:
        """What installs into it."""
        return "uv" if self._uv else "pip"

    def make(self) -> None:
        """Make it anew."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._uv = shutil.which("uv")
        if self._uv is not None and self._by_uv(
            "venv", "--python", sys.executable, str(self._folder)
        ):
            return
        _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(self._folder)])
        self._uv = self._own_uv()

    def install(self, groups: Iterable[str], with_bytecode: bool) -> None:
        """Install what lock files pin."""
        files = [word for group in groups for word in ("-r", str(HERE / f"{group}.lock"))]
        words = ["--no-deps", "--require-hashes", *files]
        compiled = ["--compile-bytecode"] if with_bytecode else []
        if not self._by_uv("pip", "install", "--python", str(self.python), *compiled, *words):
            self._by_pip(*([] if with_bytecode else ["--no-compile"]), *words)

    def install_project(self) -> None:
        """Install the router from here, editable."""
        words = ["--no-deps", "--no-build-isolation", "--editable", str(HERE.parent)]
        if not self._by_uv("pip", "install", "--python", str(self.python), *words):
            self._by_pip(*words)

    def _own_uv(self) -> str | None:
        """Install uv by pip, some 25 MB, and return its path; None where there is none for this machine."""
        try:
            self._by_pip("--no-deps", "--require-hashes", "-r", str(HERE / "uv.lock"))
        except Failed:
            return None
        return shutil.which("uv", path=str(self._folder / "bin"))

    def _by_uv(self, *words: str) -> bool:
        """Run uv; if it fails, say why, and use pip from now on."""
        if self._uv is None:
            return False
        environment = uv_environment(self._settings, os.environ)
        try:
            _run([self._uv, words[0], "--quiet", *words[1:]], environment)
        except Failed as failed:
            print(f"\nuv failed, so pip does it:\n{failed}", file=sys.stderr)
            self._uv = None
        return self._uv is not None

    def _by_pip(self, *words: str) -> None:
        _run([*self._pip(), "install", "--quiet", "--disable-pip-version-check", *words])

    def _pip(self) -> list[str]:
        """Return the command of pip for this environment: its own, or that of the Python it is made with."""
        own = [str(self.python), "-m", "pip"]
        if _output(*own, "--version"):
            return own
        version = re.match(r"pip (\d+)\.(\d+)", _output(sys.executable, "-m", "pip", "--version"))
        if version and (int(version[1]), int(version[2])) >= _FIRST_WITH_PYTHON:
            return [sys.executable, "-m", "pip", "--python", str(self.python)]
        _run([str(self.python), "-m", "ensurepip"])
        return own


def _output(*command: str) -> str:
    """Return what a program prints; "" if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{done.stdout}{done.stderr}".strip())


def install(folder: Path, stamp: str, group: str) -> None:
    """Add a group to the environment, and mark it; make all anew for the first group, or if this one is there already.

    Packages that a new lock file leaves out are gone then.
    """
    begun = time.monotonic()
    environment = Environment(folder)
    anew = group in FIRST or (folder / f"{stamp}-{group}").exists()
    groups = LAYERS[group] if anew else (group,)
    verb = "making" if anew else "adding to"
    print(
        f"{verb} {folder}: {_count(groups)} packages for {group} ...",
        end=" ",
        file=sys.stderr,
        flush=True,
    )
    if anew:
        environment.make()
    environment.install(groups, with_bytecode=group != "demo")
    if "demo" in groups:
        environment.install_project()
        # An editable package is else compiled by each command, where PYTHONDONTWRITEBYTECODE is set: 50 ms a time.
        _run([str(environment.python), "-m", "compileall", "-q", str(HERE.parent / "router")])
    for each in groups:
        (folder / f"{stamp}-{each}").touch()
    print(f"by {environment.tool} in {time.monotonic() - begun:.0f} s", file=sys.stderr)


def _count(groups: Iterable[str]) -> int:
    texts = [(HERE / f"{group}.lock").read_text(encoding="utf-8") for group in groups]
    return sum(len(re.findall(r"^[\w.-]+(?:\[.*?\])?==", text, re.MULTILINE)) for text in texts)


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    except Failed as error:
        sys.exit(str(error))
