"""What tests of other rooms use of `router.change`."""

from router.change.acceptance import compare_taking
from router.change.compare import compare_versions
from router.change.routes import RouteVersion, routes_of
from router.change.running import record_of, run
from router.change.versions import ConfigVersion, open_version, open_versions

__all__ = [
    "ConfigVersion",
    "RouteVersion",
    "compare_taking",
    "compare_versions",
    "open_version",
    "open_versions",
    "record_of",
    "routes_of",
    "run",
]
