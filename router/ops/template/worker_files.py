"""A Dockerfile and a systemd unit for the worker.

https://docs.docker.com/reference/dockerfile/
https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html and systemd.exec.html
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from router.config import spec
from router.ops.requirements import requirements_files
from router.version import VERSION

HOME, PLACE = "/opt/router", "/srv/router"
"""The folders of the worker and of its config."""
PORT = 9090
GRACE_SECONDS, STOP_SECONDS = 20, 30
"""How long the worker takes to stop at most, and when it is killed."""
USER_ID = 10_001
_LOOK = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{PORT}/healthz', timeout=3)"
HEALTH_COMMAND = (f"{HOME}/bin/python", "-c", _LOOK)
"""Fails unless every receiver runs; needs nothing but Python."""
HEALTH_SECONDS, HEALTH_TIMEOUT, HEALTH_START, HEALTH_RETRIES = 30, 5, 15, 3
_HEALTH_OPTIONS = (
    f"--interval={HEALTH_SECONDS}s --timeout={HEALTH_TIMEOUT}s "
    f"--start-period={HEALTH_START}s --retries={HEALTH_RETRIES}"
)
ETC = "/etc/message-router"
"""The folder of the config, its schemas and plugins, for systemd."""
_CONFINED = """\
# Access to the network and to its own files, which are read-only.
DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
CapabilityBoundingSet=
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077
"""


def worker_command(config: str, listen: str) -> tuple[str, ...]:
    """Return the command that starts the worker, in a container and by systemd."""
    options = ("--listen", listen, "--grace", str(GRACE_SECONDS))
    return (f"{HOME}/bin/router", "worker", "-c", config, *options)


def dockerfile(config: Path, settings: spec.Config, variables: Sequence[str], needed: Iterable[str]) -> str:
    """Return the text of a Dockerfile that is built in the folder of the config.

    `variables` are those of the config, `needed` are the files that it needs, itself included, relative to its folder.
    """
    needed = tuple(needed)
    own = (config.parent / "router" / "__init__.py").is_file() and (config.parent / "pyproject.toml").is_file()
    command = worker_command(f"{PLACE}/{config.name}", f"0.0.0.0:{PORT}")
    return "\n".join(
        (
            *_head(config, settings, variables),
            "",
            f"FROM python:{settings.function.python}-slim-bookworm AS build",
            *_installation(own, sorted(_lists(config.parent, needed))),
            "",
            f"FROM python:{settings.function.python}-slim-bookworm",
            f"RUN useradd --uid {USER_ID} --no-create-home --shell /usr/sbin/nologin router",
            f"COPY --from=build {HOME} {HOME}",
            f"WORKDIR {PLACE}",
            *_copied(config.parent, needed),
            "ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1",
            f"USER {USER_ID}",
            f"EXPOSE {PORT}",
            "STOPSIGNAL SIGTERM",
            f"HEALTHCHECK {_HEALTH_OPTIONS} \\",
            f"    CMD {json.dumps(HEALTH_COMMAND)}",
            f"CMD {json.dumps(command)}",
            "",
        )
    )


def _head(config: Path, settings: spec.Config, variables: Sequence[str]) -> list[str]:
    machine = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}[settings.worker.architecture]
    lines = [
        f"# The worker of {config.name}. Made by: router template --format docker",
        f"#   docker build --platform {machine} -t message-router .",
        f"#   docker run --stop-timeout {STOP_SECONDS} -e AWS_REGION=… message-router",
        "# Exclude in a file .dockerignore: **/__pycache__, **/.env*",
    ]
    if variables:
        lines.append(f"# Variables of the config: {', '.join(variables)}")
    return lines


def _lists(folder: Path, needed: Iterable[str]) -> set[str]:
    """Return the requirements files of plugins, relative to the folder of the config."""
    plugins = [folder / name for name in needed if name.endswith(".py")]
    return {file.relative_to(folder).as_posix() for file in requirements_files(plugins, folder)}


def _installation(own: bool, lists: Iterable[str]) -> list[str]:
    """Return the instructions that install the worker: from its sources, if they are there, or from an index."""
    lines: list[str] = []
    what = f"'message-router[worker]=={VERSION}'"
    if own:
        lines += ["WORKDIR /src", "COPY pyproject.toml README.md LICENSE ./", "COPY router/ router/"]
        what = "'.[worker]'"
    for name in lists:
        # With the files beside it, which it may name.
        beside = PurePosixPath(name).parent
        lines.append(f"COPY {beside}/ /tmp/{beside}/")
        what += f" -r /tmp/{name}"
    return [*lines, f"RUN python -m venv {HOME} && {HOME}/bin/pip install --no-cache-dir {what}"]


def _copied(folder: Path, needed: Iterable[str]) -> list[str]:
    """Return the instructions that copy files: those of the folder by name, subfolders as a whole."""
    tops = {PurePosixPath(name).parts[0] for name in needed}
    return [f"COPY {top}/ {top}/" if (folder / top).is_dir() else f"COPY {top} ./" for top in sorted(tops)]


def systemd_unit(config: Path, variables: Sequence[str]) -> str:
    """Return the text of a unit file; `variables` are those of the config."""
    command = worker_command(f"{ETC}/{config.name}", f"127.0.0.1:{PORT}")
    needed = f" Variables of the config: {', '.join(variables)}." if variables else ""
    return f"""\
# The worker of {config.name}. Made by: router template --format systemd
# Put it into /etc/systemd/system/message-router.service, and the config with its schemas and plugins into {ETC}/.
# Install the worker: python3 -m venv /opt/router
#   /opt/router/bin/pip install 'message-router[worker]'

[Unit]
Description=Message Router: from queues into tables
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
WorkingDirectory={ETC}
Environment=PYTHONDONTWRITEBYTECODE=1
# AWS_REGION=… and other variables.{needed}
EnvironmentFile=-{ETC}/environment
ExecStart={shlex.join(command)}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
# Longer than --grace, in which messages in progress are finished. After that, all its processes are killed.
TimeoutStopSec={STOP_SECONDS}
KillMode=mixed

{_CONFINED}
[Install]
WantedBy=multi-user.target
"""
