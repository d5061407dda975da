"""The short form of `make soak ONLY=stacks`: three of twenty configs, deployed, changed, rolled back, undeployed."""

from pathlib import Path

import pytest
from msgspec import structs

from tests.aws.stack_cases import CASES, Case
from tests.aws.stack_runs import StackRun
from tests.support.dev import LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")
SCANS = {"Effect": "Allow", "Action": ["dynamodb:Scan"], "Resource": ["*"]}
POLICY = {"PolicyName": "Scans", "PolicyDocument": {"Version": "2012-10-17", "Statement": [SCANS]}}


@pytest.mark.parametrize("case", [each for each in CASES if each.name in ("FIFO", "KMS keys", "worker")])
def test_stack(case: Case, guarded: LocalAws, tmp_path: Path) -> None:
    """What exists is what the config says, its role may do what its routes need, and undeploy leaves what is kept."""
    run = StackRun(case, 1, guarded, tmp_path)

    run.run(with_programs=False)

    assert run.wrong == []


def test_what_is_wrong(guarded: LocalAws, tmp_path: Path) -> None:
    """A queue with another setting than the config says, and a permission that no route needs, are found."""
    patch = {
        "AWS::SQS::Queue": {"Properties": {"VisibilityTimeout": 999}},
        "Role": {"Properties": {"Policies": [POLICY]}},
    }
    run = StackRun(structs.replace(CASES[0], patch=patch), 1, guarded, tmp_path)

    run.run(with_programs=False)

    assert {each.split(" ")[0] for each in run.wrong} == {"visibility", "actions"}, run.wrong
