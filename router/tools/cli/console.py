"""`router console`: the config, messages, routes, dead letters and changes in a browser."""

import os
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.tools.cli.masked_output import tell
from router.tools.cli.options import choose_config, config_argument

if TYPE_CHECKING:
    from router.tools.console.workspace import Target


@click.command("console")
@config_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="The port of the page.",
)
@click.option("--no-browser", is_flag=True, help="Only print the URL.")
@click.option(
    "--local", "target", flag_value="local", help="Keep an embedded AWS up, as router local does."
)
@click.option("--aws", "target", flag_value="aws", help="Show the AWS of the environment.")
@click.option(
    "--write",
    "writes",
    is_flag=True,
    help="With --aws: allow what changes messages, such as a redrive.",
)
def command(
    file: Path | None,
    config: Path | None,
    port: int,
    no_browser: bool,
    target: "Target | None",
    writes: bool,
) -> None:
    """Show a config, its routes, dead letters and changes on a page in the browser, on the loopback address.

    The page shows files only, unless --local or --aws is given; without a routes.yaml, it makes one from messages. The
    URL that is printed has a token, without which nothing is shown; a user who has it can read and save the config.
    Ctrl-C ends it.
    Exit code 0: it was stopped; 2: it could not run.

    \b
    Examples:
      router console
      router console --local
      router console flows/routes.yaml --port 8765 --no-browser
      AWS_REGION=eu-west-1 router console --aws
    """
    if writes and target != "aws":
        raise click.UsageError("--write needs --aws")
    # The server, and all that the page shows, take 0.3 s to import.
    import webbrowser

    from router.tools.console.server import Access, serve
    from router.tools.console.workspace import opened
    from router.tools.dev.guard import ADDRESS
    from router.tools.dev.local import local_target, require_port

    is_first = target is None and file is None and config is None
    chosen = choose_config(file, config, may_be_missing=is_first)
    if port:
        require_port(port)
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((ADDRESS, port)))
        local = (
            stack.enter_context(local_target(chosen, os.environ, tell))
            if target == "local"
            else None
        )
        env, worker = (local.env, local.worker) if local else (os.environ, "")
        workspace = stack.enter_context(
            opened(chosen, env, target or "files", writes or bool(local), worker)
        )
        access = Access()
        url = f"http://{ADDRESS}:{listener.getsockname()[1]}/?token="
        tell("Ctrl-C ends the console")
        click.echo(f"{url}{access.token}")
        if not no_browser:
            webbrowser.open(f"{url}{access.launch}")
        serve(workspace, access, listener)
