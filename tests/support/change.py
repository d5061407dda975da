"""What tests of other rooms use of `router.tools.change`."""

from router.tools.change.acceptance import compare_taking
from router.tools.change.compare import compare_versions
from router.tools.change.recording import outcome_of
from router.tools.change.routes import RouteVersion, routes_of
from router.tools.change.running import record_of, run
from router.tools.change.versions import ConfigVersion, open_version, open_versions

__all__ = [
    "ConfigVersion",
    "RouteVersion",
    "compare_taking",
    "compare_versions",
    "open_version",
    "open_versions",
    "outcome_of",
    "record_of",
    "routes_of",
    "run",
]
