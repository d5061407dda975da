"""Connecting: what the environment must say, and what is said when it does not."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from router.aws.client import connect
from router.errors import MissingExtra, UsageError


def test_no_region(in_environment: Callable[..., None]) -> None:
    """Without a region the error names the variable to set."""
    in_environment(AWS_CONFIG_FILE="none")

    with pytest.raises(UsageError, match=r"^there is no AWS region: set AWS_REGION, e\.g\. AWS_REGION=eu-west-1$"):
        connect(1)


def test_no_such_profile(in_environment: Callable[..., None]) -> None:
    """A profile that is not there is an error of the environment."""
    in_environment(AWS_CONFIG_FILE="none", AWS_PROFILE="absent", AWS_REGION="eu-west-1")

    with pytest.raises(UsageError, match=r"^the AWS settings of this environment do not work: .*absent"):
        connect(1)


def test_no_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3 the error names the extra to install."""
    monkeypatch.delitem(sys.modules, "router.aws.boto", raising=False)
    monkeypatch.setattr("router.aws.boto", None, raising=False)
    monkeypatch.delattr("router.aws.boto")
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(MissingExtra, match=r"message-router\[worker\]"):
        connect(1)


def test_other_missing_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module missing for another reason is not passed off as a missing extra."""
    monkeypatch.setattr("router.aws.boto", None, raising=False)
    monkeypatch.delattr("router.aws.boto")
    monkeypatch.setitem(sys.modules, "router.aws.boto", None)

    with pytest.raises(ModuleNotFoundError, match=r"router\.aws\.boto"):
        connect(1)


def test_seam_costs_no_boto3() -> None:
    """The seam itself imports without boto3."""
    code = "import sys, router.aws.client; print('botocore' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
