"""Credentials, region and Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from typing import Any

from msgspec import Struct

from router.aws.http.endpoints import is_host
from router.errors import MissingExtra, UsageError

ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = frozenset({"authorization", "connection", "expect", "user-agent", "x-amzn-trace-id", "transfer-encoding"})
"""Headers that proxies may change, or that are added after a request is signed."""


class Credentials(Struct, frozen=True):
    """Keys for signatures; `token` is "" for keys that are not temporary."""

    access_key: str
    secret_key: str
    token: str = ""


class SigningScope(Struct, frozen=True):
    """The region and service that a signature is valid for."""

    region: str
    service: str


def sign(
    credentials: Credentials,
    scope: SigningScope,
    moment: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
) -> str:
    """Return the Authorization header of a request at `moment` (`20260102T030405Z`, also its X-Amz-Date).

    `headers` are those of the request, with Host; `path` is encoded. No request of the router has a query.
    """
    order, names = _signed_headers(tuple(headers))
    lines = "".join([f"{lower}:{' '.join(headers[name].split())}\n" for lower, name in order])
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{digest}"
    day = moment[:8]
    where = f"{day}/{scope.region}/{scope.service}/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{where}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _day_key(credentials.secret_key, day, scope.region, scope.service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={credentials.access_key}/{where}, SignedHeaders={names}, Signature={signature}"


@lru_cache(maxsize=64)
def _signed_headers(names: tuple[str, ...]) -> tuple[list[tuple[str, str]], str]:
    """The signed headers in order, each in lower case and as given; and their names."""
    order = sorted((name.lower(), name) for name in names if name.lower() not in _UNSIGNED)
    return order, ";".join(lower for lower, _ in order)


@lru_cache(maxsize=16)
def _day_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The signing key, which is the same for all requests of a day."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


GetCredentials = Callable[[], Credentials]
"""Returns the current keys; raises CredentialsError if there are none."""


class CredentialsError(Exception):
    """There are no credentials at the moment."""


def find_credentials(env: Mapping[str, str]) -> GetCredentials:
    """Return the source of the current keys; raises UsageError (invalid settings), MissingExtra (no botocore)."""
    access_key, secret_key = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    # As in the SDKs, AWS_PROFILE takes precedence over keys in the environment.
    if access_key and secret_key and not env.get("AWS_PROFILE"):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            _check_key(name, env.get(name, ""))
        return partial(Credentials, access_key, secret_key, env.get("AWS_SESSION_TOKEN", ""))
    return _from_botocore()


def find_region(env: Mapping[str, str]) -> str:
    """Return the region of the environment, else of the profile; raises UsageError if there is none."""
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or ""
    if not region:
        # Without botocore there are no profiles.
        with suppress(MissingExtra), _botocore("a profile's region") as session:
            region = session.get_config_variable("region") or ""
    if not region:
        raise UsageError("there is no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1")
    if not is_host(region) or "." in region:
        raise UsageError(f"{region!r} is no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1")
    return region


def _check_key(name: str, value: str) -> None:
    """Raise UsageError unless a key can be part of a header: printable ASCII without spaces."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise UsageError(f"{name} has a character that no key has; often that is a line break at its end")


def _from_botocore() -> GetCredentials:
    with _botocore("a profile or role for credentials") as session:
        chain = session.get_credentials()

    def get() -> Credentials:
        if chain is None:
            raise CredentialsError
        try:
            frozen = chain.get_frozen_credentials()
        except Exception as error:  # botocore's errors, and any of a profile's credential process
            raise CredentialsError from error
        return Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token or "")

    return get


@contextmanager
def _botocore(what: str) -> Iterator[Any]:
    """Open a session of botocore; raises UsageError for its errors, MissingExtra if it is not installed."""
    try:
        # Imported only if the environment has no credentials or region: Lambda's has both.
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ModuleNotFoundError:
        raise MissingExtra(what, "worker") from None
    try:
        yield Session()
    except BotoCoreError as error:
        raise UsageError(f"the AWS settings of this environment do not work: {error}") from None
