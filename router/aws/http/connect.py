"""Connects to AWS without an SDK; S3 alone is read through boto3, and by those only who follow pointers."""

import threading
from collections.abc import Mapping

from router.aws.client import Aws, Objects
from router.aws.faults import Fault
from router.aws.http.connections import Connections
from router.aws.http.credentials import GetCredentials, find_credentials, find_region
from router.aws.http.endpoints import ServiceName, find_endpoint
from router.aws.http.queues import PREFIX as SQS_PREFIX
from router.aws.http.queues import DirectQueues
from router.aws.http.service import Service
from router.aws.http.sigv4 import Scope
from router.aws.http.tables import PREFIX as DYNAMODB_PREFIX
from router.aws.http.tables import DirectTables
from router.errors import MissingExtra


def connect(env: Mapping[str, str], max_connections: int) -> Aws:
    """Connect with what the environment says; raises UsageError (no region), MissingExtra (keys need botocore)."""
    region = find_region(env)
    credentials = find_credentials(env)
    return Aws(
        DirectTables(_service("dynamodb", DYNAMODB_PREFIX, region, credentials, env)),
        DirectQueues(_service("sqs", SQS_PREFIX, region, credentials, env)),
        _LateObjects(max_connections),
    )


def _service(
    name: ServiceName, prefix: str, region: str, credentials: GetCredentials, env: Mapping[str, str]
) -> Service:
    endpoint = find_endpoint(name, region, env)
    return Service(Scope(region, name), prefix, endpoint.host, Connections(endpoint, env), credentials)


class _LateObjects:
    """Objects through boto3, which is imported when the first one is fetched."""

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._lock = threading.Lock()
        self._objects: Objects | None = None

    def fetch(self, bucket: str, key: str, max_bytes: int) -> bytes | Fault:
        with self._lock:
            if self._objects is None:
                self._objects = self._connect()
        return self._objects.fetch(bucket, key, max_bytes)

    def _connect(self) -> Objects:
        try:
            from router.aws.boto import connect_objects
        except ModuleNotFoundError:
            raise MissingExtra("fetching objects from S3", "worker") from None
        return connect_objects(self._max_connections)
