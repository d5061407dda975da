"""The completion of the names that a config gives to its queues, routes, tables and owners."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.errors import RouterError

if TYPE_CHECKING:
    from router.runtime.config import spec

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _complete(names_of: Callable[["spec.Config"], Iterable[str]]) -> Complete:
    """Return the completion of a name of the config; without one that can be read, there are no names."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from router.runtime.config.source import read_config

        path = _config_of(context)
        try:
            config = read_config(path, os.environ, "warning").config if path else None
        except (RouterError, OSError):
            config = None
        names = names_of(config) if config else ()
        return sorted({name for name in names if name.startswith(incomplete)})

    return complete


def _config_of(context: click.Context) -> Path | None:
    """Return the config of a command; None if there is no such file."""
    from router.tools.cli.options import DEFAULT_CONFIG

    given: Path | None = context.params.get("config")
    if "file" not in context.params:
        return given
    # The commands that take it as an argument have no default of the option. Click parses no argument of a line that
    # ends with an option without its value.
    return given or next(map(Path, context.args), DEFAULT_CONFIG)


def _queues(config: "spec.Config") -> Iterable[str]:
    return (*config.queues, *(route.queue for route in config.routes.values()))


def _owners(config: "spec.Config") -> Iterable[str]:
    queues = (queue.owner for queue in config.queues.values())
    tables = (table.owner for table in config.tables.values())
    routes = (route.owner for route in config.routes.values())
    return filter(None, (*config.owners, *queues, *tables, *routes))


complete_queue = _complete(_queues)
complete_route = _complete(lambda config: config.routes)
complete_table = _complete(lambda config: config.tables)
complete_owner = _complete(_owners)
complete_dead_letter = _complete(
    lambda config: (queue.dead_letter for queue in config.queues.values() if queue.dead_letter)
)
