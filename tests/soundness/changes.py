"""Compares what `router diff` says of edits of schemas with what happens to messages: `make soundness ONLY=diff`."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic, process_time
from typing import Any

import msgspec
from msgspec import Struct

from router.errors import ConfigError
from tests.soundness.corpus import PublicSchema, public_schemas
from tests.soundness.instances import Impossible, Maker
from tests.soundness.route_edits import ROUTE_EDITS, Places
from tests.soundness.workers import Ended, Pool
from tests.support.change import RouteVersion, compare_taking, open_version, record_of, routes_of, run
from tests.support.program import subschemas

SECONDS = 60.0
_MOST_SECONDS = 8
"""For the messages of one pair: of some schemas few are found, or each takes long."""
_MOST_BYTES = 256 * 1024
_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_ROUTE = {"queue": "things", "table": "things", "schema": "schema.json", "item": {"id": {"meta": "message_id"}}}
_CONFIG = {"version": 1, "tables": {"things": {"key": {"id": "S"}}}}
Schema = dict[str, Any]
Edit = Callable[[Schema, Random], bool]
"""Edits a subschema in place; returns whether it could."""


def _property(part: Schema, chance: Random) -> tuple[str, Schema] | None:
    """Return a property of an object that is described by a schema of its own."""
    properties = part.get("properties")
    named = (
        [name for name, each in properties.items() if isinstance(each, dict)] if isinstance(properties, dict) else []
    )
    name = chance.choice(sorted(named)) if named else ""
    return (name, properties[name]) if named and isinstance(properties, dict) else None


def _add_field(part: Schema, chance: Random) -> bool:
    if not isinstance(part.get("properties"), dict):
        return False
    part["properties"]["added"] = {"type": chance.choice(_TYPES)}
    return True


def _remove_field(part: Schema, chance: Random) -> bool:
    found = _property(part, chance)
    if found:
        del part["properties"][found[0]]
    return found is not None


def _require(part: Schema, chance: Random) -> bool:
    found = _property(part, chance)
    required = part.get("required", [])
    if not found or not isinstance(required, list) or found[0] in required:
        return False
    part["required"] = [*required, found[0]]
    return True


def _stop_requiring(part: Schema, chance: Random) -> bool:
    required = part.get("required")
    if not isinstance(required, list) or not required:
        return False
    left = [each for each in required if each != required[chance.randrange(len(required))]]
    part.pop("required")
    part.update({"required": left} if left else {})
    return True


def _on_property(edit: Edit) -> Edit:
    def run_edit(part: Schema, chance: Random) -> bool:
        found = _property(part, chance)
        return found is not None and edit(found[1], chance)

    return run_edit


def _widen_enum(part: Schema, chance: Random) -> bool:
    if not isinstance(part.get("enum"), list):
        return False
    part["enum"] = [*part["enum"], "one more"]
    return True


def _narrow_enum(part: Schema, chance: Random) -> bool:
    if not isinstance(part.get("enum"), list) or len(part["enum"]) < 2:
        return False
    part["enum"] = part["enum"][:-1]
    return True


def _change_type(part: Schema, chance: Random) -> bool:
    if not isinstance(part.get("type"), str):
        return False
    part["type"] = chance.choice([each for each in _TYPES if each != part["type"]])
    return True


def _allow_null(part: Schema, chance: Random) -> bool:
    if not isinstance(part.get("type"), str) or part["type"] == "null":
        return False
    part["type"] = [part["type"], "null"]
    return True


def _add_pattern(part: Schema, chance: Random) -> bool:
    if part.get("type") != "string" or "enum" in part:
        return False
    part["pattern"] = chance.choice(["^[a-z]+$", "^[A-Za-z0-9_-]{1,20}$", "."])
    return True


def _bound(part: Schema, chance: Random) -> bool:
    kind = part.get("type")
    keys = {"string": "maxLength", "integer": "maximum", "number": "minimum", "array": "maxItems"}
    if str(kind) not in keys:
        return False
    key = keys[str(kind)]
    old = part.get(key)
    part[key] = old + chance.choice([-1, 1]) if isinstance(old, int) and old > 1 else chance.randint(1, 20)
    return True


def _close(part: Schema, chance: Random) -> bool:
    if not isinstance(part.get("properties"), dict):
        return False
    part["additionalProperties"] = part.get("additionalProperties", True) is False
    return True


def _describe(part: Schema, chance: Random) -> bool:
    part["description"] = "Another description."
    return True


EDITS: dict[str, Edit] = {
    "field added": _add_field,
    "field removed": _remove_field,
    "field made required": _require,
    "field no longer required": _stop_requiring,
    "enum widened": _on_property(_widen_enum),
    "enum narrowed": _on_property(_narrow_enum),
    "type changed": _on_property(_change_type),
    "null allowed": _on_property(_allow_null),
    "pattern added": _on_property(_add_pattern),
    "bound changed": _on_property(_bound),
    "closed or opened": _close,
    "description": _describe,
}


class EditedSchema(Struct, frozen=True):
    """A public schema to edit in one place: what and where is decided by the seed."""

    schema: PublicSchema
    edit: str
    seed: int
    messages: int


class EditVerdict(Struct, frozen=True):
    """What was said of an edit; `wrong` is a message that contradicts it, as JSON. "" if it cannot be compared."""

    verdict: str = ""
    wrong: str = ""
    why: str = ""
    messages: int = 0
    seconds: float = 0.0


def perform_edit(task: EditedSchema) -> EditVerdict:
    """Edit a schema, compare it with what it was, and try messages of the old one on both."""
    chance = Random(f"{task.seed} {task.edit}")
    versions = _versions(task.schema.content(), task.edit, chance)
    if versions is None:
        return EditVerdict()
    old = versions[0][0]
    with TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            folders = (Path(folder) / name for name in ("old", "new"))
            before, after = (_route(each, *version, stack) for each, version in zip(folders, versions, strict=True))
        except ConfigError:
            return EditVerdict()
        start = process_time()
        taking = compare_taking(before, after, [])
        seconds = process_time() - start
        tried = list(_messages(old, before, chance, task.messages))
        lost = [message for message in tried if _is_lost(message, before, after)]
    if taking.example is not None:
        true = _is_lost(taking.example.message, before, after)
        return EditVerdict("breaking", "" if true else repr(taking.example.message), "", len(tried), seconds)
    if taking.proved:
        return EditVerdict("compatible", repr(lost[0]) if lost else "", "", len(tried), seconds)
    return EditVerdict("unknown", "", taking.unproved[0][1] + (" (missed)" if lost else ""), len(tried), seconds)


def _versions(schema: Any, edit: str, chance: Random) -> tuple[tuple[Any, Schema], tuple[Any, Schema]] | None:
    """Return the schema and settings of a route before and after an edit; None if it has no place for it."""
    if edit not in ROUTE_EDITS:
        new = _edited(schema, edit, chance)
        return None if new is None else ((schema, {}), (new, {}))
    if not isinstance(schema, dict) or len(msgspec.json.encode(schema)) > _MOST_BYTES:
        return None
    try:
        before, after = ROUTE_EDITS[edit](Places(schema, chance), chance)
    except IndexError:  # it declares no path
        return None
    drafts = [{"$schema": each.pop("$schema")} if "$schema" in each else {} for each in (before, after)]
    one, other = ({**schema, **draft} for draft in drafts)
    return (one, before), (other, after)


def _edited(old: Any, edit: str, chance: Random) -> Any:
    """Return the schema with an edit in a random subschema; None if it has no place for it, or is too large."""
    if not isinstance(old, dict) or len(msgspec.json.encode(old)) > _MOST_BYTES:
        return None
    new = deepcopy(old)
    parts = [part for _, part in subschemas(new)]
    chance.shuffle(parts)
    changed = next((True for part in parts if EDITS[edit](part, chance)), False)
    return new if changed and msgspec.json.encode(new) != msgspec.json.encode(old) else None


def _route(folder: Path, schema: Any, settings: Schema, stack: ExitStack) -> RouteVersion:
    folder.mkdir()
    config = {**_CONFIG, "routes": {"main": {**_ROUTE, **settings}}}
    (folder / "schema.json").write_bytes(msgspec.json.encode(schema))
    (folder / "routes.yaml").write_bytes(msgspec.json.encode(config))
    return routes_of(open_version(str(folder / "routes.yaml"), folder / "routes.yaml", {}, stack))["main"]


def _messages(schema: Any, route: RouteVersion, chance: Random, count: int) -> Iterator[Any]:
    """Yield messages of the old schema, made by what knows nothing of `router diff`."""
    maker = Maker(schema, chance)
    validate = route.compiled.validate
    until = monotonic() + _MOST_SECONDS
    for _ in range(4 * count):
        if monotonic() > until:
            return
        try:
            message = msgspec.json.decode(msgspec.json.encode(maker.message()))
        except (Impossible, TypeError, ValueError, RecursionError):
            continue
        if validate is None or validate(message) is None:
            yield message


def _is_lost(message: Any, old: RouteVersion, new: RouteVersion) -> bool:
    record = record_of(old, message)
    return record is not None and run(old, record).taken and not run(new, record).taken


def main() -> int:
    """Run everything and return the exit code: 1 if a verdict is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soundness.changes", description=__doc__)
    parser.add_argument("--pairs", type=int, default=2400, help="edited schemas (default: 2400)")
    parser.add_argument("--messages", type=int, default=2000, help="for each of them (default: 2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30, help="for all together (default: 30)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a CPU)")
    options = parser.parse_args()
    schemas = public_schemas(options.seed)
    chance, names = Random(options.seed), [*EDITS, *ROUTE_EDITS]
    tasks = [
        EditedSchema(chance.choice(schemas), names[number % len(names)], number, options.messages)
        for number in range(options.pairs)
    ]
    pool: Pool[EditedSchema, EditVerdict] = Pool(perform_edit, options.jobs, SECONDS, 25)
    results = list(pool.run(tasks, monotonic() + options.minutes * 60))
    table = _table(results)
    print(table)
    wrong = [(task, each) for task, each in results if isinstance(each, Ended) or each.wrong]
    for task, each in wrong:
        print(task.schema.name, task.edit, task.seed, each.reason if isinstance(each, Ended) else each, file=sys.stderr)
    reasons = Counter(each.why for _, each in results if isinstance(each, EditVerdict) and each.why)
    print(*(f"{count:5} {why}" for why, count in reasons.most_common()), sep="\n", file=sys.stderr)
    return 1 if wrong else 0


def _table(results: Sequence[tuple[EditedSchema, EditVerdict | Ended]]) -> str:
    lines = ["| edit | pairs | messages | compatible | breaking | unknown | contradicted | CPU, median | most |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in (*EDITS, *ROUTE_EDITS, "all"):
        found = [each for task, each in results if name in (task.edit, "all") and isinstance(each, EditVerdict)]
        known = [each for each in found if each.verdict]
        counts = Counter(each.verdict for each in known)
        seconds = sorted(each.seconds for each in known) or [0.0]
        unknown = f"{counts['unknown']} ({counts['unknown'] / max(1, len(known)):.1%})"
        messages = sum(each.messages for each in known)
        cells = [name, f"{len(known):,}", f"{messages:,}", counts["compatible"], counts["breaking"], unknown]
        cells += [sum(bool(each.wrong) for each in known), f"{1000 * seconds[len(seconds) // 2]:.0f} ms"]
        lines.append("| " + " | ".join(map(str, [*cells, f"{seconds[-1]:.1f} s"])) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
