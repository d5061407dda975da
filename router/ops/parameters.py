"""The values of a template's parameters: from the command line, else from the environment, else its defaults."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.errors import UsageError


def read_assignments(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` as a mapping; raises UsageError."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise UsageError(f"'{each}' is no NAME=VALUE")
        found[name] = value
    return found


def with_given(env: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a config is read: what is given for a variable goes before."""
    return {**env, **given}


def parameter_values(
    declared: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, str],
    given: Mapping[str, str],
    env: Mapping[str, str],
    ours: Mapping[str, str],
) -> dict[str, str]:
    """The values to deploy with.

    `declared` are the parameters of the template, `variables` those for variables of the config, by the variables'
    names; `given` is by variable or by parameter; `ours` are parameters that nobody else sets. Raises UsageError for an
    unknown name, and for a parameter that has no value at all.
    """
    # The router takes the default for an empty variable, too.
    values = {parameter: env[variable] for variable, parameter in variables.items() if env.get(variable)}
    names = {parameter: variable for variable, parameter in variables.items()}
    for name, value in given.items():
        parameter = variables.get(name, name)
        if parameter not in declared or parameter in ours:
            known = ", ".join(names.get(each, each) for each in declared if each not in ours) or "none"
            raise UsageError(f"there is no variable or parameter '{name}'; there are: {known}")
        values[parameter] = value
    values |= ours
    missing = [names.get(each, each) for each in declared if each not in values and "Default" not in declared[each]]
    if missing:
        told = ", ".join(missing)
        where = " or in the environment" if set(missing) <= set(variables) else ""
        raise UsageError(f"no value for {told}: give it by --parameter {missing[0]}=…{where}")
    return values
