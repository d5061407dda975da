"""Makes the files of new routes, and verifies that the config with them passes its check and its
tests.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from router.errors import ConfigError, UsageError
from router.model import Finding
from router.tools.check.run import examine
from router.tools.deploy.file_writing import replace_file
from router.tools.dev.new.fields import values_at
from router.tools.dev.new.placeholders import replace_values
from router.tools.dev.new.plan import NewRoute, Plan
from router.tools.dev.new.shapes import Shape
from router.tools.dev.new.tables import NewTable
from router.tools.dev.records import ENCODER
from router.tools.dev.run_tests import Suite
from router.tools.dev.update import as_yaml
from router.tools.dev.yaml_edit import CannotUpdate, YamlFile, entry_text

_MAX_INLINE = 600
"""The most characters of a test's message, as JSON, in the config; a longer one has a file."""
_WIDTH = 96
WORKFLOW = "check-routes.yml"
_IGNORED = """\
.venv/
__pycache__/
dist/
# What `router dlq`, `router replay` and `router local --keep .router-local` write holds messages.
dropped-*.jsonl*
router-dlq-*.journal
router-replay-*
.router-local/
"""


class NewFile(Struct, frozen=True):
    """A file to write."""

    path: Path
    content: bytes
    before: bytes | None = None
    """Its content now, None if it does not exist."""


def make_files(plan: Plan, config: Path, masked: bool) -> list[NewFile]:
    """Return the files of a plan; `masked` replaces the values of messages in tests. Raises
    UsageError.
    """
    folder = config.parent
    files = []
    settings = {}
    for route in plan.routes:
        schema = f"schemas/{route.name}.json"
        files.append(NewFile(folder / schema, _json(route.schema)))
        test, message = _make_test(route, masked)
        if message is not None:
            files.append(NewFile(folder / test["file"], message))
        settings[route.name] = {**route.settings, "schema": schema, "tests": [test]}
    if config.exists():
        files.insert(0, _edit(config, plan, settings))
    else:
        files.insert(0, NewFile(config, _project(plan, settings).encode()))
        files += _surroundings(folder)
    for file in files:
        if file.before is None and file.path.exists():
            raise UsageError(f"{file.path} exists already; give another --name")
    return files


def _surroundings(folder: Path) -> list[NewFile]:
    """Return the other files of a project that are not there."""
    workflow = Path(__file__).with_name(WORKFLOW).read_bytes()
    files = [
        NewFile(folder / ".github/workflows" / WORKFLOW, workflow),
        NewFile(folder / ".gitignore", _IGNORED.encode()),
    ]
    return [file for file in files if not file.path.exists()]


def _json(value: Any) -> bytes:
    return msgspec.json.format(ENCODER.encode(value)) + b"\n"


def _make_test(route: NewRoute, masked: bool) -> tuple[dict[str, Any], bytes | None]:
    """Return the test of a route, and the content of its message's file, if it is long."""
    source = route.one_of or route
    message = min(source.shape.messages, key=_size)
    if masked:
        message = replace_values(message, source.schema)
    name = "what messages of all types have" if route.one_of else _name_of_test(route.shape)
    test: dict[str, Any] = {"name": name}
    content = None
    if _size(message) > _MAX_INLINE:
        test["file"] = f"messages/{route.name}.json"
        content = _json(message)
    else:
        test["message"] = as_yaml(message)
    # The keys of notifications have no path: they are in the elements of a list.
    key = {name: values_at([message], path)[0] for name, path in route.key.items() if path}
    if key:
        test["item_contains"] = as_yaml(key)
    return test, content


def _name_of_test(shape: Shape) -> str:
    if shape.having:
        return f"a message with {shape.having}"
    return f"a message of type {shape.value}" if shape.value else "a message"


def _size(message: Any) -> int:
    return len(ENCODER.encode(message))


def _edit(config: Path, plan: Plan, routes: Mapping[str, Any]) -> NewFile:
    """Return a config that exists with what is added to it."""
    file = YamlFile(config)
    before = file.content
    tables = {table.name: _table(table) for table in plan.tables}
    sections = {"queues": plan.queue, "tables": tables, "routes": routes}
    try:
        for section, entries in sections.items():
            for name, value in entries.items():
                file.add(section, name, value)
        for table in plan.tables:
            file.comment("tables", table.name, _comment(table))
    except CannotUpdate as error:
        raise UsageError(f"cannot add to {config}: {error}") from None
    return NewFile(config, file.content, before)


def _table(table: NewTable) -> dict[str, Any]:
    return {"key": dict(table.key)}


def _project(plan: Plan, routes: Mapping[str, Any]) -> str:
    """Return the text of a new config, with a comment above each table that says why it has this
    key.
    """
    lines = [
        "# `router check` validates this file, `router test` runs its tests.",
        "version: 1",
        "",
        "queues:",
    ]
    lines += [_entry(name, settings) for name, settings in plan.queue.items()]
    lines += ["", "tables:"]
    for table in plan.tables:
        lines += [f"  # {line}" for line in _comment(table)]
        lines.append(_entry(table.name, _table(table)))
    lines += ["", "routes:"]
    entries = [_entry(name, settings) for name, settings in routes.items()]
    lines.append("\n\n".join(entries))
    return "\n".join(lines) + "\n"


def _comment(table: NewTable) -> list[str]:
    """Return the lines of a comment that says why a table has its key, and how it is written."""
    lines: list[str] = []
    for note in table.notes:
        text = re.sub("[^ -~]", "?", note)
        lines += textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return lines


def _entry(name: str, settings: Any) -> str:
    return f"  {entry_text(name, settings, 2)}"


def write_files(files: Sequence[NewFile]) -> list[Path]:
    """Write files, and return the folders that were made for them; raises UsageError, after which
    nothing is changed.
    """
    written = []
    made: list[Path] = []
    for file in files:
        folder = file.path.parent
        try:
            made += [each for each in (folder, *folder.parents) if not each.exists()][::-1]
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(file.path, file.content)
            written.append(file)
        except OSError as error:
            undo(written, made)
            raise UsageError(
                f"cannot write {file.path}: {(error.strerror or 'error').lower()}"
            ) from None
    return made


def undo(files: Sequence[NewFile], made: Sequence[Path]) -> None:
    """Restore what was there before, and remove the folders that were made, each after its parent."""
    # What is deleted first makes room for what is restored.
    for file in sorted(files, key=lambda file: file.before is not None):
        if file.before is None:
            file.path.unlink(missing_ok=True)
        else:
            replace_file(file.path, file.before)
    for folder in reversed(made):
        # It stays if something else is in it by now.
        with suppress(OSError):
            folder.rmdir()


_LOST = re.compile(r"(?:in order|out of order), .*?(?=; out of order, |$)")
"""What two routes lose, in a finding about them."""


class Examined(Struct, frozen=True):
    """What is said of a config, each by its text without its place, which changes when something is
    added before it.
    """

    faults: Mapping[str, str] = {}
    """The errors, the warnings and the tests that fail."""
    undecided: Mapping[str, str] = {}
    """The claims on which `router check --strict` fails, though nothing is known to be wrong."""


def examine_config(config: Path, env: Mapping[str, str]) -> Examined:
    """Examine a config and run its tests; nothing is said of one that does not exist."""
    if not config.exists():
        return Examined()
    report = examine(config, env)
    findings = [each for each in report.findings if each.code.severity in ("error", "warning")]
    open_claims = [each.finding for each in report.ledger.entries if each.fails_strict]
    faults = _by_text(findings)
    # Errors of the config, for which no test can run, are among the findings.
    with suppress(ConfigError):
        for verdict in Suite(config, env).run():
            if not verdict.passed:
                name = f"test '{verdict.name}' of route '{verdict.route}'"
                faults[name] = f"{name} fails: {verdict.subjects}"
    return Examined(faults, _by_text(open_claims))


def _by_text(findings: Sequence[Finding]) -> dict[str, str]:
    return {f"{each.code.id} {each.sentence}": _in_short(each) for each in findings}


def _in_short(finding: Finding) -> str:
    """Return a finding; of two routes without their messages, and without their edit."""
    pair, _, lost = finding.sentence.partition(" write one item for ")
    if not lost:
        return str(finding)
    first, *_ = _LOST.findall(lost)
    return f"{finding.place}: {finding.code.severity} {finding.code.id} {pair} lose data of one item: {first}"
