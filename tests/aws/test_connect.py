"""Connecting: the settings of the environment, and the errors about them."""

import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from router.errors import MissingExtra, UsageError
from router.runtime.aws.connect import TRANSPORT_VARIABLE, connect


@pytest.mark.parametrize("transport", ["direct", "boto3"])
def test_no_region(in_environment: Callable[..., None], transport: str) -> None:
    """Without a region the error names the variable to set."""
    in_environment(AWS_CONFIG_FILE="none", ROUTER_TRANSPORT=transport)

    with pytest.raises(UsageError, match=r"^there is no AWS region: set AWS_REGION, e\.g\. AWS_REGION=eu-west-1$"):
        connect(1)


@pytest.mark.parametrize("transport", ["direct", "boto3"])
def test_no_such_profile(in_environment: Callable[..., None], transport: str) -> None:
    """A profile that does not exist is an error of the environment."""
    in_environment(AWS_CONFIG_FILE="none", AWS_PROFILE="absent", AWS_REGION="eu-west-1", ROUTER_TRANSPORT=transport)

    with pytest.raises(UsageError, match=r"^the AWS settings of this environment do not work: .*absent"):
        connect(1)


def test_no_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3 the error names the extra to install."""
    monkeypatch.setenv(TRANSPORT_VARIABLE, "boto3")
    monkeypatch.delitem(sys.modules, "router.runtime.aws.boto", raising=False)
    monkeypatch.setattr("router.runtime.aws.boto", None, raising=False)
    monkeypatch.delattr("router.runtime.aws.boto")
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(MissingExtra, match=r"message-router\[worker\]"):
        connect(1)


def test_other_missing_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is missing for another reason is not reported as a missing extra."""
    monkeypatch.setenv(TRANSPORT_VARIABLE, "boto3")
    monkeypatch.setattr("router.runtime.aws.boto", None, raising=False)
    monkeypatch.delattr("router.runtime.aws.boto")
    monkeypatch.setitem(sys.modules, "router.runtime.aws.boto", None)

    with pytest.raises(ModuleNotFoundError, match=r"router\.runtime\.aws\.boto"):
        connect(1)


def test_no_such_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error about an unknown transport names the valid ones."""
    monkeypatch.setenv(TRANSPORT_VARIABLE, "boto")

    with pytest.raises(UsageError, match="ROUTER_TRANSPORT is 'boto'; there are 'direct' and 'boto3'"):
        connect(1)


WITHOUT_SDK = """
import sys
sys.modules["boto3"] = sys.modules["botocore"] = None
from router.runtime.aws.connect import TRANSPORT_VARIABLE, connect
print(type(connect(1).tables).__name__)
"""


def test_keys_in_the_environment_need_no_sdk() -> None:
    """As in Lambda: with region and keys in the environment neither boto3 nor botocore is imported."""
    env = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}

    done = subprocess.run([sys.executable, "-c", WITHOUT_SDK], env=env, capture_output=True, text=True, check=True)

    assert done.stdout == "DirectTables\n"


def test_interface_costs_no_boto3() -> None:
    """The interface and the choice of the client are imported without boto3."""
    code = "import sys, router.runtime.aws.connect, router.runtime.aws.protocols; print('botocore' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("transport", "fetches", "expected"),
    [("direct", True, "queues tables objects"), ("direct", False, "queues tables"), ("boto3", True, "")],
)
def test_the_clients_are_imported_before(transport: str, fetches: bool, expected: str) -> None:
    """The modules of the router's own clients, if they are the ones that it will connect by."""
    program = f"""
import sys
from router.runtime.aws.connect import import_clients
import_clients(fetches={fetches})
print(*[name for name in ("queues", "tables", "objects") if f"router.runtime.aws.http.{{name}}" in sys.modules])
print("boto3" in sys.modules)
"""
    env = {TRANSPORT_VARIABLE: transport, "PATH": ""}

    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)

    assert done.stdout == f"{expected}\nFalse\n"


@pytest.mark.parametrize(
    ("proxy", "taken"), [("https://127.0.0.1:9", "DynamoTables"), ("http://127.0.0.1:9", "DirectTables")]
)
def test_proxy_by_tls(in_environment: Callable[..., None], proxy: str, taken: str) -> None:
    """Only the SDK supports a proxy by TLS."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    in_environment(HTTPS_PROXY=proxy, **keys)

    assert type(connect(1).tables).__name__ == taken


@pytest.mark.parametrize(
    ("setting", "chosen", "taken"),
    [
        ("endpoint_url = http://127.0.0.1:9", "", "DynamoTables"),
        ("use_fips_endpoint=true", "", "DynamoTables"),
        ("output = json", "", "DirectTables"),
        ("endpoint_url = http://127.0.0.1:9", "direct", "DirectTables"),
    ],
)
def test_settings_of_a_profile(
    in_environment: Callable[..., None], tmp_path: Path, setting: str, chosen: str, taken: str
) -> None:
    """Settings of the config file that only the SDK supports select the SDK."""
    file = tmp_path / "config"
    file.write_text(f"[default]\nregion = eu-west-1\n{setting}\n")
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    in_environment(AWS_CONFIG_FILE=str(file), ROUTER_TRANSPORT=chosen, **keys)

    assert type(connect(1).tables).__name__ == taken


def test_all_services_share_the_certificates(
    in_environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificates of the five roots are read once, and no others."""
    in_environment(AWS_CONFIG_FILE="none", AWS_REGION="eu-west-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    made = []
    create = ssl.create_default_context

    def count(*, cadata: str) -> ssl.SSLContext:
        made.append(cadata.count("BEGIN CERTIFICATE"))
        return create(cadata=cadata)

    monkeypatch.setattr(ssl, "create_default_context", count)

    connect(1)

    assert made == [5]
