"""`router graph`: draw queues over routes to tables and dead-letter queues."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.errors import UsageError
from router.runtime.printable import printable_lines
from router.tools.cli.options import choose_config, config_argument, output_option, write_text_file

if TYPE_CHECKING:
    from router.tools.dev.graph import GroupBy

_FORMATS = ("mermaid", "svg", "json")


@click.command("graph")
@config_argument
@click.option("--format", "form", type=click.Choice(_FORMATS), default="mermaid", show_default=True)
@click.option(
    "--group",
    "by",
    type=click.Choice(["auto", "none", "owner", "file", "name"]),
    default="auto",
    show_default=True,
    help="One node for what has one owner, file or first word in its name; auto: only for more than 40 routes.",
)
@click.option(
    "--select",
    "pattern",
    metavar="PATTERN",
    help="Only what has such a name, and its neighbours: 'orders*'.",
)
@output_option(help="The file.  [default: standard output]")
def command(
    file: Path | None,
    config: Path | None,
    form: str,
    by: "GroupBy",
    pattern: str | None,
    output: Path | None,
) -> None:
    """Draw the queues, routes, tables and dead-letter queues of a config, and what goes from one to another.

    Needs no AWS. GitHub shows mermaid in Markdown; svg is a picture with light and dark colours.

    \b
    Examples:
      router graph
      router graph --format svg -o flows.svg
      router graph --format svg --select 'orders*' --group none -o orders.svg
    """
    from router.runtime.program.load import load
    from router.tools.dev.graph import as_json, as_mermaid, file_finder, graph_of, group, select
    from router.tools.dev.graph_picture import as_svg
    from router.tools.dev.shared_tables import shared_tables

    render = {"mermaid": as_mermaid, "svg": as_svg, "json": as_json}[form]
    loaded = load(choose_config(file, config), os.environ, "warning")
    graph = graph_of(loaded.require().config, shared_tables(loaded))
    if pattern is not None:
        graph = select(graph, pattern)
        if not graph.nodes:
            raise UsageError(f"no queue, route or table has a name such as '{pattern}'")
    text = render(group(graph, by, file_finder(loaded.findings))).rstrip()
    if output is None:
        click.echo(printable_lines(text))
    else:
        write_text_file(output, f"{text}\n")
