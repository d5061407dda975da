"""A plugin that cannot be imported."""

PLATFORMS: dict[str, str] = {}
DEFAULT = PLATFORMS["default"]
