"""A plugin that cannot be imported."""

PLATFORMS = {}
DEFAULT = PLATFORMS["default"]
