"""Tests of a template as a whole: its order, its limits, its two forms, and what a new flow changes."""

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import ConfigError, UsageError
from router.tools.deploy.template.document import Document, as_json, as_yaml, make_document, read_for_deployment


def config(names: Any, queue: Any = "") -> Any:
    """A config with a flow of its own for each name."""
    queues = "".join(f"  {name}: {{dead_letter: {name}-dlq{queue}}}\n" for name in names)
    tables = "".join(f"  {name}: {{name: '${{STAGE:-dev}}-{name}', key: {{id: S}}}}\n" for name in names)
    routes = "".join(f"  {name}: {{queue: {name}, table: {name}}}\n" for name in names)
    return f"queues:\n{queues}tables:\n{tables}routes:\n{routes}"


DASHBOARD = "AWS::CloudWatch::Dashboard"
POLICY = "AWS::IAM::ManagedPolicy"


def distinct(document: Document) -> dict[str, Any]:
    """The resources that are not for several flows, without what they wait for."""
    resources = document.body["Resources"]
    return {
        id_: {name: value for name, value in each.items() if name != "DependsOn"}
        for id_, each in resources.items()
        if each["Type"] not in (DASHBOARD, POLICY)
    }


def allowed(document: Document) -> set[str]:
    """What the role may do, on which resource."""
    policies = [each for each in document.body["Resources"].values() if each["Type"] == POLICY]
    statements = [each for policy in policies for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    return {
        f"{action} {json.dumps(arn)}" for each in statements for action in each["Action"] for arn in each["Resource"]
    }


NAMES = ["orders", "clicks", "users", "devices", "x"]


@settings(max_examples=8, deadline=None)
@given(st.permutations(NAMES), st.data(), st.booleans())
def test_a_flow_only_adds(tmp_path_factory: pytest.TempPathFactory, names: Any, data: Any, worker: Any) -> None:
    """The template has the resources of the flow too; of the others only the dashboard and policies change."""
    place = data.draw(st.integers(0, len(names) - 1))
    fewer = [name for index, name in enumerate(names) if index != place]
    folder = tmp_path_factory.mktemp("flows")

    after, before = (_make(folder, config(chosen), worker) for chosen in (names, fewer))

    assert distinct(before).items() <= distinct(after).items()
    assert allowed(before) < allowed(after)


def test_a_route_only_adds(make: Any) -> None:
    """A route of a queue and a table which are there already changes only the dashboard, and what the role may do."""
    before = config(["orders", "clicks"])
    after = f"{before}  again: {{queue: orders, table: clicks, when: again == 'yes', write: {{mode: insert}}}}\n"

    assert distinct(make(before)) == distinct(make(after))
    assert allowed(make(before)) < allowed(make(after))


def _make(folder: Any, text: Any, worker: Any) -> Any:
    (folder / "routes.yaml").write_text(f"version: 1\n{text}", encoding="utf-8")
    return make_document(read_for_deployment(folder / "routes.yaml", {}), worker)


@pytest.mark.parametrize("worker", [False, True])
def test_both_forms_say_the_same(make: Any, worker: Any) -> None:
    """YAML and JSON, each as any reader takes it; what stands twice is written twice."""
    document = make(config(["orders", "clicks"]), worker)

    texts = (as_yaml(document), as_json(document))

    assert (yaml.safe_load(texts[0]), json.loads(texts[1]), "&id" in texts[0]) == (document.body, document.body, False)


def test_many_flows(make: Any, resolve: Any) -> None:
    """Sixty of them fit, with policies and alarms of their own; one alarm watches the retries of all."""
    document = make(config([f"flow-number-{number}" for number in range(60)]))

    template = resolve(document)
    # As many outputs as there are queues and tables are more than a stack has.
    assert set(document.body["Outputs"]) == {"FunctionName", "FunctionArn", "RoleArn", "LogGroupName", "DashboardName"}
    policies = [each for each in document.body["Resources"].values() if each["Type"] == POLICY]
    assert (len(document.body["Resources"]), len(policies) <= 10) == (60 * 8 + 8 + len(policies), True)
    alarms = template.resources("CloudWatch::Alarm")
    assert {name for name in alarms if name.startswith(("Retries", "Stalled", "InFlight"))} == {"RetriesAlarm"}
    assert [each.get("Expression") for each in alarms["RetriesAlarm"]["Metrics"]] == [
        "100 * retried / (retried + written)",
        *(
            f"SELECT SUM(router_messages_{kind}_total) FROM SCHEMA(MessageRouter, queue, service) "
            "WHERE service = 'flows'"
            for kind in ("retry", "written")
        ),
    ]
    assert [len(template.allowed()), len(template.widgets())] == [180, 4 * 61]


@pytest.mark.parametrize(
    ("names", "worker", "fault"),
    [
        (63, False, "the template has 51[0-9] resources, and CloudFormation accepts 500; split the config"),
        (51, True, "a service can scale on 50 queues, and the config has 51; split the config"),
    ],
)
def test_more_than_a_stack_holds(make: Any, names: Any, worker: Any, fault: Any) -> None:
    """It is reported before anything is deployed."""
    with pytest.raises(UsageError, match=fault):
        make(config([f"f{number}" for number in range(names)]), worker)


def test_all_limits_at_once(make: Any) -> None:
    """Whoever shortens one thing need not run into the next limit."""
    flows = config([f"flow-number-{number}-with-a-long-name" for number in range(180)])

    with pytest.raises(UsageError) as raised:
        make(f"function: {{environment: {{MORE: {'x' * 5000}}}}}\n{flows}")

    sentences = str(raised.value).split("; ")
    assert [re.sub(r"\d[\d,]*", "N", each) for each in sentences] == [
        "the function's environment variables have N bytes, and Lambda accepts N",
        "shorten function.environment, or let a plugin read a file",
        "the template has N resources, and CloudFormation accepts N",
        "the template has N bytes, and CloudFormation accepts N",
        "a role can have N policies, and these routes need N",
        "split the config, and deploy a stack for each part",
    ]


def test_more_parameters_than_a_template_has(make: Any) -> None:
    """Each variable is one."""
    texts = ", ".join(f"'${{VARIABLE_{number}:-}}'" for number in range(200))
    flow = config(["orders"]).replace("queue: orders", f"queue: orders, item: {{id: id, some: {{value: [{texts}]}}}}")

    with pytest.raises(UsageError, match="the template has 212 parameters, and CloudFormation accepts 200"):
        make(flow, worker=True)


@pytest.mark.parametrize("form", [as_yaml, as_json])
def test_a_template_that_is_too_long(make: Any, form: Any) -> None:
    """A megabyte is the most; a form with white space is longer than what is deployed."""
    tags = ", ".join(f"t{number}: {'v' * 98}" for number in range(49))
    names = [f"q{number}" for number in range(45)]
    queues = ", ".join(f"{name}: {{tags: {{{tags}}}}}" for name in names)
    routes = ", ".join(f"{name}: {{queue: {name}, table: things}}" for name in names)
    document = make(f"queues: {{{queues}}}\ntables: {{things: {{key: {{id: S}}}}}}\nroutes: {{{routes}}}\n")

    with pytest.raises(
        UsageError, match=r"the template has [12],\d\d\d,\d\d\d bytes, and CloudFormation accepts 1,000,000"
    ):
        form(document)


def test_a_template_that_is_too_long_in_any_form(make: Any) -> None:
    """It is measured as it is deployed, before anything is built."""
    tags = ", ".join(f"t{number}: {'v' * 250}" for number in range(49))
    names = [f"q{number}" for number in range(45)]
    queues = ", ".join(f"{name}: {{tags: {{{tags}}}}}" for name in names)
    routes = ", ".join(f"{name}: {{queue: {name}, table: things}}" for name in names)

    with pytest.raises(UsageError, match=r"the template has 1,[56]\d\d,\d\d\d bytes, and CloudFormation accepts"):
        make(f"queues: {{{queues}}}\ntables: {{things: {{key: {{id: S}}}}}}\nroutes: {{{routes}}}\n")


def test_many_routes_have_several_dashboards(make: Any, resolve: Any) -> None:
    """A dashboard has 500 widgets at most."""
    names = [f"q{number}" for number in range(81)]
    queues = ", ".join(f"{name}: {{managed: false}}" for name in names)
    routes = ", ".join(f"{name}: {{queue: {name}, table: things}}" for name in names)
    document = make(f"queues: {{{queues}}}\ntables: {{things: {{key: {{id: S}}}}}}\nroutes: {{{routes}}}\n")

    boards = resolve(document).resources("CloudWatch::Dashboard")
    counts = {name: len(json.loads(each["DashboardBody"])["widgets"]) for name, each in boards.items()}
    assert (counts, [each["DashboardName"] for each in boards.values()]) == (
        {"Dashboard": 324, "Dashboard2": 4},
        ["flows-eu-west-1", "flows-eu-west-1-2"],
    )


def test_a_config_with_faults_has_no_template(make: Any) -> None:
    """It is checked first, with all rules."""
    with pytest.raises(ConfigError) as raised:
        make(config(["orders"], ", lambda: {window: 10m}"))

    assert [finding.code.id for finding in raised.value.findings] == ["RT225"]


def test_what_the_parts_are(make: Any) -> None:
    """The routes that each queue and table is there for, and the variables."""
    document = make(config(["orders"]))

    assert document == Document(
        document.body,
        {
            "QueueOrders": ("orders",),
            "QueueOrdersDlq": ("orders",),
            "TableOrdersF7D6A76D": ("orders",),
            **{id_: ("orders",) for id_, each in document.body["Resources"].items() if each["Type"] == POLICY},
        },
        {"STAGE": "VariableStage"},
    )
