"""What tests of other rooms use of `router.tools.change`."""

from router.tools.change.acceptance import compare_taking
from router.tools.change.change_codes import NO_LONGER_TAKEN, NOT_DECIDED, VERSION_NOT_STORED
from router.tools.change.recording import outcome_of
from router.tools.change.report import ChangeFinding, ConfigChange, DiffReport, RouteReport
from router.tools.change.routes import RouteVersion, routes_of
from router.tools.change.running import record_of, run
from router.tools.change.versions import ConfigVersion, open_version, open_versions

__all__ = [
    "NOT_DECIDED",
    "NO_LONGER_TAKEN",
    "VERSION_NOT_STORED",
    "ChangeFinding",
    "ConfigChange",
    "ConfigVersion",
    "DiffReport",
    "RouteReport",
    "RouteVersion",
    "compare_taking",
    "open_version",
    "open_versions",
    "outcome_of",
    "record_of",
    "routes_of",
    "run",
]
