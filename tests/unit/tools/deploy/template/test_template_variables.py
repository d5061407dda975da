"""Tests of router.tools.deploy.template.expressions: variables of the config are parameters of the template."""

from typing import Any

import pytest

from router.errors import UsageError

FLOW = "tables: {things: {name: '${STAGE:-dev}-things', key: {id: S}}}\nroutes: {r: {queue: q, table: things}}\n"
LETTERS = "queues: {q: {dead_letter: letters}}\n"


def test_a_variable_is_a_parameter(make: Any, resolve: Any) -> None:
    """With its default, which counts for an empty value too; names that are made have to stay names."""
    document = make(LETTERS + FLOW)

    assert (document.body["Parameters"]["VariableStage"], document.variables) == (
        {
            "Type": "String",
            "Description": "The variable STAGE of the config",
            "Default": "dev",
            "MinLength": 1,
            "AllowedPattern": "[A-Za-z0-9_.-]*",
            "ConstraintDescription": "letters, digits, '_', '.' and '-'",
        },
        {"STAGE": "VariableStage"},
    )
    tables = [resolve(document, **values).resources("DynamoDB::Table") for values in ({}, {"VariableStage": "prod"})]
    assert [each["TableName"] for (each,) in map(dict.values, tables)] == ["dev-things", "prod-things"]


def test_the_environment_does_not_matter(make: Any) -> None:
    """A template is the same wherever it is made."""
    assert make(LETTERS + FLOW, env={"STAGE": "prod"}) == make(LETTERS + FLOW)


def test_numbers_of_variables(make: Any, resolve: Any) -> None:
    """A number is that of the default; a number without one has to be given."""
    flow = "queues: {q: {dead_letter: letters, lambda: {batch_size: '${BATCH:-50}'}}}\n" + FLOW

    sizes = [
        mapping["BatchSize"]
        for env in ({}, {"BATCH": "5"})
        for mapping in resolve(make(flow, env=env)).resources("Lambda::EventSourceMapping").values()
    ]
    with pytest.raises(UsageError) as raised:
        make(flow.replace(":-50", ""))

    assert sizes == [50, 5]
    assert str(raised.value) == (
        "'batch_size' of 'lambda' of queue 'q' has the value of the variable BATCH, which has none: give it a default, "
        "as in ${BATCH:-10}, or pass a value by --env-file"
    )


@pytest.mark.parametrize(
    ("written", "more"),
    [
        ("${AB}", {}),
        ("${AB:-x}-${AB:-y}", {}),
        ("${AB}-${AB:-x}", {"Default": "x", "MinLength": 1}),
        ("${AB:-}", {"Default": ""}),
    ],
)
def test_defaults(make: Any, written: Any, more: Any) -> None:
    """Without a default, or with two, somebody has to say what the value is."""
    flow = FLOW.replace("${STAGE:-dev}", "x").replace("table: things}", f"table: things, when: \"id == '{written}'\"}}")

    document = make(LETTERS + flow)

    assert document.body["Parameters"]["VariableAb"] == {
        "Type": "String",
        "Description": "The variable AB of the config",
        "NoEcho": True,
        **more,
    }


def test_where_variables_are_known_to_the_function(make: Any, resolve: Any) -> None:
    """All of them, of all files, and what the config adds; what AWS sets itself is not set."""
    config = (
        "include: flows.yaml\nfunction: {environment: {GEO: '${STAGE:-dev}-geo', PRICE: '$${X}'}}\n"
        "queues: {q: {dead_letter: 'arn:aws:sqs:${AWS_REGION}:123456789012:letters'}}\n"
    )
    document = make(config, env={"AWS_REGION": "eu-west-1"}, flows=FLOW.replace("dev}", "dev}-${TEAM}"))

    (function,) = resolve(document, VariableTeam="a").resources("Lambda::Function").values()
    assert function["Environment"] == {
        "Variables": {"ROUTER_SERVICE": "flows", "STAGE": "dev", "TEAM": "a", "GEO": "dev-geo", "PRICE": "${X}"}
    }
    assert [name for name in document.body["Parameters"] if name.startswith("Variable")] == [
        "VariableStage",
        "VariableTeam",
    ]


def test_the_worker_has_them_too(make: Any, resolve: Any) -> None:
    """In its container."""
    document = make(f"worker: {{environment: {{MORE: x}}}}\n{LETTERS}{FLOW}", worker=True)

    (task,) = resolve(document).resources("ECS::TaskDefinition").values()
    assert task["ContainerDefinitions"][0]["Environment"] == [
        {"Name": "ROUTER_METRICS", "Value": "cloudwatch"},
        {"Name": "ROUTER_SERVICE", "Value": "flows"},
        {"Name": "STAGE", "Value": "dev"},
        {"Name": "MORE", "Value": "x"},
    ]


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (
            f"function: {{environment: {{STAGE: x}}}}\n{LETTERS}{FLOW}",
            (
                "'STAGE' of function.environment is a variable of the config, and so a parameter of the template; "
                "remove it there, and give its value as VariableStage"
            ),
        ),
        (
            LETTERS + FLOW.replace("STAGE", "S"),
            "the config has ${S}, and Lambda rejects a variable of that name; rename it",
        ),
        (
            LETTERS + FLOW.replace("STAGE", "AWS_LAMBDA_FUNCTION_NAME"),
            "the config has ${AWS_LAMBDA_FUNCTION_NAME}, and Lambda rejects a variable of that name; rename it",
        ),
    ],
)
def test_variables_that_cannot_be(make: Any, config: Any, fault: Any) -> None:
    """Each is reported with what to do."""
    with pytest.raises(UsageError) as raised:
        make(config)

    assert str(raised.value) == fault


@pytest.mark.parametrize("name", ["S", "AWS_LAMBDA_FUNCTION_NAME"])
def test_the_worker_accepts_variables_that_lambda_rejects(make: Any, name: str) -> None:
    """The rules of Lambda apply to the function only."""
    document = make(LETTERS + FLOW.replace("STAGE", name), worker=True)

    assert document.variables == {name: next(iter(document.variables.values()))}


def test_more_than_the_environment_holds(make: Any) -> None:
    """Lambda takes four kilobytes."""
    with pytest.raises(
        UsageError, match=r"the function's environment variables have 5,0[0-9][0-9] bytes, and Lambda accepts"
    ):
        make(f"function: {{environment: {{MORE: {'x' * 5000}}}}}\n{LETTERS}{FLOW}")


def test_the_key_of_redact(make: Any, resolve: Any) -> None:
    """It is a parameter that is not shown, though no text of the config refers to it."""
    document = make("queues: {q: {dead_letter: letters, redact: [email]}}\n" + FLOW)

    (function,) = resolve(document, VariableRouterRedactKey="k" * 16).resources("Lambda::Function").values()
    assert (document.body["Parameters"]["VariableRouterRedactKey"], document.variables["ROUTER_REDACT_KEY"]) == (
        {"Type": "String", "Description": "The variable ROUTER_REDACT_KEY of the config", "NoEcho": True},
        "VariableRouterRedactKey",
    )
    assert function["Environment"]["Variables"]["ROUTER_REDACT_KEY"] == "k" * 16
