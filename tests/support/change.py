"""What tests of other rooms use of `router.change`."""

from router.change.acceptance import compare_taking
from router.change.routes import RouteVersion, routes_of
from router.change.running import record_of, run
from router.change.versions import open_version, open_versions

__all__ = ["RouteVersion", "compare_taking", "open_version", "open_versions", "record_of", "routes_of", "run"]
