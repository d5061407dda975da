"""Messages through the engine without any AWS: what `router test`, `explain` and the pytest plugin stand on."""
