"""What is known of the routes that share a table, for the graph and the console."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from router.runtime.program.load import Loaded
from router.tools.check.analysis.table_sharing import writers_of
from router.tools.dev.graph import SharedPair, SharedTable, SharedVerdict

if TYPE_CHECKING:
    from router.tools.check.analysis.key_meetings import Meeting

_UNDECIDED = ("RT241", "RT242")
_WORST_FIRST = ("may meet", "not decided", "apart")


def shared_tables(loaded: Loaded) -> Mapping[str, SharedTable]:
    """Return the tables in which several routes store items, by their names in the config.

    Nothing is known of a config with errors.
    """
    program = loaded.program
    if program is None or loaded.schemas is None:
        return {}
    config = program.config
    writers = writers_of(config)
    if not writers:
        return {}
    # Most configs have nothing to compare, and do without the modules.
    from router.tools.check.rule import Subject

    names = {name: table.name or name for name, table in config.tables.items()}
    pairs: dict[str, list[SharedPair]] = {}
    subject = Subject(config, program.plugins, loaded.schemas, program=program)
    for meeting in subject.meetings:
        pair = _pair(meeting, _why_ignored(meeting, loaded))
        pairs.setdefault(names[meeting.other.route.table], []).append(pair)
    return {
        name: _shared(name, writers[table], pairs.get(table, ()))
        for name, table in names.items()
        if table in writers
    }


def _why_ignored(meeting: "Meeting", loaded: Loaded) -> str:
    """Return the reason with which the config accepts what is known of a pair, or ""."""
    from router.tools.check.rules.shared_tables import code_of
    from router.tools.check.run import is_about

    codes = _UNDECIDED if meeting.example is None else (code_of(meeting.example).id,)
    one = () if meeting.one is None else (meeting.one.path,)
    paths = ((*meeting.other.path, "write"), *one)
    for number, ignore in enumerate(loaded.config.ignore if loaded.config else ()):
        where = ("ignore", number)
        if ignore.code in codes and is_about(ignore, where, paths, loaded.findings):
            return ignore.reason
    return ""


def _pair(meeting: "Meeting", ignored: str) -> SharedPair:
    routes = (meeting.other,) if meeting.one is None else (meeting.one, meeting.other)
    names = tuple(route.name for route in routes)
    if meeting.example is not None:
        reason = f"ignored: {ignored}" if ignored else ""
        return SharedPair(names, meeting.verdict, reason, tuple(meeting.example.lost))
    reason = f"ignored: {ignored}" if ignored else meeting.reason
    if meeting.verdict == "apart":
        reason = f"'{reason}' is never the same in two messages"
    return SharedPair(names, meeting.verdict, reason)


def _shared(table: str, routes: Sequence[str], pairs: Sequence[SharedPair]) -> SharedTable:
    ordered = sorted(pairs, key=lambda pair: _WORST_FIRST.index(pair.verdict))
    worst = ordered[0].verdict if ordered else "apart"
    verdict: SharedVerdict = "no loss" if worst == "apart" else worst
    return SharedTable(table, tuple(routes), verdict, tuple(ordered))
