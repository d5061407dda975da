"""Endpoints: the same as botocore finds, in every region, and what the environment says instead."""

import itertools
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from router.errors import UsageError
from router.runtime.aws.http.endpoints import Endpoint, find_bucket, find_endpoint, parse_endpoint

OPERATIONS = {"dynamodb": "ListTables", "s3": "GetObject", "sqs": "ListQueues"}
BUCKETS = ("payloads", "pay.loads")


def from_botocore(session: Any, service: str, bucket: str, region: str, fips: bool, dual: bool) -> str:
    try:
        client = session.create_client(
            service,
            region_name=region,
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(
                use_fips_endpoint=fips,
                use_dualstack_endpoint=dual,
                s3={"us_east_1_regional_endpoint": "regional"},
            ),
        )
        operation = client.meta.service_model.operation_model(OPERATIONS[service])
        given = {"Bucket": bucket, "Key": "k"} if service == "s3" else {}
        return str(client._ruleset_resolver.construct_endpoint(operation, given, {}).url)
    except BotoCoreError:
        return "none"


def from_ours(service: Any, bucket: str, region: str, fips: bool, dual: bool) -> str:
    env = {"AWS_USE_FIPS_ENDPOINT": str(fips).lower(), "AWS_USE_DUALSTACK_ENDPOINT": str(dual).lower()}
    try:
        if service == "s3":
            endpoint, path = find_bucket(bucket, region, env)
            return f"https://{endpoint.host}{path}".removesuffix("/")
        return f"https://{find_endpoint(service, region, env).host}"
    except UsageError:
        return "none"


@pytest.mark.parametrize("service", OPERATIONS)
def test_as_botocore(service: str) -> None:
    """One region of each partition with all kinds of names; every region with its default name."""
    session = botocore.session.Session()
    session.set_config_variable("region", "us-east-1")
    cases: list[tuple[str, bool, bool]] = []
    for partition in session.get_available_partitions():
        regions = [r for r in session.get_available_regions(service, partition) if r != "local"]
        cases += [(region, False, False) for region in regions]
        cases += [(regions[0], fips, dual) for fips, dual in itertools.product((False, True), repeat=2) if regions]
    wrong = [
        (case, theirs, ours)
        for bucket in BUCKETS[: 1 + (service == "s3")]
        for case in cases
        if (theirs := from_botocore(session, service, bucket, *case)) != (ours := from_ours(service, bucket, *case))
    ]
    assert (len(cases) > 30, wrong) == (True, [])


@pytest.mark.parametrize(
    ("env", "endpoint"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, Endpoint("127.0.0.1", 4566, False)),
        (
            {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_SQS": "https://b"},
            Endpoint("b", 443, True),
        ),
        ({"AWS_ENDPOINT_URL": "http://[::1]:80/"}, Endpoint("::1", 80, False)),
        ({"AWS_ENDPOINT_URL": "http://local_stack.a-b.:1"}, Endpoint("local_stack.a-b.", 1, False)),
        (
            {"AWS_ENDPOINT_URL": "http://a:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            Endpoint("sqs.eu-west-1.amazonaws.com", 443, True),
        ),
    ],
)
def test_environment(env: dict[str, str], endpoint: Endpoint) -> None:
    """An endpoint of the service takes precedence over one of all services, and both over the region's."""
    assert find_endpoint("sqs", "eu-west-1", env) == endpoint


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        (Endpoint("a", 443, True), "a"),
        (Endpoint("a", 80, False), "a"),
        (Endpoint("a", 8080, False), "a:8080"),
        (Endpoint("::1", 4566, False), "[::1]:4566"),
    ],
)
def test_host(endpoint: Endpoint, host: str) -> None:
    """The Host header has the port unless it is the default one."""
    assert endpoint.host == host


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("localhost:4566", "localhost:4566"),
        ("ftp://a", "ftp://a"),
        ("http://", "http://"),
        ("http://a:x", "http://a:x"),
        ("http://a:0", "http://a:0"),
        ("http://[::1", "http://[::1"),
        ("http://a/path", "http://a/path"),
        ("http://a?query", "http://a?query"),
        ("http://a..b", "http://a..b"),
        ("http://a b", "http://a b"),
        ("http://é", "http://é"),
        (f"http://{'a' * 64}", f"http://{'a' * 64}"),
        ("http://[1:2]", "http://[1:2]"),
        ("http://user:secret@a", "http://a"),
        ("http://user:se://cret@a", "http://a"),
        ("user:secret@a", "a"),
    ],
)
def test_no_url(url: str, shown: str) -> None:
    """An invalid URL is an error, which shows no password."""
    with pytest.raises(UsageError) as raised:
        parse_endpoint(url)

    assert str(raised.value) == f"the endpoint '{shown}' is not http(s)://HOST[:PORT]"
