"""Runs all of `router check`: loads the config, then runs the rules and the checks of plugins.

Findings are suppressed as `ignore` in the config says, and entries of it that are wrong or unused
are findings.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct, structs

from router.codes import RETIRED, declare
from router.errors import PluginError, RouterError, UsageError
from router.model import Code, Finding, Path, Place, Severity
from router.runtime.config import spec
from router.runtime.config.findings import Findings, describe, stopped
from router.runtime.config.merge import NO_UNSAVED, SECTIONS, Unsaved
from router.runtime.program.load import Loaded, load, without_garbage_collector
from router.tools.check.analysis.verdicts import Claim, Undecided
from router.tools.check.ledger import NO_LEDGER, Ledger, LedgerEntry, close_ledger, make_ledger
from router.tools.check.rule import (
    CHANGE,
    LIVE,
    RULES,
    Rule,
    RuleResult,
    Subject,
    SubjectT,
    code_of,
)

RULE_FAILED = declare(
    "RT009",
    "a rule failed",
    "What the rule would have reported is unknown. The fault is in the router, not in the config.",
)
CHECK_FAILED = declare(
    "RT508",
    "a plugin's check failed",
    "It raised an exception, or did not return a list of remarks, so that its result is unknown.",
)
REPORT = "report it, with a config that reproduces it"
# The prefixes of the codes of errors for which a part of the config is left out: errors of its
# text and shape.
_INCOMPLETE = ("RT0", "RT1")
# The prefix that the codes of plugins' remarks must not have.
_RESERVED = "RT"
CANNOT_IGNORE = declare(
    "RT109",
    "an `ignore` of a code that cannot be ignored",
    "With a file that cannot be read, or a route that cannot be compiled, the router does not start. A code that does "
    "not exist is a typo.",
)
NOTHING_TO_IGNORE = declare(
    "RT110",
    "an `ignore` that matches no finding",
    "The fault was fixed, or never existed. An entry that stays would hide the same fault if it is introduced again.",
    "warning",
)
# The prefix of the codes of outcomes of messages.
_OUTCOME = "RT8"


class Ignored(Struct, frozen=True):
    """A suppressed finding, and the reason that the config gives."""

    finding: Finding
    reason: str


class Report(Struct, frozen=True):
    """The findings of `router check`, those that `ignore` in the config suppresses, and the ledger
    of its claims.

    The ledger of a config that has errors, so that the router does not start, is empty. `left_out`
    are the plugins that are not loaded.
    """

    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...] = ()
    ledger: Ledger = NO_LEDGER
    left_out: tuple[str, ...] = ()


def examine(
    path: FilePath,
    env: Mapping[str, str],
    compare: Callable[[Loaded], None] | None = None,
    unset: Severity = "error",
    rules: Iterable[Rule[Subject]] | None = None,
    unsaved: Unsaved = NO_UNSAVED,
    *,
    with_plugins: bool = True,
) -> Report:
    """Return the findings of a config, in the order of the file, and the ignored ones.

    `compare` adds findings about what is deployed in AWS (`--live`). `unset` is the severity of a
    variable of the environment that is not set and has no default. `rules` are the rules to run,
    all by default. A file in `unsaved` is read from there. Without plugins, no code of the config
    is run, and nothing is decided about what they change.
    """
    # Paused once: each pause ends with a collection, which would look through all that is made so
    # far.
    with without_garbage_collector():
        loaded = load_to_examine(path, env, unset, unsaved, with_plugins=with_plugins)
        return examine_loaded(loaded, compare, rules)


def examine_loaded(
    loaded: Loaded,
    compare: Callable[[Loaded], None] | None = None,
    rules: Iterable[Rule[Subject]] | None = None,
) -> Report:
    """Return the findings of a config that is loaded, as `examine` does."""
    stopping = frozenset(finding for finding in loaded.findings if finding.code.severity == "error")
    entries: dict[Finding | Claim, LedgerEntry] = {}
    if loaded.config is not None and loaded.plugins is not None and loaded.schemas is not None:
        subject = Subject(
            loaded.config,
            loaded.plugins,
            loaded.schemas,
            whole=not any(finding.code.id.startswith(_INCOMPLETE) for finding in stopping),
            secrets=tuple(loaded.findings.secrets.uses),
            program=loaded.program,
        )
        results = run_rules(RULES.all() if rules is None else rules, subject, loaded.findings)
        if not stopping:
            entries = make_ledger(subject, results, loaded.findings)
        _run_plugin_checks(loaded)
    if compare:
        _compare(compare, loaded)
    ignored = ignore_findings(loaded, stopping, live=compare is not None)
    reasons = {each.finding: each.reason for each in ignored}
    findings = tuple(
        each for each in loaded.findings if each not in reasons and each not in entries
    )
    return Report(
        findings,
        tuple(each for each in ignored if each.finding not in entries),
        close_ledger(entries, reasons),
        loaded.plugins.left_out if loaded.plugins else (),
    )


def run_rules(
    rules: Iterable[Rule[SubjectT]], subject: SubjectT, findings: Findings
) -> list[RuleResult]:
    """Add the findings of rules, and return all that the rules say.

    A rule that fails is a finding, and the others still run. Raises UsageError if a rule does.
    """
    results: list[RuleResult] = []
    for rule in rules:
        try:
            for found in rule.find(subject):
                results.append(found)
                if isinstance(found, Undecided):
                    continue
                key = found.key or (len(found.path) == 2 and found.path[0] in SECTIONS)
                findings.add(
                    found.code,
                    found.sentence,
                    found.path,
                    key=key,
                    suggestion=found.suggestion,
                    beside=found.beside,
                )
        except UsageError:
            raise
        except BaseException as error:
            # jsonschema-rs raises its PanicException, which is not an Exception.
            findings.add(RULE_FAILED, _failure(f"rule '{rule.name}'", error), suggestion=REPORT)
    return results


def load_to_examine(
    path: FilePath,
    env: Mapping[str, str],
    unset: Severity = "error",
    unsaved: Unsaved = NO_UNSAVED,
    *,
    with_plugins: bool = True,
) -> Loaded:
    """Load the config; if the loader crashes, that is the only finding."""
    try:
        return load(path, env, unset, unsaved, with_plugins=with_plugins)
    except RouterError:
        raise
    except BaseException as error:  # a panic of jsonschema-rs, as above
        found = Finding(RULE_FAILED, _failure("loading", error), Place(str(path)), REPORT)
        return Loaded(None, stopped([found]))


def _run_plugin_checks(loaded: Loaded) -> None:
    """Add the remarks of plugins' checks; a check that fails is a finding."""
    for run in loaded.plugins.checks if loaded.plugins else ():
        try:
            remarks = run(loaded.config)
        except PluginError as error:
            loaded.findings.add(CHECK_FAILED, str(error), ("plugins",), suggestion="fix the plugin")
            continue
        for remark in remarks:
            id_ = f"X-{remark.code}" if remark.code.startswith(_RESERVED) else remark.code
            code = Code(id_, remark.sentence, "A plugin's check reports this.", remark.severity)
            loaded.findings.add(code, remark.sentence, remark.path, suggestion=remark.suggestion)


def _compare(compare: Callable[[Loaded], None], loaded: Loaded) -> None:
    try:
        compare(loaded)
    except RouterError:
        raise
    except BaseException as error:  # a panic of jsonschema-rs, as above
        loaded.findings.add(
            RULE_FAILED, _failure("the comparison with AWS", error), suggestion=REPORT
        )


def _failure(what: str, error: BaseException) -> str:
    """Return the sentence for a crash of the router itself; re-raises what ends the program."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    return f"{what} failed with {type(error).__name__}"


def finding_record(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON."""
    return {
        "code": finding.code.id,
        "severity": finding.code.severity,
        "sentence": finding.sentence,
        "suggestion": finding.suggestion,
        **structs.asdict(finding.place),
    }


def ignore_findings(loaded: Loaded, stopping: Collection[Finding], live: bool) -> list[Ignored]:
    """Return the findings that the config suppresses, and add findings about the entries of
    `ignore` themselves.

    `stopping` are the errors of loading, which cannot be ignored. `live` is true if AWS was
    compared.
    """
    settings = loaded.config.ignore if loaded.config else ()
    ignored: dict[Finding, str] = {}
    for index, each in enumerate(settings):
        where = ("ignore", index)
        matched = _matched(each, where, loaded.findings)
        refused = [finding for finding in matched if finding in stopping]
        fault = _why_not_ignored(each.code, code_of(each.code), bool(refused))
        if fault:
            sentence, advice = fault
            loaded.findings.add(CANNOT_IGNORE, sentence, (*where, "code"), suggestion=advice)
        elif (
            not matched
            and not stopping
            # What is left undecided without plugins may be found with them.
            and not (loaded.plugins and loaded.plugins.left_out)
            and not each.code.startswith(CHANGE if live else (CHANGE, LIVE))
        ):
            sentence = f"no finding matches {describe(where)}: {each.code}{f' at {each.at}' if each.at else ''}"
            loaded.findings.add(NOTHING_TO_IGNORE, sentence, where, suggestion="remove it")
        for finding in matched:
            if finding not in refused:
                ignored.setdefault(finding, each.reason)
    return [Ignored(finding, ignored[finding]) for finding in loaded.findings if finding in ignored]


def ignore_changes(settings: Sequence[spec.Ignore], findings: Findings) -> Mapping[Finding, str]:
    """Return the findings of `router diff` that the new config suppresses, with the reasons that it
    gives.
    """
    ignored: dict[Finding, str] = {}
    for index, each in enumerate(settings):
        for finding in _matched(each, ("ignore", index), findings):
            ignored.setdefault(finding, each.reason)
    return ignored


def _matched(ignore: spec.Ignore, where: Path, findings: Findings) -> list[Finding]:
    of_code = [finding for finding in findings if finding.code.id == ignore.code]
    return [each for each in of_code if is_about(ignore, where, findings.paths(each), findings)]


def is_about(ignore: spec.Ignore, where: Path, paths: Collection[Path], findings: Findings) -> bool:
    """Return whether an entry of `ignore`, which is somewhere in the config, is about some parts."""
    own_file = findings.locate(where).file
    root_file = findings.locate(()).file
    if own_file != root_file and all(findings.locate(path).file != own_file for path in paths):
        # An entry in an included file applies to this file only, so that a team cannot hide
        # findings of another.
        return False
    names = [".".join(map(str, path)) for path in paths]
    for part in (ignore.at, ignore.and_):
        if part and not any(f"{name}.".startswith(f"{part}.") for name in names):
            return False
    return True


def _why_not_ignored(name: str, code: Code | None, refused: bool) -> tuple[str, str] | None:
    """Return why a code cannot be ignored and what to do instead; None if it can."""
    if name in RETIRED:
        return None  # it matches no finding, which is reported
    if code is None:
        # A code without the prefix may be a plugin's; these are not known.
        if name.startswith("RT"):
            return (f"there is no code {name}", "correct it")
        return None
    if name.startswith(_OUTCOME):
        return f"{name} is the outcome of a message, and is never found in a config", "remove it"
    if refused or (name.startswith(_INCOMPLETE) and code.severity == "error"):
        return f"{name} cannot be ignored: it stops the router from starting", "fix what it reports"
    return None
