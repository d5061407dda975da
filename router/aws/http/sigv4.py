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
    query: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the Authorization header of a request at `moment` (`20260102T030405Z`, also its X-Amz-Date).

    `headers` are those of the request, with Host; `path` is encoded.
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
    """The signed headers in order, each in lower case and as given; and their names."""
    order = sorted((name.lower(), name) for name in names if name.lower() not in _UNSIGNED)
    return order, ";".join(lower for lower, _ in order)


def canonical_query(query: Sequence[tuple[str, str]]) -> str:
    """Return the query of a canonical request: encoded, then sorted."""
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in encoded)


@lru_cache(maxsize=16)
def _day_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The signing key, which is the same for all requests of a day."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
