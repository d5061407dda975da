"""The environment that each program here runs in: keys, region, and the canned server as AWS."""

import os
from pathlib import Path

HERE = Path(__file__).parent


def prepare(endpoint: str, config: Path = HERE / "routes.yaml") -> dict[str, str]:
    """The environment of now without what it says of AWS, and with what a benchmark needs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ROUTER_"))}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "ROUTER_CONFIG": str(config),
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
