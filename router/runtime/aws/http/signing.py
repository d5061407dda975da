"""Credentials, region and Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct

from router.errors import MissingExtra, UsageError
from router.runtime.aws.calls import CallTimeout, NoThreadError, blocking, start_thread
from router.runtime.aws.faults import translate
from router.runtime.aws.http.endpoints import is_host
from router.runtime.aws.protocols import AwsFault

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_SECONDS = 240
"""From this difference to AWS's clock on, the clock is taken for the cause; most services allow 5 minutes."""
MAX_SKEW_SECONDS = 100 * 366 * 24 * 60 * 60
"""A clock that was never set is at 1970, or at the year when its machine was made."""
_SKEWED = frozenset(
    {
        "RequestTimeTooSkewed",
        "RequestExpired",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AuthFailure",
    }
)
"""Errors of which a wrong clock of this machine may be the cause."""


class Credentials(Struct, frozen=True):
    """Keys for signatures; `token` is "" for keys that are not temporary."""

    access_key: str
    secret_key: str
    token: str = ""


class SigningScope(Struct, frozen=True):
    """The region and service that a signature is valid for."""

    region: str
    service: str


class Signer:
    """Signs requests that differ in their bodies only; all else is computed once. Safe to use from several threads."""

    __slots__ = ("_canonical", "_inner", "_outer", "_start", "_text")

    def __init__(
        self,
        credentials: Credentials,
        scope: SigningScope,
        moment: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
    ) -> None:
        """The requests are of a `moment` (`20260102T030405Z`, also their X-Amz-Date).

        `headers` are those that are signed, with Host; `path` is encoded. No request of the router has a query.
        """
        order = sorted((name.lower(), name) for name in headers)
        names = ";".join([lower for lower, _ in order])
        lines = "".join([f"{lower}:{' '.join(headers[name].split())}\n" for lower, name in order])
        self._canonical = hashlib.sha256(f"{method}\n{path}\n\n{lines}\n{names}\n".encode())
        day = moment[:8]
        where = f"{day}/{scope.region}/{scope.service}/aws4_request"
        self._text = f"{ALGORITHM}\n{moment}\n{where}\n"
        self._inner, self._outer = _begun_hmac(
            credentials.secret_key, day, scope.region, scope.service
        )
        self._start = f"{ALGORITHM} Credential={credentials.access_key}/{where}, SignedHeaders={names}, Signature="

    def authorization(self, body: bytes) -> str:
        """Return the Authorization header of the request with a body."""
        canonical = self._canonical.copy()
        canonical.update(hashlib.sha256(body).hexdigest().encode())
        inner = self._inner.copy()
        inner.update((self._text + canonical.hexdigest()).encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return self._start + outer.hexdigest()


@lru_cache(maxsize=16)
def _begun_hmac(
    secret: str, day: str, region: str, service: str
) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """The two hashes of an HMAC-SHA-256, with the signing key in them: the same for all requests of a day."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
    return inner, outer


class SignedHead(Struct, frozen=True):
    """The lines of a request's head up to its signature, and what signs it."""

    start: bytes
    signer: Signer

    def lines(self, body: bytes) -> bytes:
        """Return the lines of the head of the request with a body."""
        return self.start + self.signer.authorization(body).encode()


def begin_head(
    credentials: Credentials,
    scope: SigningScope,
    now: float,
    method: str,
    path: str,
    headers: Mapping[str, str],
) -> SignedHead:
    """Return the head of requests of a second; `now` is in seconds since 1970, the rest as `Signer` takes it."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "X-Amz-Date": moment}
    if credentials.token:
        signed["X-Amz-Security-Token"] = credentials.token
    lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
    return SignedHead(
        f"{lines}User-Agent: message-router\r\nAuthorization: ".encode("latin-1"),
        Signer(credentials, scope, moment, method, path, signed),
    )


class SigningClock:
    """The time that requests are signed with: this machine's, corrected by AWS's if that refused a request for it."""

    __slots__ = ("_now", "_skew")

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._skew = 0.0

    def now(self) -> float:
        """Return seconds since 1970."""
        return self._now() + self._skew

    def correct(self, code: str, request: bytes, date: bytes) -> bool:
        """Correct the time if that of a request was the cause of its error, which has this code; return whether it was.

        `date` is the header of the response, b"" without it. The response to another request that was under way may
        have corrected the time before.
        """
        if code not in _SKEWED or not date:
            return False
        # Hardly ever needed, and slow to import.
        from email.utils import parsedate_to_datetime

        try:
            server_time = parsedate_to_datetime(date.decode("latin-1")).timestamp()
        except (ValueError, OverflowError):
            return False
        if not 0 <= server_time - self._now() + MAX_SKEW_SECONDS <= 2 * MAX_SKEW_SECONDS:
            # No time of AWS: signatures could not even be written with some.
            return False
        signed_at = request.partition(b"X-Amz-Date: ")[2].partition(b"\r\n")[0].decode("latin-1")
        if abs(server_time - datetime.fromisoformat(signed_at).timestamp()) < SKEW_SECONDS:
            return False
        self._skew = server_time - self._now()
        return True


GetCredentials = Callable[[CallTimeout], Credentials]
"""Returns the current keys within the time-out of a call; raises CredentialsError without keys, and TimeoutError."""


_SOON_SECONDS = 10 * 60
"""Of the time until keys expire: botocore then refreshes them before each call, and from 15 minutes on if it can."""


class CredentialsError(Exception):
    """There are no credentials at the moment."""


def read_keys(get: GetCredentials, timeout: CallTimeout) -> Credentials | AwsFault:
    """Return the current keys, or the fault of a call without them."""
    try:
        return get(timeout)
    except CredentialsError:
        return translate("NoCredentialsError")
    except TimeoutError:
        return translate("CredentialRetrievalError")


def find_credentials(env: Mapping[str, str]) -> GetCredentials:
    """Return the source of the current keys; raises UsageError (invalid settings), MissingExtra (no botocore)."""
    access_key = env.get("AWS_ACCESS_KEY_ID")
    secret_key = env.get("AWS_SECRET_ACCESS_KEY")
    # As in the SDKs, AWS_PROFILE takes precedence over keys in the environment.
    if access_key and secret_key and not env.get("AWS_PROFILE"):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            key = env.get(name, "")
            # It is a part of headers, or decides them.
            if not (key.isascii() and key.isprintable()) or " " in key:
                raise UsageError(
                    f"{name} has a character that no key has; often that is a line break at its end"
                )
        keys = Credentials(access_key, secret_key, env.get("AWS_SESSION_TOKEN", ""))
        return lambda timeout: keys
    with _botocore("a profile or role for credentials") as session:
        return BotocoreKeys(session.get_credentials())


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
        raise UsageError(
            f"{region!r} is not a valid AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1"
        )
    return region


class BotocoreKeys:
    """The keys of a profile or role, which botocore refreshes; `chain` is its credentials object, or None.

    A refresh calls STS, the instance's or container's metadata service, or a program, with time-outs of minutes or
    none. It runs in a thread, and calls wait for it only if the keys that they have expire soon.
    """

    def __init__(self, chain: Any) -> None:
        self._chain = chain
        # Keys that do not expire are never refreshed.
        self._is_due: Callable[..., bool] = getattr(chain, "refresh_needed", lambda within=0: False)
        self._lock = threading.Lock()
        self._refreshing: threading.Thread | None = None
        self._error: Exception | None = None
        self._keys: Credentials | None = None

    def __call__(self, timeout: CallTimeout) -> Credentials:
        """Return the current keys."""
        if self._chain is None:
            raise CredentialsError
        return self._refresh(timeout) if self._is_due() else self._read()

    def _refresh(self, timeout: CallTimeout) -> Credentials:
        """Begin to refresh the keys, unless that is under way; return those there are, or wait if they expire soon."""
        with self._lock:
            if self._refreshing is None or not self._refreshing.is_alive():
                self._error = None
                self._refreshing = threading.Thread(
                    target=self._try_to_read, name="credentials", daemon=True
                )
                try:
                    start_thread(self._refreshing)
                except NoThreadError:
                    # The next call tries again.
                    self._refreshing = None
            refreshing = self._refreshing
        if self._keys is None or self._is_due(_SOON_SECONDS):
            if refreshing is None:
                raise TimeoutError
            with blocking:
                refreshing.join(min(timeout.left(), threading.TIMEOUT_MAX))
            if self._error:
                raise CredentialsError from self._error
            if self._keys is None or refreshing.is_alive():
                raise TimeoutError
        return self._keys

    def _try_to_read(self) -> None:
        try:
            self._read()
        except CredentialsError as error:
            self._error = error

    def _read(self) -> Credentials:
        try:
            frozen = self._chain.get_frozen_credentials()
        except Exception as error:  # botocore's errors, and any of a profile's credential process
            raise CredentialsError from error
        self._keys = Credentials(
            frozen.access_key or "", frozen.secret_key or "", frozen.token or ""
        )
        return self._keys


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
