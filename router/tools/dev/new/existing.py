"""Says how the routes of a table that exists are to be written, so that others can share it."""

from collections.abc import Collection

from router.runtime.program.load import Loaded
from router.tools.check.analysis.pair_writes import with_properties, writes_of
from router.tools.check.analysis.pair_yaml import group_edit
from router.tools.check.rule import Subject


def edit_of_whole_items(loaded: Loaded, tables: Collection[str]) -> str:
    """Return the routes that store whole items in some tables as updates, in YAML; "" for none.

    `router new` gives later routes of these tables attributes of their own.
    """
    config = loaded.require().config
    assert loaded.schemas  # as for each config without errors
    subject = Subject(config, loaded.require().plugins, loaded.schemas)
    lines = []
    for route in subject.routes:
        if route.route.table not in tables:
            continue
        key = config.tables[route.route.table].key
        writes = with_properties(writes_of(route.name, route.route, key), route, key)
        if writes.replaces or writes.inserts:
            lines += group_edit([writes], [], config).shown(route.name).splitlines()[1:]
    return "\n".join(["routes:", *lines]) if lines else ""
