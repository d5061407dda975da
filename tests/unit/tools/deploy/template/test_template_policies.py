"""Tests of the policies of a template's role: permissions are grouped by queue, and a change moves no others."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.deploy.template.document import Document
from router.tools.deploy.template.policies import MAX_MANAGED, Statement, _size

ARN = "arn:aws:sqs:eu-west-1:123456789012:"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/"
Allowed = dict[str, dict[str, set[str]]]


def flows(numbers: Sequence[int], managed: bool = True) -> str:
    """Flows with a queue and a table of their own."""
    settings = "" if managed else ", managed: false"
    queues = "".join(
        f"  q{n}: {{name: prod-orders-of-shop-{n}, dead_letter: letters-{n}{settings}}}\n" for n in numbers
    )
    tables = "".join(f"  t{n}: {{name: prod-orders-of-shop-{n}, key: {{id: S}}{settings}}}\n" for n in numbers)
    routes = "".join(f"  r{n}: {{queue: q{n}, table: t{n}, item: {{id: id}}}}\n" for n in numbers)
    return f"queues:\n{queues}tables:\n{tables}routes:\n{routes}"


@pytest.fixture
def allowed(make: Any, resolve: Any) -> Callable[[str], Allowed]:
    """What each policy of a config allows, by resource."""

    def read(config: str) -> Allowed:
        found: Allowed = {}
        for id_, policy in resolve(make(config)).resources("IAM::ManagedPolicy").items():
            for statement in policy["PolicyDocument"]["Statement"]:
                for resource in statement["Resource"]:
                    found.setdefault(id_, {}).setdefault(resource, set()).update(statement["Action"])
        return found

    return read


def test_one_policy_has_room(make: Any, resolve: Any) -> None:
    """A policy of its own, with what the routes need and the role that has it."""
    document = make(flows([1]))

    (policy,) = resolve(document).resources("IAM::ManagedPolicy").values()
    assert policy == {
        "Roles": ["Role"],
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "ReadAndPostpone",
                    "Effect": "Allow",
                    "Action": [
                        "sqs:ReceiveMessage",
                        "sqs:DeleteMessage",
                        "sqs:GetQueueAttributes",
                        "sqs:GetQueueUrl",
                        "sqs:ChangeMessageVisibility",
                        "sqs:SendMessage",
                    ],
                    "Resource": [f"{ARN}prod-orders-of-shop-1"],
                },
                {
                    "Sid": "SendDeadLetters",
                    "Effect": "Allow",
                    "Action": ["sqs:GetQueueUrl", "sqs:SendMessage"],
                    "Resource": [f"{ARN}letters-1"],
                },
                {
                    "Sid": "DescribeTables",
                    "Effect": "Allow",
                    "Action": ["dynamodb:DescribeTable"],
                    "Resource": [f"{TABLE}prod-orders-of-shop-1"],
                },
                {
                    "Sid": "WriteBatches",
                    "Effect": "Allow",
                    "Action": ["dynamodb:BatchWriteItem"],
                    "Resource": [f"{TABLE}prod-orders-of-shop-1"],
                },
            ],
        },
    }


@pytest.mark.parametrize("added", range(40, 60, 4))
def test_a_new_route_moves_no_other(allowed: Callable[[str], Allowed], added: int) -> None:
    """It changes the policy of its own group; all others stay, and a changed one gets another id."""
    before, after = (allowed(flows(numbers)) for numbers in (range(40), [*range(40), added]))

    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    (old,) = (before[id_] for id_ in gone)
    split: dict[str, set[str]] = {}
    for id_ in new:
        split |= after[id_]
    own = {f"{ARN}prod-orders-of-shop-{added}", f"{ARN}letters-{added}", f"{TABLE}prod-orders-of-shop-{added}"}
    assert len(before) > 1
    assert {arn: actions for arn, actions in split.items() if arn not in own} == old
    assert own <= split.keys()


def test_the_order_of_the_file_does_not_matter(make: Any) -> None:
    """Nor does the name of a route: a policy is the same."""
    documents = [make(flows(numbers)) for numbers in (range(30), [*reversed(range(30))])]

    policies: list[dict[str, Any]] = [
        {id_: each for id_, each in document.body["Resources"].items() if each["Type"] == "AWS::IAM::ManagedPolicy"}
        for document in documents
    ]
    assert policies[0] == policies[1]


def test_each_fits(make: Any) -> None:
    """Each policy is within the limit of its size; together they are within that of a role."""
    document = make(flows(range(60)))

    statements = [
        [Statement(each["Sid"], tuple(each["Action"]), tuple(map(str, each["Resource"]))) for each in part]
        for part in (
            each["Properties"]["PolicyDocument"]["Statement"]
            for each in document.body["Resources"].values()
            if each["Type"] == "AWS::IAM::ManagedPolicy"
        )
    ]
    assert ([_size(each) for each in statements if _size(each) > MAX_MANAGED], len(statements) <= 10) == ([], True)


def test_one_queue_of_many_routes(make: Any, resolve: Any) -> None:
    """Routes of one queue are together as far as they fit; its mapping waits for the policies of all of them."""
    tables = "".join(f"  t{n}: {{name: prod-orders-of-shop-{n}, key: {{id: S}}, managed: false}}\n" for n in range(60))
    routes = "".join(f"  r{n}: {{queue: q, table: t{n}, item: {{id: id}}}}\n" for n in range(60))

    document = make(f"queues: {{q: {{dead_letter: letters}}}}\ntables:\n{tables}routes:\n{routes}")

    policies = list(resolve(document).resources("IAM::ManagedPolicy"))
    assert (len(policies) > 1, document.body["Resources"]["MappingQ"]["DependsOn"]) == (True, policies)


def test_what_needs_them_comes_after(make: Any) -> None:
    """The function depends on all policies, a mapping on those of its queue, the service on all."""
    config = flows(range(30))
    function, worker = make(config), make(config, worker=True)

    def policies(document: Document) -> list[str]:
        return [id_ for id_, each in document.body["Resources"].items() if each["Type"] == "AWS::IAM::ManagedPolicy"]

    def depends_on(document: Document, id_: str) -> list[str]:
        needed: list[str] = document.body["Resources"][id_]["DependsOn"]
        return needed

    mappings = {id_: depends_on(function, id_) for id_ in function.body["Resources"] if id_.startswith("Mapping")}
    assert depends_on(function, "Function") == policies(function)
    assert depends_on(worker, "Service") == policies(worker)
    assert {len(each) for each in mappings.values()} == {1}
    assert {each for (each,) in mappings.values()} == set(policies(function))


@pytest.mark.parametrize("stage", ["prod", "${STAGE}"])
def test_a_thousand_routes(make: Any, resolve: Any, stage: str) -> None:
    """Routes that share forty queues and tables take a few policies: none repeats a table."""
    names = [*range(40)]
    queues = "".join(f'  q{n}: {{name: "{stage}-orders-of-shop-{n}", dead_letter: letters-{n}}}\n' for n in names)
    tables = "".join(f'  t{n}: {{name: "{stage}-orders-of-shop-{n}", key: {{id: S}}}}\n' for n in names)
    routes = "".join(
        f"  r{n}: {{queue: q{n % 40}, table: t{n // 40 % 40}, when: kind == '{n}', item: {{id: id}}}}\n"
        for n in range(1000)
    )

    document = make(f"queues:\n{queues}tables:\n{tables}routes:\n{routes}")

    found = resolve(document, VariableStage="prod").resources("IAM::ManagedPolicy")
    assert len(found) <= 4


def test_a_shared_table_is_allowed_once(allowed: Callable[[str], Allowed]) -> None:
    """In one policy, whichever the queues of its routes are; a new route of theirs changes nothing."""
    numbers = range(60)
    queues = "".join(f"  q{n}: {{name: prod-orders-of-shop-{n}, dead_letter: letters-{n}}}\n" for n in numbers)
    tables = "tables: {shared: {name: prod-shared, key: {id: S}}, other: {name: prod-other, key: {id: S}}}\n"
    routes = "".join(f"  r{n}: {{queue: q{n}, table: shared, item: {{id: id}}}}\n" for n in numbers)
    before = f"queues:\n{queues}{tables}routes:\n{routes}"
    more = "  more: {queue: q1, table: shared, when: kind == 'more', item: {id: id}}\n"

    found = allowed(before)

    assert len(found) > 1
    assert [f"{TABLE}prod-shared" in each for each in found.values()].count(True) == 1
    assert allowed(before + more) == found


def test_more_than_a_role_can_have(make: Any) -> None:
    """Somebody has to split the config then; the limit of 500 resources comes first if the stack makes the queues."""
    with pytest.raises(
        UsageError, match=r"a role can have 10 policies, and these routes need 1[0-9]; split the config"
    ):
        make(flows(range(170), managed=False))


KEY = "arn:aws:kms:eu-west-1:123456789012:key/{}234abcd-12ab-34cd-56ef-1234567890ab"


def test_previous_keys(make: Any, resolve: Any) -> None:
    """What is stored can still be decrypted with the key of before; nothing is encrypted with that any more."""
    config = (
        f"queues: {{q: {{dead_letter: letters, kms_key: '{KEY.format(1)}', kms_key_previous: '{KEY.format(2)}'}}}}\n"
        f"tables: {{things: {{key: {{id: S}}, kms_key_previous: '{KEY.format(3)}'}}}}\n"
        "routes: {r: {queue: q, table: things}}\n"
    )

    document = make(config)

    allowed = resolve(document).allowed()
    assert {arn: actions for arn, actions in allowed.items() if ":kms:" in arn} == {
        KEY.format(1): {"kms:Decrypt", "kms:GenerateDataKey"},
        KEY.format(2): {"kms:Decrypt"},
        KEY.format(3): {"kms:Decrypt"},
    }
    assert document.previous_keys == {
        "QueueQ": KEY.format(2),
        "QueueLetters": KEY.format(2),
        "TableThings": KEY.format(3),
    }
