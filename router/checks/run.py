"""All that `router check` runs: loading, and what goes beyond it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from router.checks.rule import Subject
from router.checks.rules import RULES
from router.checks.schemas import SECOND_OPINION, second_opinion
from router.compile.load import Loaded, load
from router.errors import PluginError
from router.model import Code, Finding

CHECK_FAILED = Code(
    "RT508",
    "a plugin's check failed",
    "It raised, or returned what is no list of remarks, so that what it would have found is not known.",
)
RESERVED = "RT"
"""What the codes of plugins' remarks cannot begin with."""


def check(path: Path, env: Mapping[str, str], compare: Callable[[Loaded], None] | None = None) -> list[Finding]:
    """The findings of a config, in the order of the file; raises MissingExtra without the extra `cli`.

    `compare` notes in its findings what is found where no rule of ours looks: in AWS, with `--live`.
    """
    loaded = load(path, env)
    _run_rules(loaded)
    _check_schemas(loaded)
    _run_plugin_checks(loaded)
    if compare:
        compare(loaded)
    return list(loaded.findings)


def _run_rules(loaded: Loaded) -> None:
    if loaded.config is None or loaded.plugins is None or loaded.schemas is None:
        return
    subject = Subject(loaded.config, loaded.plugins, loaded.schemas)
    for rule in RULES:
        for found in rule(subject):
            loaded.findings.add(found.code, found.sentence, found.path, key=found.key, suggestion=found.suggestion)


def _check_schemas(loaded: Loaded) -> None:
    if loaded.schemas is None:
        return
    for name, document in loaded.schemas.documents.items():
        objection = second_opinion(document)
        if objection:
            loaded.findings.add(SECOND_OPINION, f"schema '{name}': {objection}", loaded.schemas.uses[name])


def _run_plugin_checks(loaded: Loaded) -> None:
    if loaded.plugins is None:
        return
    for run in loaded.plugins.checks:
        try:
            remarks = run(loaded.config)
        except PluginError as error:
            loaded.findings.add(CHECK_FAILED, str(error), ("plugins",), suggestion="mend the plugin")
            continue
        for remark in remarks:
            id_ = f"X-{remark.code}" if remark.code.startswith(RESERVED) else remark.code
            code = Code(id_, remark.sentence, "A plugin's check says so.", remark.severity)
            loaded.findings.add(code, remark.sentence, remark.path, suggestion=remark.suggestion)
