"""The jobs about a config while it is edited: its check, its outline, and the paths of its schemas."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, structs

from router.model import META_NAMES, JsonObject
from router.prover.budget import ProofBudget
from router.prover.predicates import text_of
from router.prover.schema_index import SchemaIndex
from router.runtime.config import spec
from router.runtime.program.load import Loaded, load
from router.tools.check.ledger import LedgerEntry, Verdict
from router.tools.check.rule import Example, code_of, shipped_examples, shipped_runbooks
from router.tools.check.run import examine, finding_record
from router.tools.console.files import as_unsaved, names_of
from router.tools.console.workspace import ConsoleError, Workspace
from router.tools.dev.compare import to_json
from router.tools.dev.local import saved_files
from router.tools.dev.records import make_record
from router.tools.dev.run_tests import test_name

_MAX_PATHS = 400
_MAX_STEPS = 5


class Draft(Struct, frozen=True):
    """A config as it is edited: its file, which is that of the console, and the texts that are not
    saved, by file.
    """

    config: str = ""
    unsaved: dict[str, str] = {}

    def load(self) -> Loaded:
        """Load it, unless it was the last one; a variable that is not set is a warning, as in
        `router graph`.
        """
        saved = saved_files(Path(self.config).absolute().parent)
        return _load(self.config, frozenset(self.unsaved.items()), frozenset(saved.items()))


@lru_cache(maxsize=1)
def _load(config: str, unsaved: Iterable[tuple[str, str]], saved: frozenset[Any]) -> Loaded:
    return load(Path(config), os.environ, "warning", as_unsaved(dict(unsaved)))


class PageClaim(Struct, frozen=True):
    """A claim about a route as the page shows it; `words` are its verdict as people read it."""

    route: str
    claim: str
    verdict: Verdict
    words: str
    reason: str
    file: str
    line: int


class Checked(Struct, frozen=True):
    """What `router check` says."""

    findings: list[JsonObject]
    claims: list[PageClaim]
    ignored: int


def check_config(given: Draft) -> Checked:
    """Run `router check` on a draft."""
    unsaved = as_unsaved(given.unsaved)
    report = examine(Path(given.config), os.environ, unset="warning", unsaved=unsaved)
    findings = [{**finding_record(each), "title": each.code.title} for each in report.findings]
    return Checked(findings, [*map(page_claim, report.ledger.entries)], len(report.ignored))


def page_claim(entry: LedgerEntry) -> PageClaim:
    """Return a claim as the page shows it."""
    reason = entry.reason
    if not reason and entry.assumes:
        reason = f"assuming that {entry.assumes}"
    if not reason:
        reason = "; ".join(filter(None, (", ".join(entry.codes), entry.example)))
    return PageClaim(
        route=entry.route,
        claim=f"{entry.kind} {entry.subject}".rstrip(),
        verdict=entry.verdict,
        words=entry.in_words,
        reason=reason,
        file=entry.place.file,
        line=entry.place.line,
    )


class SampleMessage(Struct, frozen=True):
    """The message of a test: as JSON, or, if it is raw, as the queue has it."""

    route: str
    queue: str
    name: str
    text: str
    raw: bool


class Outline(Struct, frozen=True):
    """What an editor completes and offers: the names of a config, and the messages of its tests."""

    files: list[str]
    queues: dict[str, list[str]]
    """The names of the routes that read each queue."""
    tables: list[str]
    transforms: list[str]
    envelopes: list[str]
    plugins: list[str]
    samples: list[SampleMessage]
    meta: tuple[str, ...] = META_NAMES


def outline(given: Draft) -> Outline | None:
    """Return the outline of a draft; None if it cannot be read."""
    loaded = given.load()
    config = loaded.config
    plugins = loaded.plugins
    if config is None or plugins is None:
        return None
    queues: dict[str, list[str]] = {}
    for name, route in config.routes.items():
        queues.setdefault(route.queue, []).append(name)
    return Outline(
        files=names_of(Path(given.config), loaded),
        queues=queues,
        tables=list(config.tables),
        transforms=list(plugins.transforms),
        envelopes=list(plugins.envelopes),
        plugins=list(plugins.names),
        samples=list(_samples(loaded, config)),
    )


def _samples(loaded: Loaded, config: spec.Config) -> Iterator[SampleMessage]:
    for name, route in config.routes.items():
        for index, test in enumerate(route.tests):
            label = test_name(test, index)
            for message in test.received:
                shown = _shown(message, loaded)
                if shown:
                    yield SampleMessage(name, route.queue, label, *shown)


def _shown(message: spec.ReceivedMessage, loaded: Loaded) -> tuple[str, bool] | None:
    """Return the text of a message, and whether it is raw; None if its file cannot be read."""
    if message.message is not UNSET:
        return to_json(message.message, indent=2), False
    if isinstance(message.body, str):
        return message.body, True
    if isinstance(message.record, dict):
        return to_json(message.record, indent=2), True
    if loaded.program is None:
        return None
    return make_record(message, spec.Queue(), folder=loaded.program.folder).body, False


def message_job(function: Callable[[Any], Any]) -> Callable[[Workspace, Draft], bytes]:
    """Return a call that runs a job about a draft while the page waits, with the config of the
    console.
    """
    return lambda workspace, given: workspace.messages.run(function, of_console(workspace, given))


def of_console(workspace: Workspace, draft: Draft) -> Draft:
    """Return a draft of the config of the console, whatever the page named."""
    return structs.replace(draft, config=str(workspace.config))


class RouteOfDraft(Draft, frozen=True):
    """A route of a draft."""

    route: str = ""


def paths_of_route(given: RouteOfDraft) -> list[str]:
    """Return the paths that the schema of a route declares, those of few steps first."""
    loaded = given.load()
    if loaded.config is None or given.route not in loaded.config.routes:
        return []
    validation = loaded.validation(given.route)
    if validation is None:
        return []
    index = SchemaIndex(validation, ProofBudget())
    found: list[tuple[str, ...]] = []
    waiting: list[tuple[str, ...]] = [()]
    # Breadth first: paths of few steps are what an editor offers first.
    while waiting and len(found) < _MAX_PATHS:
        steps = waiting.pop(0)
        inner = [(*steps, name) for name in index.names(steps)]
        found += inner
        if len(steps) < _MAX_STEPS:
            waiting += inner
    return [text_of(steps) for steps in found]


class CodePage(Struct, frozen=True):
    """What `router check --explain` says of a code."""

    code: str
    severity: str
    title: str
    why: str
    bad: str
    found: str
    good: str
    runbook: str
    """What to do where messages end with the code: Markdown."""


def explain_code(id_: str) -> CodePage:
    """Return what `router check --explain` says of a code; raises ConsoleError if there is none."""
    code = code_of(id_)
    if code is None:
        raise ConsoleError("unknown_code", f"there is no code {id_}", 404)
    example = shipped_examples().get(code.id, Example(""))
    return CodePage(
        code.id,
        code.severity,
        code.title,
        code.why,
        example.bad,
        example.found,
        example.good,
        shipped_runbooks().get(code.id, ""),
    )
