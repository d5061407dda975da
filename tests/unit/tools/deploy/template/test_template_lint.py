"""cfn-lint finds nothing in templates, and their roles allow what the compiled writes do, and no more."""

import json
from collections import defaultdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.testing import deliver, record
from router.tools.deploy.template.document import as_json, make_document, read_for_deployment
from tests.support.check import READ, SEND
from tests.support.program import load_program
from tests.support.testing import MemoryTables

ROOT = Path(__file__).parents[5]
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890a"
ARN = "arn:aws:sqs:eu-west-1:123456789012:"
EVERYTHING = f"""\
version: 1
include: more.yaml
telemetry: {{metrics: route}}
owner: platform
owners: {{platform: {{alarm_topic: "arn:aws:sns:eu-west-1:123456789012:${{STAGE:-dev}}-alarms"}}}}
x-network: &network {{subnets: [subnet-0a1b2c3d], security_groups: ["${{GROUP:-sg-0a1b2c3d}}"]}}
x-geo: &geo {{GEO: "${{STAGE:-dev}}-geo"}}
function:
  {{reserved_concurrency: 50, vpc: *network, memory: 1769, timeout: 90s, architecture: x86_64, environment: *geo}}
worker: {{cpu: 2048, memory: 4096, min_tasks: 2, environment: {{GEO: "${{STAGE:-dev}}-geo"}}}}
x-senders: &senders ["arn:aws:sns:eu-west-1:123456789012:o", "${{BUCKET:-arn:aws:s3:::uploads}}", "210987654321"]
queues:
  plain:
    {{dead_letter: plain-dlq, senders: *senders, retention: 7d,
      lambda: {{batch_size: 500, window: 5s, maximum_concurrency: 20}}}}
  polled: {{lambda: {{pollers: {{min: 2, max: 20}}}}}}
  fifo: {{name: orders.fifo, dead_letter: orders-dlq.fifo, atomic: true, silent_after: 1h, max_receive_count: 9}}
  locked: {{name: "${{STAGE:-dev}}-locked", kms_key: "{KEY}1", dead_letter: locked-dlq}}
  pointers: {{envelope: [s3_pointer], s3_pointer: {{buckets: ["${{STAGE:-dev}}-payloads"], kms_key: "{KEY}3"}}}}
  existing: {{managed: false, dead_letter: existing-dlq}}
  by-arn: {{name: "{ARN}named", dead_letter: "https://sqs.eu-west-1.amazonaws.com/123456789012/named-dlq"}}
tables:
  things: {{key: {{id: S, n: N}}, ttl: gone, tags: {{stage: "${{STAGE:-dev}}", cost-center: "42"}}}}
  markers: {{key: {{id: S}}, ttl: gone, capacity: {{write: {{min: 5, max: 50}}, read: {{min: 1, max: 2, target: 90}}}}}}
  locked: {{name: "${{STAGE:-dev}}-locked", key: {{id: S}}, kms_key: "{KEY}2"}}
  existing: {{managed: false, key: {{id: S}}}}
  by-arn: {{name: "arn:aws:dynamodb:eu-west-1:123456789012:table/named", key: {{id: B}}}}
routes:
  put: {{queue: plain, table: things, owner: shop}}
  once: {{queue: plain, table: things, item: {{id: id, n: n, v: v}}, write: {{mode: update, add: [v], once: markers}}}}
  polled: {{queue: polled, table: things}}
  atomic: {{queue: fifo, table: locked}}
  insert: {{queue: locked, table: existing, write: {{mode: insert}}}}
  delete: {{queue: pointers, table: by-arn, item: {{id: id}}, write: {{mode: delete}}}}
  newest: {{queue: existing, table: locked, item: {{id: id, v: v}}, write: {{mode: newest, version: v}}}}
  careful: {{queue: by-arn, table: locked, item: {{id: id, v: v}}, write: {{mode: delete, version: v}}}}
"""
MORE = "tables: {more: {key: {id: S}}}\nroutes: {more: {queue: '${TEAM}-more', table: more}}\n"


def flows(count: Any) -> Any:
    """As many flows, each with queues and a table of its own."""
    names = [f"flow-number-{number}" for number in range(count)]
    queues = "".join(f"  {name}: {{dead_letter: {name}-dlq}}\n" for name in names)
    tables = "".join(f"  {name}: {{key: {{id: S}}}}\n" for name in names)
    routes = "".join(f"  {name}: {{queue: {name}, table: {name}}}\n" for name in names)
    return f"version: 1\nqueues:\n{queues}tables:\n{tables}routes:\n{routes}"


def lint_findings(template: str) -> list[str]:
    """What cfn-lint finds in a template, informational findings too."""
    from cfnlint.api import lint
    from cfnlint.config import ManualArgs

    # I3042 asks for AWS::Partition in ARNs, and some are what a config says.
    asked = ManualArgs(regions=["us-east-1"], include_checks=["I"], ignore_checks=["I3042"])
    return [f"{each.rule.id} {each.message} {each.path}" for each in lint(template, config=asked)]


@pytest.fixture(scope="session")
def findings() -> Any:
    """What cfn-lint finds in the template of a document."""
    return lambda document: lint_findings(as_json(document))


@pytest.mark.parametrize("worker", [False, True], ids=["function", "worker"])
@pytest.mark.parametrize("name", ["sample", "everything"])
def test_templates_are_sound(findings: Any, tmp_path: Path, name: Any, worker: Any) -> None:
    """That of the sample, and that of a config which has all that there is."""
    path = ROOT / "routes.yaml" if name == "sample" else tmp_path / "routes.yaml"
    if name == "everything":
        path.write_text(EVERYTHING, encoding="utf-8")
        (tmp_path / "more.yaml").write_text(MORE, encoding="utf-8")

    document = make_document(read_for_deployment(path, {}), worker)

    assert findings(document) == []


@pytest.mark.timeout(400)  # ten seconds, on a machine that does nothing else
def test_a_large_template_is_sound(findings: Any, tmp_path: Path) -> None:
    """One near the limit of resources, whose role has several policies."""
    (tmp_path / "routes.yaml").write_text(flows(50), encoding="utf-8")
    document = make_document(read_for_deployment(tmp_path / "routes.yaml", {}))

    policies = [each for each in document.body["Resources"].values() if each["Type"] == "AWS::IAM::ManagedPolicy"]
    assert (findings(document), len(policies) > 1) == ([], True)


WRITES = (
    "{mode: put}",
    "{mode: insert}",
    "{mode: newest, version: v}",
    "{mode: update}",
    "{mode: update, version: v}",
    "{mode: update, add: [v], once: markers}",
    "{mode: delete}",
    "{mode: delete, version: v}",
)
MESSAGES = [{"id": "a", "v": 1}, {"id": "b", "v": 2}]
KEYS = st.sampled_from(["", *(f", kms_key: '{KEY}{number}'" for number in range(3))])


@st.composite
def configs(draw: Any) -> Any:
    """Configs of up to three queues, with up to four routes, of all kinds."""
    queues, lines = {}, []
    for number in range(draw(st.integers(1, 3))):
        end = draw(st.sampled_from(["", ".fifo"]))
        stage = draw(st.sampled_from(["", "${STAGE:-dev}-"]))
        name = draw(st.sampled_from([f"{stage}q{number}{end}", f"{ARN}q{number}{end}"]))
        letters = draw(
            st.sampled_from(["", f", dead_letter: '{stage}l{number}{end}'", f", dead_letter: '{ARN}l{end}'"])
        )
        more = draw(st.sampled_from(["", ", atomic: true", ", managed: false", ", lambda: {batch_size: 5}"]))
        queues[f"queue-{number}"] = f"{{name: '{name}'{letters}{more}{draw(KEYS)}}}"
    tables = {"markers": "{key: {id: S}, ttl: gone}"}
    for number in range(2):
        more = draw(
            st.sampled_from(["", ", managed: false", ", ttl: gone", ", name: '${STAGE:-dev}-things'"][: 4 - number])
        )
        tables[f"things-{number}"] = f"{{key: {{id: S}}{more}{draw(KEYS)}}}"
    for number in range(draw(st.integers(1, 4))):
        queue, table = draw(st.sampled_from(sorted(queues))), draw(st.sampled_from(["things-0", "things-1"]))
        item = f"{{id: {{template: 'r{number}#{{id}}'}}, v: v}}"
        write = draw(st.sampled_from(WRITES))
        lines.append(f"  r{number}: {{queue: {queue}, table: {table}, item: {item}, write: {write}}}\n")
    sections = "".join(
        f"{section}:\n" + "".join(f"  {name}: {settings_}\n" for name, settings_ in entries.items())
        for section, entries in (("queues", queues), ("tables", tables))
    )
    return f"version: 1\n{sections}routes:\n{''.join(lines)}"


class Watched(MemoryTables):
    """Tables that note which permission each call needs."""

    used: "defaultdict[str, set[str]]"

    def batch_write(self, table: Any, requests: Any, timeout: float = 0, measured: bool = False) -> Any:
        self.used[table].add("dynamodb:BatchWriteItem")
        return super().batch_write(table, requests, timeout)

    def write(self, operation: Any, parameters: Any, timeout: float = 0, measured: bool = False) -> Any:
        self.used[parameters["TableName"]].add(f"dynamodb:{operation}Item")
        return super().write(operation, parameters, timeout)

    def transact(self, actions: Any, timeout: float = 0, measured: bool = False) -> Any:
        for operation, parameters in actions:
            self.used[parameters["TableName"]].add(f"dynamodb:{operation}Item")
        return super().transact(actions, timeout)


def used_by(program: Any, messages: Any) -> Any:
    """The actions on tables, by table, that the messages of each queue need."""
    tables = Watched.of(program)
    tables.used = defaultdict(set)
    for name, queue in program.engine.queues.items():
        settings_ = program.config.queues[name]
        group: dict[str, Any] = {"MessageGroupId": "g"} if queue.fifo else {}
        records = [record(each, queue=settings_, **group) for each in messages.get(name, MESSAGES)]
        deliver(program, name, records, tables=tables)
    return {f"table/{table}": actions | {"dynamodb:DescribeTable"} for table, actions in tables.used.items()}


def wanted(program: Any, worker: bool, messages: Any = MappingProxyType({})) -> Any:
    """All that the role has to allow, by the ends of ARNs: found without what the template uses for it.

    `messages` are those of queues that need others.
    """
    found = defaultdict(set, used_by(program, messages))
    for name, queue in program.engine.queues.items():
        settings_ = program.config.queues[name]
        found[queue.reference.rpartition(":")[2]].update(READ)
        if queue.dead_letter:
            found[queue.dead_letter.rpartition(":")[2]].update(SEND)
        if queue.dead_letter and not queue.fifo and not worker:
            found[queue.reference.rpartition(":")[2]].add("sqs:SendMessage")
        if settings_.kms_key:
            found[settings_.kms_key.rpartition(":")[2]].update(
                {"kms:Decrypt", *(["kms:GenerateDataKey"] if queue.dead_letter else [])}
            )
    for table in program.config.tables.values():
        if table.kms_key and f"table/{table.name or _name(program, table)}" in found:
            found[table.kms_key.rpartition(":")[2]].add("kms:Decrypt")
    return dict(found)


def _name(program: Any, table: Any) -> Any:
    return next(name for name, each in program.config.tables.items() if each is table)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configs(), st.booleans())
def test_the_role_allows_what_is_done(
    tmp_path_factory: pytest.TempPathFactory, resolve: Any, text: Any, worker: Any
) -> None:
    """Each action that messages need, on what they need it, and none besides."""
    path = tmp_path_factory.mktemp("role") / "routes.yaml"
    path.write_text(text, encoding="utf-8")
    document = make_document(read_for_deployment(path, {}), worker)

    allowed = resolve(document).allowed("TaskRole" if worker else "Role")

    assert {arn.rpartition(":")[2]: actions for arn, actions in allowed.items()} == wanted(
        load_program(path, {}), worker
    )


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configs(), st.booleans())
def test_any_template_is_sound(tmp_path_factory: pytest.TempPathFactory, findings: Any, text: Any, worker: Any) -> None:
    """Whatever the config says."""
    path = tmp_path_factory.mktemp("lint") / "routes.yaml"
    path.write_text(text, encoding="utf-8")

    assert findings(make_document(read_for_deployment(path, {}), worker)) == []


def test_an_action_that_is_new(make: Any, resolve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no statement has in it has one of its own: nothing that is needed is left out."""
    text = EVERYTHING.removeprefix("version: 1\n")
    usual = resolve(make(text, more=MORE), VariableTeam="a").allowed()
    monkeypatch.setattr("router.tools.deploy.template.policies.BUNDLES", ())

    assert resolve(make(text, more=MORE), VariableTeam="a").allowed() == usual


def test_payloads(make: Any, resolve: Any) -> None:
    """The role may list the bucket, without which S3 denies access to a missing object, and decrypt its objects."""
    document = make(EVERYTHING.removeprefix("version: 1\n"), more=MORE)

    allowed = resolve(document, VariableTeam="a").allowed()
    assert [allowed[arn] for arn in ("arn:aws:s3:::dev-payloads/*", "arn:aws:s3:::dev-payloads", f"{KEY}3")] == [
        {"s3:GetObject"},
        {"s3:ListBucket"},
        {"kms:Decrypt"},
    ]


def test_no_wildcards(make: Any, resolve: Any) -> None:
    """No action and no resource stands for several, but for the objects of a bucket."""
    document = make(EVERYTHING.removeprefix("version: 1\n"), more=MORE)

    allowed = resolve(document, VariableTeam="a").allowed()
    assert [arn for arn in allowed if "*" in arn] == ["arn:aws:s3:::dev-payloads/*"]
    assert "*" not in json.dumps([sorted(actions) for actions in allowed.values()])
