"""Derives the platform of an item from the name of its device.

An item with a text `device` gets `platform`: ios, android, web, or what the route's option `unknown` says (default
`other`). An item without one, or with a `platform` of its own, stays as it is.
"""

import re
from functools import lru_cache

from router import Item, Route, hookimpl

_PLATFORMS = (
    ("ios", re.compile(r"\b(iphone|ipad|ipod|ios\b)", re.IGNORECASE)),
    (
        "android",
        re.compile(
            r"\b(android|pixel|galaxy|samsung|sm-[a-z]|oneplus|xiaomi|redmi|poco|nexus|huawei|honor|oppo|vivo|realme"
            r"|moto\b|motorola)",
            re.IGNORECASE,
        ),
    ),
    (
        "web",
        re.compile(
            r"\b(chrome|chromium|firefox|safari|edge|edg|opera|mozilla|browser|web)\b",
            re.IGNORECASE,
        ),
    ),
)
"""The first that matches decides: a browser on a phone also says Safari or Chrome."""


@hookimpl
def router_transform_item(item: Item, route: Route) -> Item | None:
    """Add `platform` to an item that has a `device`."""
    device = item.get("device")
    if not isinstance(device, str) or "platform" in item:
        return None
    unknown = route.options.get("devices", {}).get("unknown", "other")
    return {**item, "platform": platform_of(device) or unknown}


@lru_cache(maxsize=1024)  # few models, many messages
def platform_of(device: str) -> str | None:
    """The platform of a device by its name: ios, android or web; None if the name is not known."""
    return next((platform for platform, pattern in _PLATFORMS if pattern.search(device)), None)
