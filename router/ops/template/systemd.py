"""A systemd unit for the worker.

https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html and systemd.exec.html
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from router.ops.template.container import PORT, STOP_SECONDS, worker_command

PLACE = "/etc/message-router"
"""The folder of the config, its schemas and plugins."""
ENVIRONMENT = f"{PLACE}/environment"
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


def systemd_unit(config: Path, variables: Sequence[str]) -> str:
    """Returns the text of a unit file; `variables` are those of the config."""
    command = worker_command(f"{PLACE}/{config.name}", f"127.0.0.1:{PORT}")
    needed = f" Variables of the config: {', '.join(variables)}." if variables else ""
    return f"""\
# The worker of {config.name}. Made by: router template --format systemd
# Put it into /etc/systemd/system/message-router.service, and the config with its schemas and plugins into {PLACE}/.
# Install the worker: python3 -m venv /opt/router
#   /opt/router/bin/pip install 'message-router[worker]'

[Unit]
Description=Message Router: from queues into tables
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
WorkingDirectory={PLACE}
Environment=PYTHONDONTWRITEBYTECODE=1
# AWS_REGION=… and other variables.{needed}
EnvironmentFile=-{ENVIRONMENT}
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
