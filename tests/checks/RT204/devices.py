from router import hookimpl


@hookimpl
def router_transform_item(item, route):
    return {**item, "device": route.options["devices"]["unknown"]}
