"""The bucket of a deployment, on both servers."""

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.control_plane.artifacts import Artifacts
from router.tools.control_plane.clients import ServiceClient, caller_account, connect_services
from tests.support.dev import ACCOUNT, LocalAws

Inside = Callable[..., AbstractContextManager[None]]

CONTENT = b"code"
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def service(server: LocalAws, inside: Inside) -> ServiceClient:
    """The S3 client."""
    with inside(server):
        return connect_services(("s3",))["s3"]


@pytest.fixture(scope="module")
def account(server: LocalAws, inside: Inside) -> str:
    """The account of the server."""
    with inside(server):
        return caller_account(connect_services(("sts",))["sts"])[0]


def test_creates_its_own(service: ServiceClient, account: str, s3: Any, name: str) -> None:
    """The own bucket is private, encrypted and versioned, and refuses requests without TLS."""
    Artifacts(service, name, account).prepare()

    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    rule = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    assert (
        s3.get_bucket_versioning(Bucket=name)["Status"],
        rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        policy["Statement"],
    ) == (
        "Enabled",
        "AES256",
        [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    )


def test_tags(service: ServiceClient, account: str, s3: Any, name: str) -> None:
    """A bucket that is created has the tags of its deployment; later ones leave them."""
    for number in range(2):
        artifacts = Artifacts(service, name, account)
        artifacts.tags = {"cost": str(number)}
        artifacts.prepare()

    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "cost", "Value": "0"}]


def test_finds_its_own(service: ServiceClient, account: str, s3: Any, name: str) -> None:
    """An existing own bucket is used as it is."""
    artifacts = Artifacts(service, name, account)
    artifacts.prepare()
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})

    artifacts.prepare()

    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"


def test_completes_its_own(service: ServiceClient, account: str, s3: Any, name: str) -> None:
    """An own bucket whose creation was interrupted gets the missing settings."""
    s3.create_bucket(Bucket=name)

    Artifacts(service, name, account).prepare()

    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert "TlsOnly" in s3.get_bucket_policy(Bucket=name)["Policy"]


def test_named_bucket(service: ServiceClient, s3: Any, name: str) -> None:
    """A bucket that the user named is not changed."""
    s3.create_bucket(Bucket=name)

    Artifacts(service, name).prepare()

    assert "Status" not in s3.get_bucket_versioning(Bucket=name)


def test_missing_named_bucket(service: ServiceClient, name: str) -> None:
    """A bucket that the user named is not created."""
    with pytest.raises(UsageError) as caught:
        Artifacts(service, name).prepare()

    assert str(caught.value) == f"there is no bucket '{name}'; without --bucket one is created"


def test_existing_object(guarded: LocalAws, inside: Inside, name: str) -> None:
    """An object is identified by its content, not by its key alone."""
    with inside(guarded):
        service = connect_services(("s3",))["s3"]
    artifacts = Artifacts(service, name, ACCOUNT)
    artifacts.prepare()
    artifacts.put("other", b"something else", hashlib.sha256(b"something else").hexdigest())

    before = artifacts.has("code", SHA)
    artifacts.put("code", CONTENT, SHA)

    assert (before, artifacts.has("code", SHA), artifacts.has("other", SHA)) == (False, True, False)


def test_urls(service: ServiceClient) -> None:
    """The URL of an object is one for CloudFormation, in China too."""
    assert [Artifacts(service, "code", "1", partition).url("a/b.json") for partition in ("aws", "aws-cn")] == [
        "https://s3.us-east-1.amazonaws.com/code/a/b.json",
        "https://s3.us-east-1.amazonaws.com.cn/code/a/b.json",
    ]
