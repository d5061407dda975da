"""All that `router check` runs: loading, and what goes beyond it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from router.check.codes import code_of
from router.check.ignore import Ignored, ignore_findings
from router.check.plugin_checks import run_plugin_checks
from router.check.rule import Subject
from router.check.rules import RULES
from router.check.running import REPORT, RULE_FAILED, failure, run_rules
from router.config.findings import stopped
from router.config.reading import without_garbage_collector
from router.errors import RouterError
from router.model import Finding, Place, Severity
from router.program.load import Loaded, load

UNREADABLE = ("RT0", "RT1")
"""How the codes of errors begin for which a part of the config is left out: of its text and of its shape."""


class Report(Struct, frozen=True):
    """What `router check` has to say: what is found, and what is passed over because the config says so."""

    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...] = ()


def check(path: Path, env: Mapping[str, str], compare: Callable[[Loaded], None] | None = None) -> list[Finding]:
    """The findings of a config, in the order of the file; raises MissingExtra without the extra `cli`."""
    return list(examine(path, env, compare).findings)


def examine(
    path: Path,
    env: Mapping[str, str],
    compare: Callable[[Loaded], None] | None = None,
    unset: Severity = "error",
) -> Report:
    """All that there is to say of a config, in the order of the file; raises MissingExtra without the extra `cli`.

    `compare` notes in its findings what is found where no rule of ours looks: in AWS, with `--live`. `unset` is how
    bad it is if a variable of the environment is not set and has no default.
    """
    loaded = _load(path, env, unset)
    stopping = frozenset(finding for finding in loaded.findings if finding.code.severity == "error")
    if loaded.config is not None and loaded.plugins is not None and loaded.schemas is not None:
        whole = not any(finding.code.id.startswith(UNREADABLE) for finding in stopping)
        with without_garbage_collector():
            run_rules(RULES, Subject(loaded.config, loaded.plugins, loaded.schemas, whole), loaded.findings)
        run_plugin_checks(loaded)
    if compare:
        _compare(compare, loaded)
    ignored = ignore_findings(loaded, stopping, code_of, live=compare is not None)
    passed_over = {each.finding for each in ignored}
    return Report(tuple(each for each in loaded.findings if each not in passed_over), tuple(ignored))


def _load(path: Path, env: Mapping[str, str], unset: Severity) -> Loaded:
    """What `load` does; where it crashes, that is a finding."""
    try:
        return load(path, env, unset)
    except RouterError:
        raise
    except BaseException as error:
        found = Finding(RULE_FAILED, failure("loading", error), Place(str(path)), REPORT)
        return Loaded(None, stopped([found]))


def _compare(compare: Callable[[Loaded], None], loaded: Loaded) -> None:
    try:
        compare(loaded)
    except RouterError:
        raise
    except BaseException as error:
        loaded.findings.add(RULE_FAILED, failure("the comparison with AWS", error), suggestion=REPORT)
