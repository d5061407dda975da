from typing import Any

from router import hookimpl


@hookimpl
def router_transform_item(item: Any, route: Any) -> Any:
    return {**item, "device": route.options["devices"]["unknown"]}
