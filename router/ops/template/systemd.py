"""A unit of systemd for the worker.

https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html and systemd.exec.html
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from router.ops.template.container import PORT, STOP_SECONDS, worker_command

PLACE = "/etc/message-router"
"""Where the config is, with its schemas and plugins."""
ENVIRONMENT = f"{PLACE}/environment"
_CONFINED = """\
# Nothing but the network and its own files, and none of those to write.
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
    """The text of a unit file; `variables` are those of the config."""
    command = worker_command(f"{PLACE}/{config.name}", f"127.0.0.1:{PORT}")
    needed = f" Variables of the config: {', '.join(variables)}." if variables else ""
    return f"""\
# The worker of {config.name}. Made by: router template --format systemd
# It goes to /etc/systemd/system/message-router.service, the config with its schemas and plugins to {PLACE}/,
# and the worker into an environment of Python: python3 -m venv /opt/router
# and then: /opt/router/bin/pip install 'message-router[worker]'

[Unit]
Description=Message Router: from queues into tables
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
WorkingDirectory={PLACE}
Environment=PYTHONDONTWRITEBYTECODE=1
# AWS_REGION=…, and what else is to be known.{needed}
EnvironmentFile=-{ENVIRONMENT}
ExecStart={shlex.join(command)}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
# Longer than --grace: what has begun is finished first. If that fails, all its processes are killed.
TimeoutStopSec={STOP_SECONDS}
KillMode=mixed

{_CONFINED}
[Install]
WantedBy=multi-user.target
"""
