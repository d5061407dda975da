"""A Dockerfile and a systemd unit for a worker elsewhere, and where they install the program from.

https://docs.docker.com/reference/dockerfile/
https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html and systemd.exec.html
"""

import json
import re
import shlex
import shutil
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from msgspec import Struct
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from router.errors import UsageError, refusing_file
from router.model import __version__
from router.runtime.printable import printable
from router.tools.deploy.archive import Entry, LeftOut, folder_entries, named_entries, plugin_files
from router.tools.deploy.packages import sha256_of
from router.tools.deploy.requirements import DISTRIBUTION, files_of_requirements, requirements_files
from router.tools.deploy.secret_files import SecretFiles
from router.tools.deploy.template import fill
from router.tools.deploy.template.document import DeployableConfig
from router.tools.deploy.template.worker import CONSTANTS, ETC, HOME, PLACE, PORT, worker_command

_BUILD = "/build"
"""The folder of the stage of an image in which the worker is installed."""
_SPECIAL = re.compile(r"[*?\[]")
"""Of patterns, which COPY takes: https://docs.docker.com/reference/dockerfile/#copy"""


class ProgramSource(Struct, frozen=True):
    """Where the program is installed from: a wheel with its SHA-256, an index, or else its sources beside the config.

    No index has the program yet, and anybody could register its name on one: an index is only used if it is given.
    """

    wheel: Path | None = None
    sha256: str = ""
    index: str = ""

    def arguments(self, folder: str) -> str:
        """Return the arguments of `pip install`; the wheel is in `folder`, and pip verifies its hash."""
        if self.wheel:
            return shlex.quote(
                f"{DISTRIBUTION}[worker] @ file://{folder}/{self.wheel.name}#sha256={self.sha256}"
            )
        if self.index:
            return f"--index-url {shlex.quote(self.index)} '{DISTRIBUTION}[worker]=={__version__}'"
        return "'.[worker]'"

    def place(self, folder: Path) -> None:
        """Copy the wheel into the folder of the config; raises UsageError if another file has its name there."""
        if self.wheel is None or (self.wheel.parent.resolve() == folder.resolve()):
            return
        target = folder / self.wheel.name
        if target.exists() and sha256_of(target) != self.sha256:
            raise UsageError(f"{target} differs from {self.wheel}; remove one of them")
        with refusing_file(f"write {target}"):
            shutil.copyfile(self.wheel, target)


def find_program(folder: Path, wheel: Path | None = None, index: str = "") -> ProgramSource:
    """Return what is given; else the sources or the wheel in the folder of the config.

    Raises UsageError if there is neither, or for a wheel or an index that cannot be used.
    """
    if wheel and index:
        raise UsageError(
            "--wheel and --index exclude each other: name one place to install the router from"
        )
    if index:
        return ProgramSource(index=_checked(index))
    is_module = (folder / "router" / "__init__.py").is_file()
    if wheel is None and is_module and (folder / "pyproject.toml").is_file():
        return ProgramSource()
    found = [wheel] if wheel else sorted(folder.glob(f"message_router-{__version__}-*.whl"))
    if len(found) != 1:
        raise UsageError(
            f"no place to install the router from: make its wheel in {folder.resolve()} with "
            "'pip wheel --no-deps CHECKOUT' (CHECKOUT has the sources of the router), or give --wheel FILE, "
            "or --index URL of a package index that you trust to have it"
        )
    return ProgramSource(found[0], _verified(found[0]))


def _verified(wheel: Path) -> str:
    """Return the SHA-256 of a wheel of this version of the router."""
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename:
        raise UsageError(
            f"{wheel} is not named as a wheel: message_router-{__version__}-py3-none-any.whl"
        ) from None
    if (name, str(version)) != (DISTRIBUTION, __version__):
        raise UsageError(
            f"{wheel} is a wheel of {name} {version}; {DISTRIBUTION} {__version__} made this file and is needed"
        )
    return sha256_of(wheel)


def _checked(index: str) -> str:
    parts = urlsplit(index)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise UsageError(
            f"--index is the URL of a package index, such as https://packages.example.com/simple: {index!r}"
        )
    _require_one_line(index)
    if parts.username is not None:
        raise UsageError(
            "--index has a user name or password, which everybody who has the file could read; leave it out"
        )
    return index


def _require_one_line(text: str) -> str:
    """Return a text; raises UsageError if what follows in it would be a line of the file of its own."""
    if not text.isprintable():
        raise UsageError(
            f"{printable(text)!r} cannot stand in a Dockerfile or a unit: it has a control character"
        )
    return text


def dockerfile(
    config: DeployableConfig, program: ProgramSource, secrets: SecretFiles, left_out: list[LeftOut]
) -> str:
    """Return the text of a Dockerfile that is built in the folder of the config.

    It copies, each by name, the config, its schemas, and the plugin files that `router build` would pack; the others
    are added to `left_out`. Raises UsageError for a file that seems to hold a secret.
    """
    folder, settings = config.path.parent, config.program.config
    plugins = plugin_files(settings.plugins, folder)
    schemas = config.loaded.schemas.documents if config.loaded.schemas else ()
    names = [
        *_verify(named_entries("config", (file.name for file in config.files), folder, secrets)),
        *_verify(named_entries("schemas", schemas, folder, secrets)),
        *_verify(folder_entries(plugins, folder, left_out, secrets)),
    ]
    lists = list(requirements_files(plugins, folder))
    beside = [_relative(file, folder) for file in files_of_requirements(lists)]
    wheels = [name for name in beside if name.endswith(".whl")]
    texts = [name for name in beside if name not in wheels]
    required = [*_verify(named_entries("lists", texts, folder, secrets)), *wheels]
    for name in (config.path.name, *names, *beside):
        _require_one_line(name)
    return fill(
        "worker.dockerfile",
        **CONSTANTS,
        config=config.path.name,
        platform={"arm64": "linux/arm64", "x86_64": "linux/amd64"}[settings.worker.architecture],
        python=settings.function.python,
        variables=f"# Variables of the config: {', '.join(config.variables)}\n"
        if config.variables
        else "",
        installation="\n".join(
            _installation(program, [_relative(file, folder) for file in lists], required)
        ),
        copies="\n".join(_copies(names)),
        command=json.dumps(worker_command(f"{PLACE}/{config.path.name}", f"0.0.0.0:{PORT}")),
    )


def _verify(entries: Iterable[Entry]) -> list[str]:
    """Return the names of files; reading them raises UsageError for one with a secret."""
    found = list(entries)
    for entry in found:
        entry.read()
    return [entry.name for entry in found]


def _relative(file: Path, folder: Path) -> str:
    try:
        return file.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        raise UsageError(
            f"{file} is outside the folder of the config, and an image has files of that folder only"
        ) from None


def _installation(
    program: ProgramSource, lists: Iterable[str], required: Iterable[str]
) -> list[str]:
    """Return the instructions that install the worker and what its plugins require."""
    lines = [f"WORKDIR {_BUILD}"]
    if program.wheel:
        lines.append(_copy([program.wheel.name], "./"))
    elif not program.index:
        lines += [
            "COPY pyproject.toml README.md LICENSE message_router_pytest.py ./",
            "COPY router/ router/",
        ]
    lines += _copies(required)
    what = " ".join(
        [program.arguments(_BUILD), *(f"-r {shlex.quote(name)}" for name in sorted(lists))]
    )
    return [*lines, f"RUN python -m venv {HOME} && {HOME}/bin/pip install --no-cache-dir {what}"]


def _copies(names: Iterable[str]) -> list[str]:
    """Return an instruction for the files of each folder, which are all named: others are not copied."""
    paths = sorted({PurePosixPath(name) for name in names}, key=lambda path: (path.parent, path))
    by_folder = groupby(paths, attrgetter("parent"))
    return [_copy(list(map(str, files)), f"{parent}/") for parent, files in by_folder]


def _copy(names: Sequence[str], target: str) -> str:
    words = [_SPECIAL.sub(lambda found: f"[{found[0]}]", name) for name in names]
    return "COPY " + json.dumps(
        [word.replace("$", "\\$") for word in (*words, target)], ensure_ascii=False
    )


def systemd_unit(config: Path, variables: Sequence[str], program: ProgramSource) -> str:
    """Return the text of a unit file; `variables` are those of the config."""
    if program.wheel:
        steps = f"Put {program.wheel.name} into {ETC}/ too"
    elif program.index:
        steps = "From the package index"
    else:
        steps = "In the folder of the router's sources"
    return fill(
        "worker.service",
        **CONSTANTS,
        config=_require_one_line(config.name),
        program=steps,
        arguments=program.arguments(ETC),
        variables=f" Variables of the config: {', '.join(variables)}." if variables else "",
        command=_escaped(shlex.join(worker_command(f"{ETC}/{config.name}", f"127.0.0.1:{PORT}"))),
    )


def _escaped(command: str) -> str:
    """Return a command line in which systemd replaces nothing."""
    return command.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
