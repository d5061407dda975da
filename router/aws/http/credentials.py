"""Credentials and region: from the environment, as in Lambda, else by botocore's chain, which refreshes them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from router.aws.http.endpoints import is_host
from router.aws.http.sigv4 import Credentials
from router.errors import MissingExtra, UsageError

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
