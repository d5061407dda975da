"""Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote

from msgspec import Struct

ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = frozenset({"authorization", "connection", "expect", "user-agent", "x-amzn-trace-id", "transfer-encoding"})
"""Headers that somebody on the way may change, or that are not there yet when a request is signed."""


class Credentials(Struct, frozen=True):
    """Keys to sign with; `token` is "" for keys that are not temporary."""

    access_key: str
    secret_key: str
    token: str = ""


class Scope(Struct, frozen=True):
    """What a signature holds for, besides the day."""

    region: str
    service: str


def sign(
    credentials: Credentials,
    scope: Scope,
    moment: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query: Sequence[tuple[str, str]] = (),
) -> str:
    """The Authorization header of a request at `moment` (`20260102T030405Z`, also its X-Amz-Date).

    `headers` are all to be sent, Host among them; `path` is as it is sent.
    """
    order, names = _signed_headers(tuple(headers))
    lines = "".join([f"{lower}:{' '.join(headers[name].split())}\n" for lower, name in order])
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"{method}\n{path}\n{canonical_query(query)}\n{lines}\n{names}\n{digest}"
    day = moment[:8]
    where = f"{day}/{scope.region}/{scope.service}/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{where}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _day_key(credentials.secret_key, day, scope.region, scope.service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={credentials.access_key}/{where}, SignedHeaders={names}, Signature={signature}"


@lru_cache(maxsize=64)
def _signed_headers(names: tuple[str, ...]) -> tuple[list[tuple[str, str]], str]:
    """The headers that are signed, in order: each in lower case and as given; and their names."""
    order = sorted((name.lower(), name) for name in names if name.lower() not in _UNSIGNED)
    return order, ";".join(lower for lower, _ in order)


def canonical_query(query: Sequence[tuple[str, str]]) -> str:
    """The query of a canonical request: encoded, then sorted."""
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in encoded)


@lru_cache(maxsize=16)
def _day_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The key of a day, which is the same for all its requests."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
