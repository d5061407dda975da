"""Connects to AWS: chooses the client of the data plane, and makes it from the environment."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from router.errors import MissingExtra, UsageError
from router.runtime.aws.calls import NoThreadError, boottime, run_within
from router.runtime.aws.protocols import TIMED_OUT, Aws, AwsFault, NoObjects, Objects

TRANSPORT_VARIABLE = "ROUTER_TRANSPORT"
"""The environment variable that chooses the client of the data plane: `direct` (the default) or `boto3`."""
_SDK_SETTINGS = frozenset(
    {"endpoint_url", "use_fips_endpoint", "use_dualstack_endpoint", "ca_bundle"}
)


def connect(max_connections: int, *, fetches: bool = True) -> Aws:
    """Connect with the credentials, region and endpoint of the environment, to S3 only if the program `fetches`.

    At most `max_connections` calls are made at a time. ROUTER_TRANSPORT=boto3 selects the SDK's clients instead of the
    router's own; so does a setting in AWS's config file that only the SDK supports, or a proxy that is reached by TLS,
    unless ROUTER_TRANSPORT is `direct`. Raises UsageError (no region, an unknown transport, invalid settings),
    MissingExtra (boto3 or botocore is needed and not installed).
    """
    transport = _transport(os.environ)
    if transport == "direct":
        return _connect_directly(os.environ, max_connections, fetches)
    if transport == "boto3":
        return _connect_by_sdk(max_connections, fetches)
    raise UsageError(f"{TRANSPORT_VARIABLE} is '{transport}'; there are 'direct' and 'boto3'")


def import_clients(*, fetches: bool) -> None:
    """Import the router's own clients, if `connect` uses them, so that it takes less time."""
    if _transport(os.environ) == "direct":
        # These import all that `connect` does.
        import_module("router.runtime.aws.http.queues")
        import_module("router.runtime.aws.http.tables")
        if fetches:
            import_module("router.runtime.aws.http.objects")


def _transport(env: Mapping[str, str]) -> str:
    return env.get(TRANSPORT_VARIABLE) or ("boto3" if _needs_sdk(env) else "direct")


def _needs_sdk(env: Mapping[str, str]) -> bool:
    """Whether a setting is used that only the SDK supports: a proxy by TLS, or one of AWS's config file."""
    if any(
        name.lower() == "https_proxy" and value.lower().startswith("https:")
        for name, value in env.items()
    ):
        return True
    return not _SDK_SETTINGS.isdisjoint(_settings(env))


def _settings(env: Mapping[str, str]) -> frozenset[str]:
    """The names of the settings of AWS's config file, of all profiles."""
    file = Path(env.get("AWS_CONFIG_FILE") or "~/.aws/config")
    try:
        lines = file.expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, RuntimeError, ValueError):
        return frozenset()
    return frozenset(line.partition("=")[0].strip() for line in lines)


def _connect_directly(env: Mapping[str, str], max_connections: int, fetches: bool) -> Aws:
    # Imported only where they are used: imports are most of the time of a cold start.
    from router.runtime.aws.http.opening import Trust
    from router.runtime.aws.http.queues import DirectQueues
    from router.runtime.aws.http.service import connect_service
    from router.runtime.aws.http.signing import find_credentials, find_region
    from router.runtime.aws.http.tables import DirectTables

    region, credentials = find_region(env), find_credentials(env)
    trust = Trust(env.get("AWS_CA_BUNDLE", ""))
    objects = _objects(max_connections) if fetches else NoObjects()
    if fetches and "s3" not in _settings(env):
        from router.runtime.aws.http.objects import DirectObjects

        objects = DirectObjects(region, credentials, env, trust, objects)
    dynamodb = connect_service("dynamodb", region, credentials, env, trust)
    return Aws(
        DirectTables(dynamodb),
        DirectQueues(connect_service("sqs", region, credentials, env, trust)),
        objects,
        dynamodb.open_early,
    )


def _connect_by_sdk(max_connections: int, fetches: bool) -> Aws:
    boto = _import_boto("the worker")
    from router.runtime.aws.sqs import SqsQueues

    with boto.settings_errors():
        session = boto.open_session()

        def client(service: str, timeout: int, attempts: int) -> Any:
            return boto.make_client(
                session,
                service,
                timeout=timeout,
                attempts=attempts,
                connections=max_connections,
                validates=False,
            )

        return Aws(
            # The writer retries itself, with what is left of a batch and of the time.
            boto.DynamoTables(client("dynamodb", boto.DYNAMODB_TIMEOUT, attempts=1)),
            SqsQueues(boto.caller(client("sqs", boto.SQS_TIMEOUT, attempts=boto.SQS_ATTEMPTS))),
            _objects(max_connections, session) if fetches else NoObjects(),
        )


class LazyObjects:
    """S3, connected with the first object; `connect` returns why it cannot."""

    def __init__(self, connect: Callable[[], Objects | AwsFault]) -> None:
        self._connect = connect
        self._objects: Objects | None = None
        self._connecting = Lock()

    def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
        """Get an object."""
        until = boottime() + timeout
        try:
            # Importing boto3 takes a second, and many where there is little CPU.
            objects = self._objects or run_within(timeout, self._connect_once)
        except TimeoutError:
            return TIMED_OUT
        except NoThreadError:
            return AwsFault("retry", "NoThread")
        if isinstance(objects, AwsFault):
            return objects
        return objects.fetch(bucket, key, max_bytes, until - boottime())

    def _connect_once(self) -> Objects | AwsFault:
        # A session of boto3 must not make two clients at a time.
        with self._connecting:
            objects = self._objects or self._connect()
            if not isinstance(objects, AwsFault):
                self._objects = objects
            return objects


def _objects(max_connections: int, session: Any = None) -> Objects:
    """S3 through boto3, which is imported with the first object: only queues with pointers need it."""

    def make() -> Objects | AwsFault:
        boto = _import_boto("fetching objects from S3")
        found: Objects | AwsFault
        try:
            opened = session or boto.open_session()
            # The fetcher retries itself.
            client = boto.make_client(
                opened,
                "s3",
                timeout=boto.S3_TIMEOUT,
                attempts=1,
                connections=max_connections,
                validates=False,
            )
            found = boto.S3Objects(client)
        except boto.ERRORS as error:
            found = boto.fault_of(error)
        return found

    return LazyObjects(make)


def _import_boto(what: str) -> ModuleType:
    """Import the module of boto3's clients; raises MissingExtra for `what` if boto3 is not installed."""
    try:
        from router.runtime.aws import boto
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise MissingExtra(what, "worker") from None
    return boto
