"""Runs the checks that plugins register."""

from router.errors import PluginError
from router.model import Code
from router.program.load import Loaded

CHECK_FAILED = Code(
    "RT508",
    "a plugin's check failed",
    "It raised, or returned what is no list of remarks, so that what it would have found is not known.",
)
RESERVED = "RT"
"""What the codes of plugins' remarks cannot begin with."""


def run_plugin_checks(loaded: Loaded) -> None:
    """Note what plugins remark on a config; a check that fails is a finding."""
    for run in loaded.plugins.checks if loaded.plugins else ():
        try:
            remarks = run(loaded.config)
        except PluginError as error:
            loaded.findings.add(CHECK_FAILED, str(error), ("plugins",), suggestion="mend the plugin")
            continue
        for remark in remarks:
            id_ = f"X-{remark.code}" if remark.code.startswith(RESERVED) else remark.code
            code = Code(id_, remark.sentence, "A plugin's check says so.", remark.severity)
            loaded.findings.add(code, remark.sentence, remark.path, suggestion=remark.suggestion)
