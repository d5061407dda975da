"""Tables of an embedded AWS."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from router.model import Table
from router.tools.dev.emulator import create_table


@pytest.mark.parametrize(("attempts", "fails"), [(0, True), (1, False)])
def test_a_table_that_exists(attempts: int, fails: bool) -> None:
    """It is an error, unless the SDK made the call again: then the first call created the table."""
    client: Any = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_client_error("create_table", "ResourceInUseException", response_meta={"RetryAttempts": attempts})
        try:
            create_table(client, Table("things", (("id", "S"),)))
        except ClientError:
            assert fails
        else:
            assert not fails
