"""Runs all of `router check`: loads the config, then runs the rules and the checks of plugins."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from router.check.analysis.verdicts import Claim, Undecided
from router.check.ignore import Ignored, ignore_findings
from router.check.ledger import NO_LEDGER, Ledger, LedgerEntry, close_ledger, make_ledger
from router.check.rule import RULES, Rule, RuleResult, Subject, SubjectT
from router.codes import declare
from router.config.findings import Findings, stopped
from router.config.merge import NO_UNSAVED, SECTIONS, Unsaved
from router.errors import PluginError, RouterError, UsageError
from router.model import Code, Finding, Place, Severity
from router.program.load import Loaded, load, without_garbage_collector

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
INCOMPLETE = ("RT0", "RT1")
"""The prefixes of the codes of errors for which a part of the config is left out: errors of its text and shape."""
RESERVED = "RT"
"""The prefix that the codes of plugins' remarks must not have."""


class Report(Struct, frozen=True):
    """The findings of `router check`, those that `ignore` in the config suppresses, and the ledger of its claims.

    The ledger of a config that has errors, so that the router does not start, is empty.
    """

    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...] = ()
    ledger: Ledger = NO_LEDGER


def examine(
    path: Path,
    env: Mapping[str, str],
    compare: Callable[[Loaded], None] | None = None,
    unset: Severity = "error",
    rules: Iterable[Rule[Subject]] | None = None,
    unsaved: Unsaved = NO_UNSAVED,
) -> Report:
    """Return the findings of a config, in the order of the file, and the ignored ones.

    `compare` adds findings about what is deployed in AWS (`--live`). `unset` is the severity of a variable of the
    environment that is not set and has no default. `rules` are the rules to run, all by default. A file in `unsaved`
    is read from there.
    """
    # Paused once: each pause ends with a collection, which would look through all that is made so far.
    with without_garbage_collector():
        return _examine(path, env, compare, unset, rules, unsaved)


def _examine(
    path: Path,
    env: Mapping[str, str],
    compare: Callable[[Loaded], None] | None,
    unset: Severity,
    rules: Iterable[Rule[Subject]] | None,
    unsaved: Unsaved,
) -> Report:
    loaded = _load(path, env, unset, unsaved)
    stopping = frozenset(finding for finding in loaded.findings if finding.code.severity == "error")
    entries: dict[Finding | Claim, LedgerEntry] = {}
    if loaded.config is not None and loaded.plugins is not None and loaded.schemas is not None:
        whole = not any(finding.code.id.startswith(INCOMPLETE) for finding in stopping)
        subject = Subject(loaded.config, loaded.plugins, loaded.schemas, whole)
        results = run_rules(RULES.all() if rules is None else rules, subject, loaded.findings)
        if not stopping:
            entries = make_ledger(subject.routes, results, loaded.findings)
        _run_plugin_checks(loaded)
    if compare:
        _compare(compare, loaded)
    ignored = ignore_findings(loaded, stopping, live=compare is not None)
    reasons = {each.finding: each.reason for each in ignored}
    findings = tuple(each for each in loaded.findings if each not in reasons and each not in entries)
    return Report(
        findings, tuple(each for each in ignored if each.finding not in entries), close_ledger(entries, reasons)
    )


def run_rules(rules: Iterable[Rule[SubjectT]], subject: SubjectT, findings: Findings) -> list[RuleResult]:
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
                findings.add(found.code, found.sentence, found.path, key=key, suggestion=found.suggestion)
        except UsageError:
            raise
        except BaseException as error:  # jsonschema-rs raises its PanicException, which is not an Exception
            findings.add(RULE_FAILED, _failure(f"rule '{rule.name}'", error), suggestion=REPORT)
    return results


def _load(path: Path, env: Mapping[str, str], unset: Severity, unsaved: Unsaved) -> Loaded:
    """Load the config; if the loader crashes, that is the only finding."""
    try:
        return load(path, env, unset, unsaved)
    except RouterError:
        raise
    except BaseException as error:
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
            id_ = f"X-{remark.code}" if remark.code.startswith(RESERVED) else remark.code
            code = Code(id_, remark.sentence, "A plugin's check reports this.", remark.severity)
            loaded.findings.add(code, remark.sentence, remark.path, suggestion=remark.suggestion)


def _compare(compare: Callable[[Loaded], None], loaded: Loaded) -> None:
    try:
        compare(loaded)
    except RouterError:
        raise
    except BaseException as error:
        loaded.findings.add(RULE_FAILED, _failure("the comparison with AWS", error), suggestion=REPORT)


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
