"""Runs a recording, for `router test --recorded`: against the outcomes in it, or against another version."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from router.change.recording import Recording, outcome_of, read_recording
from router.change.routes import pair, routes_of
from router.change.running import differences, record_of
from router.change.versions import ConfigVersion, open_version, open_versions
from router.dev.compare import to_json
from router.errors import UsageError
from router.printable import printable


def run_recorded(config: Path, file: Path, against: str | None, *, as_json: bool) -> int:
    """Run a recording, print what differs, and return the exit code: 1 if something does; raises UsageError."""
    recording = read_recording(file)
    if not recording.messages:
        raise UsageError(f"{file} has no messages: nothing was compared; record again with router record")
    with ExitStack() as stack:
        old, new = _open(config, against, stack)
        if recording.head.queue not in new.program.engine.queues:
            raise UsageError(f"no route of {config} reads the queue '{recording.head.queue}' of the recording")
        found = _versions(recording, old, new) if old else _outcomes(recording, new)
    if as_json:
        click.echo(to_json({"messages": len(recording.messages), "differences": found}, indent=2))
        return int(bool(found))
    for each in found:
        where = f"route {each['route']}: " if each.get("route") else ""
        click.echo(f"{click.style('FAIL', fg='red', bold=True)}  {printable(where + each['what'])} ({each['count']})")
        click.echo(f"      message  {to_json(each['message'])}")
        click.echo(f"      before   {printable(each['before'])}")
        click.echo(f"      after    {printable(each['after'])}")
    failed = sum(each["count"] for each in found)
    click.echo(f"{len(recording.messages)} recorded messages, {failed} differences" if failed else _same(recording))
    return int(bool(found))


def _open(config: Path, against: str | None, stack: ExitStack) -> tuple[ConfigVersion | None, ConfigVersion]:
    if against is None:
        return None, open_version(str(config), config, os.environ, stack)
    return open_versions(against, str(config), config, os.environ, stack)


def _same(recording: Recording) -> str:
    return f"{len(recording.messages)} recorded messages, no differences"


def _outcomes(recording: Recording, new: ConfigVersion) -> list[Mapping[str, Any]]:
    """Return the first message of each other outcome than the recorded one, with the number of such messages."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for recorded in recording.messages:
        now = outcome_of(new.program, recording.head.queue, recorded.message)
        if (now.outcome, now.code, now.routes) == (recorded.outcome, recorded.code, recorded.routes):
            continue
        before, after = (
            " ".join(filter(None, [each.outcome, each.code, f"by {', '.join(each.routes)}" if each.routes else ""]))
            for each in (recorded, now)
        )
        entry = {"what": "outcome", "message": recorded.message, "before": before, "after": after, "count": 0}
        found.setdefault((before, after), entry)["count"] += 1
    return list(found.values())


def _versions(recording: Recording, old: ConfigVersion, new: ConfigVersion) -> list[Mapping[str, Any]]:
    """Return the first message of each kind of difference between two versions, by route."""
    found: list[Mapping[str, Any]] = []
    messages = [each.message for each in recording.messages]
    pairs = pair(routes_of(old), routes_of(new))
    for before, after in pairs.both:
        if recording.head.queue not in (before.settings.queue, after.settings.queue):
            continue
        records = [(message, record) for message in messages if (record := record_of(before, message)) is not None]
        counts: Counter[tuple[str, str]] = Counter()
        for pair_ in records:
            counts.update({(each.attribute, each.what) for each in differences(before, after, [pair_], taking=True)})
        for each in differences(before, after, records, taking=True):
            what = f"attribute '{each.attribute}': {each.what}" if each.attribute else each.what
            results = {"before": each.before, "after": each.after, "count": counts[each.attribute, each.what]}
            found.append({"route": after.name, "what": what, "message": each.message, **results})
    for route in pairs.removed:
        if route.settings.queue == recording.head.queue:
            gone = {"what": "is removed", "message": None, "before": "", "after": "", "count": 1}
            found.append({"route": route.name, **gone})
    return found
