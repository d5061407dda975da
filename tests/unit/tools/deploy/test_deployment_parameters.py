"""The values of a template's parameters."""

from typing import Any

import pytest

from router.errors import UsageError
from router.tools.deploy.deployment import parameter_values
from router.tools.deploy.template.options import read_assignments

DECLARED: dict[str, dict[str, Any]] = {
    "CodeKey": {"Type": "String"},
    "VariableStage": {"Type": "String"},
    "VariablePrefix": {"Type": "String", "Default": ""},
    "AlarmTopic": {"Type": "String", "Default": ""},
}
VARIABLES = {"STAGE": "VariableStage", "PREFIX": "VariablePrefix"}


def values(given: dict[str, str], env: dict[str, str], kept: tuple[str, ...] = ()) -> dict[str, str | None]:
    """The values, with a key of the router."""
    return parameter_values(DECLARED, VARIABLES, given, env, {"CodeKey": "k"}, kept)


@pytest.mark.parametrize(
    ("given", "env", "expected"),
    [
        ({}, {"STAGE": "dev", "OTHER": "x"}, {"VariableStage": "dev"}),
        ({"STAGE": "prod"}, {"STAGE": "dev"}, {"VariableStage": "prod"}),
        ({"VariableStage": "prod"}, {}, {"VariableStage": "prod"}),
        # As at a start: an empty variable is none.
        ({"STAGE": "dev", "AlarmTopic": "arn"}, {"PREFIX": ""}, {"VariableStage": "dev", "AlarmTopic": "arn"}),
        ({"STAGE": "dev", "PREFIX": ""}, {"PREFIX": "x"}, {"VariableStage": "dev", "VariablePrefix": ""}),
    ],
)
def test_values(given: dict[str, str], env: dict[str, str], expected: dict[str, str]) -> None:
    """What is given goes before the environment, and a default is left to the template."""
    assert values(given, env) == {**expected, "CodeKey": "k"}


def test_kept() -> None:
    """A parameter of the stack that neither names keeps its value, which then need not be given."""
    found = values({"AlarmTopic": "arn"}, {"PREFIX": "x"}, ("VariableStage", "VariablePrefix", "AlarmTopic"))

    assert found == {"VariableStage": None, "VariablePrefix": "x", "AlarmTopic": "arn", "CodeKey": "k"}


@pytest.mark.parametrize("name", ["STAG", "CodeKey"])
def test_unknown(name: str) -> None:
    """A name that there is not, or that is ours, is reported with those there are."""
    with pytest.raises(UsageError) as caught:
        values({name: "x"}, {})

    assert str(caught.value) == f"there is no variable or parameter '{name}'; there are: STAGE, PREFIX, AlarmTopic"


def test_missing() -> None:
    """A variable that has no value is reported by its own name."""
    with pytest.raises(UsageError) as caught:
        values({}, {})

    assert str(caught.value) == "no value for STAGE: pass --parameter STAGE=… or set it in the environment"


def test_missing_parameter() -> None:
    """A parameter that is no variable of the config is not looked for in the environment."""
    with pytest.raises(UsageError) as caught:
        parameter_values({"Image": {}, **DECLARED}, VARIABLES, {}, {"Image": "x"}, {"CodeKey": "k"})

    assert str(caught.value) == "no value for Image, STAGE: pass --parameter Image=…"


def test_assignments() -> None:
    """NAME=VALUE: a value may be empty, and may have an equals sign."""
    assert read_assignments(["A=1", "B=", "C=x=y"]) == {"A": "1", "B": "", "C": "x=y"}


@pytest.mark.parametrize("text", ["A", "=x", ""])
def test_no_assignment(text: str) -> None:
    """What is none is reported."""
    with pytest.raises(UsageError, match=f"^'{text}' is not NAME=VALUE$"):
        read_assignments([text])
