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
    signed = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    signed = [(name, value) for name, value in signed if name not in _UNSIGNED]
    names = ";".join(name for name, _ in signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed)
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"{method}\n{path}\n{canonical_query(query)}\n{lines}\n{names}\n{digest}"
    day = moment[:8]
    where = f"{day}/{scope.region}/{scope.service}/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{where}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _day_key(credentials.secret_key, day, scope.region, scope.service)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={credentials.access_key}/{where}, SignedHeaders={names}, Signature={signature}"


def canonical_query(query: Sequence[tuple[str, str]]) -> str:
    """The query of a canonical request: encoded, then sorted."""
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in encoded)


@lru_cache(maxsize=16)
def _day_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The key of a day, which is the same for all its requests."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
