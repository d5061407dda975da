"""`router list`: list the queues, tables and routes of a config, and who owns them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from router.errors import UsageError
from router.tools.cli.completion import complete_owner
from router.tools.cli.options import choose_config, config_argument, json_option

if TYPE_CHECKING:
    from router.runtime.config import spec


class _Listed(Struct, frozen=True):
    """A queue, table or route; `about` is what it is connected to."""

    kind: str
    name: str
    owner: str
    about: str
    description: str
    tags: dict[str, str]


@click.command("list")
@config_argument
@click.option(
    "--owner",
    help="Show only what this owner has; '-' shows what has no owner.",
    shell_complete=complete_owner,
)
@json_option
def command(file: Path | None, config: Path | None, owner: str | None, as_json: bool) -> None:
    """List the queues, tables and routes of a config, each with its owner and description.

    A queue or table without an owner belongs to the owner of all its routes, if they have the same one. Tags are in
    the JSON.

    \b
    Examples:
      router list
      router list --owner team-orders --json
    """
    from router.runtime.program.load import load
    from router.tools.cli.json_output import print_json
    from router.tools.cli.terminal import literal, print_table

    program = load(choose_config(file, config), os.environ, "warning").require()
    listed = list(_listed(program.config))
    found = listed
    if owner is not None:
        name = "" if owner == "-" else owner
        found = [each for each in listed if each.owner == name]
    if not found:
        known = ", ".join(sorted({each.owner for each in listed} - {""})) or "none"
        raise UsageError(f"nothing belongs to '{owner}'; the owners in the config: {known}")
    if as_json:
        print_json(found)
        return
    columns = {
        "kind": [each.kind for each in found],
        "name": [each.name for each in found],
        "belongs to": [each.owner for each in found],
        "connected to": [each.about for each in found],
        "description": [each.description for each in found],
    }
    # Few configs have owners and descriptions: a column without a text tells nothing.
    shown = {title: cells for title, cells in columns.items() if any(cells)}
    print_table(shown, (map(literal, row) for row in zip(*shown.values(), strict=True)))


def _listed(config: "spec.Config") -> Iterator[_Listed]:
    from router.runtime.config.spec import Queue
    from router.tools.check.owners import owners_of

    owners = owners_of(config)
    for name, owner in owners.queues.items():
        queue = config.queues.get(name, Queue())
        about = f"dead letters: {queue.dead_letter}" if queue.dead_letter else ""
        yield _Listed("queue", name, owner, about, queue.description, queue.tags)
    for name, table in config.tables.items():
        yield _Listed(
            "table",
            name,
            owners.tables[name],
            f"key: {', '.join(table.key)}",
            table.description,
            table.tags,
        )
    for name, route in config.routes.items():
        yield _Listed(
            "route",
            name,
            route.owner,
            f"{route.queue} → {route.table}",
            route.description,
            route.tags,
        )
