from router import hookimpl


@hookimpl
def router_register_checks(register):
    register(owners)


def owners(config):
    return config["owners"]
