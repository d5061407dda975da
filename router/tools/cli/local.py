"""`router local`: keep an embedded AWS up, with the queues, the tables and the worker of a config."""

import os
import signal
from pathlib import Path
from threading import Event

import click

from router.tools.cli.options import config_option

PORT = 4566
"""The port on which other local AWS servers listen, too."""


@click.command("local")
@config_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="The port; 0 for a free one.",
)
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Start with the messages and items in this folder, and save them there at the end.",
)  # fmt: skip
@click.option(
    "--empty",
    is_flag=True,
    help="Without queues, tables and worker, for `router deploy` to make them.",
)
def command(config: Path, port: int, keep: Path | None, empty: bool) -> None:
    """Keep an embedded AWS up on the loopback address, until Ctrl-C or the end of the terminal.

    It has the queues and tables of the config. The worker runs on it, and reloads when a file in the folder of the
    config is saved. The command prints what to paste to send messages, and then the log of the worker. No other AWS is
    called. Exit code 0: it was stopped; 2: it could not run, or not save in the folder of --keep.

    \b
    Examples:
      router local
      router local --port 0 --keep .router-local
      router local --empty
    """
    # The embedded AWS and its client take 0.2 s to import.
    from rich.console import Console

    from router.runtime.program.load import load_program
    from router.tools.dev.emulator import local_aws
    from router.tools.dev.local import (
        describe,
        describe_empty,
        keep_up,
        provision_new,
        require_port,
    )

    program = load_program(config, os.environ)
    if port:
        require_port(port)
    stop = Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_, lambda *_: stop.set())
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    with (
        Console(stderr=True).status("starting the embedded AWS") as status,
        local_aws(port=port, state=keep) as local,
    ):
        if not empty:
            provision_new(program, local)
        status.stop()
        click.echo(f"the embedded AWS listens on {local.endpoint}\n")
        for line in describe_empty(program, local) if empty else describe(program, local):
            click.echo(f"  {line}")
        if empty:
            click.echo("\nCtrl-C ends it")
            stop.wait()
        else:
            click.echo("\nCtrl-C ends it; the log of the worker follows")
            keep_up(config, local, stop, click.echo)
        if keep:
            click.echo(f"saving the messages and items in {keep}")
