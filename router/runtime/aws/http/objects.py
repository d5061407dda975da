"""S3 without an SDK: the `Objects` of the interface.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

import hashlib
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote

from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws import RESPONSE_SECONDS
from router.runtime.aws.calls import CallTimeout, boottime
from router.runtime.aws.faults import translate
from router.runtime.aws.http.connections import Connections, Exchange, PendingRequest
from router.runtime.aws.http.endpoints import find_bucket, is_host
from router.runtime.aws.http.opening import NoResponseError, Trust
from router.runtime.aws.http.responses import MAX_RESPONSE_BYTES, HttpResponse, ResponseReader
from router.runtime.aws.http.signing import (
    GetCredentials,
    SigningClock,
    SigningScope,
    begin_head,
    read_keys,
)
from router.runtime.aws.protocols import (
    NO_ROOM,
    TOO_LARGE,
    UNREADABLE,
    AwsFault,
    EndedCall,
    Objects,
    PendingResponse,
)

_OTHER_BUCKETS = ("--x-s3", "--xa-s3", "--op-s3")
"""How the names end of directory buckets, of their access points, and of access points of S3 on Outposts.

Their requests are signed in other ways: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""
_EMPTY = hashlib.sha256(b"").hexdigest()
_CORRECTIONS = 2
"""How often a request is sent again: to the region of the bucket, and by the right clock."""
_HEAD_BYTES = 1024 * 1024
"""More than the head of any response."""
_CHECKSUMS: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    b"x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    b"x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}
"""Computes the checksum of a body, by the header that has it. Python has no function for the other two of S3."""


class _Bucket(Struct, frozen=True):
    """A bucket, where it is."""

    region: str
    host: str
    path: str
    connections: Connections

    def region_instead(self, response: HttpResponse) -> str:
        """Return the region of the bucket if it is in another one, else ""."""
        if response.status == 200:
            return ""
        named = response.headers.get(b"x-amz-bucket-region") or _element(response, b"Region")
        region = named.decode("latin-1")
        return region if region != self.region and is_host(region) and "." not in region else ""


class DirectObjects:
    """Gets objects of S3, several at a time in one thread; `others` has those of _OTHER_BUCKETS."""

    def __init__(
        self,
        region: str,
        credentials: GetCredentials,
        env: Mapping[str, str],
        trust: Trust,
        others: Objects,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._region = region
        self._credentials = credentials
        self._env = {**env}
        self._trust = trust
        self._others = others
        self._clock = SigningClock(now)
        self._buckets: dict[str, _Bucket] = {}

    def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
        """Get an object."""
        return self.begin_fetch(bucket, key, max_bytes, timeout, lambda size: True).finish()

    def begin_fetch(
        self, bucket: str, key: str, max_bytes: int, timeout: float, has_room: Callable[[int], bool]
    ) -> PendingResponse[bytes | AwsFault]:
        """Send what `fetch` sends."""
        if bucket.endswith(_OTHER_BUCKETS):
            return EndedCall(self._others.fetch(bucket, key, max_bytes, timeout))
        return _PendingFetch(self, bucket, key, timeout, _Admission(max_bytes, has_room))

    def find(self, bucket: str, region: str = "") -> "_Bucket | AwsFault":
        """Return where a bucket is; with a `region`, all requests for the bucket go there from now on."""
        known = self._buckets.get(bucket)
        if known is not None and region in ("", known.region):
            return known
        region = region or self._region
        try:
            endpoint, path = find_bucket(bucket, region, self._env)
            connections = Connections(endpoint, self._env, trust=self._trust)
        except UsageError:
            return translate("EndpointResolutionError")
        found = self._buckets[bucket] = _Bucket(region, endpoint.host, path, connections)
        return found

    def send(
        self, place: "_Bucket", key: str, timeout: CallTimeout, admission: "_Admission"
    ) -> Exchange | AwsFault:
        """Sign a request and send it, or begin to open a connection for it."""
        credentials = read_keys(self._credentials, timeout)
        if isinstance(credentials, AwsFault):
            return credentials
        headers = {
            "Host": place.host,
            "X-Amz-Checksum-Mode": "ENABLED",
            "X-Amz-Content-Sha256": _EMPTY,
        }
        path = place.path + quote(key, safe="/~")
        scope = SigningScope(place.region, "s3")
        head = begin_head(credentials, scope, self._clock.now(), "GET", path, headers)
        lines = head.lines(b"")
        return place.connections.get(path.encode(), lines, timeout, _ObjectReader(admission))

    def correct_clock(self, request: bytes, response: HttpResponse) -> bool:
        """Correct the clock of signatures if it was the cause of an error; return whether it was."""
        date = response.headers.get(b"date", b"")
        return response.status != 200 and self._clock.correct(_error_code(response), request, date)


class _Admission:
    """What limits the bytes of an object; `fault` is why it is not read to its end."""

    def __init__(self, max_bytes: int, has_room: Callable[[int], bool]) -> None:
        self.fault: AwsFault | None = None
        self._left = max_bytes
        self._has_room = has_room

    def admit(self, size: int) -> bool:
        """Whether so many more bytes are kept."""
        self._left -= size
        if self._left < 0:
            self.fault = TOO_LARGE
        elif not self._has_room(size):
            self.fault = NO_ROOM
        return self.fault is None


class _ObjectReader(ResponseReader):
    """Collects an object of S3; what is not admitted is not read, and the admission says why."""

    __slots__ = ("_admission", "_admitted", "_kept")

    def __init__(self, admission: _Admission) -> None:
        super().__init__(MAX_RESPONSE_BYTES + _HEAD_BYTES)
        self._admission = admission
        self._admitted = 0
        self._kept = 0

    def on_headers_complete(self) -> None:
        """The headers are complete."""
        super().on_headers_complete()
        declared = self._headers.get(b"content-length", b"")
        if declared.isdigit():
            self._admit(int(declared))

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        super().on_body(part)
        self._kept += len(part)
        self._admit(self._kept)

    def _admit(self, size: int) -> None:
        """Raise NoResponseError, which ends the response, if an object of this size is not admitted."""
        if self.status != 200 or size <= self._admitted:
            return
        if not self._admission.admit(size - self._admitted):
            raise NoResponseError("HTTPClientError")
        self._admitted = size


class _PendingFetch(PendingRequest[bytes | AwsFault]):
    """A fetch under way."""

    __slots__ = ("_admission", "_bucket", "_corrections", "_key", "_objects", "_place", "_timeout")

    def __init__(
        self, objects: DirectObjects, bucket: str, key: str, timeout: float, admission: _Admission
    ) -> None:
        self._objects = objects
        self._bucket = bucket
        self._key = key
        self._admission = admission
        self._timeout = CallTimeout(RESPONSE_SECONDS, boottime() + timeout)
        self._corrections = 0
        self._place = objects.find(bucket)
        super().__init__(self._send(self._place))

    def _send(self, place: _Bucket | AwsFault) -> Exchange | AwsFault:
        if isinstance(place, AwsFault):
            return place
        return self._objects.send(place, self._key, self._timeout, self._admission)

    def _send_again(self, request: bytes, response: HttpResponse) -> Exchange | AwsFault | None:
        """Send it to the region of the bucket, or signed by the right clock."""
        if self._corrections == _CORRECTIONS or isinstance(self._place, AwsFault):
            return None
        region = self._place.region_instead(response)
        if not region and not self._objects.correct_clock(request, response):
            return None
        self._corrections += 1
        # Another fetch may have found the bucket meanwhile.
        self._place = self._objects.find(self._bucket, region)
        return self._send(self._place)

    def _result(self, response: HttpResponse | AwsFault) -> bytes | AwsFault:
        if isinstance(response, AwsFault):
            return self._admission.fault or response
        return _content(response)


def _element(response: HttpResponse, name: bytes) -> bytes:
    """The text of an element of an error, which is XML of a few lines; b"" without it."""
    return response.body.partition(b"<%b>" % name)[2].partition(b"</%b>" % name)[0]


def _error_code(response: HttpResponse) -> str:
    """The code of an error; "" if the response is not from S3, but from a proxy or load balancer before it."""
    return _element(response, b"Code").decode("latin-1")


def _content(response: HttpResponse) -> bytes | AwsFault:
    if response.status != 200:
        return translate(_error_code(response) or str(response.status), response.status)
    # Every object has an entity tag; a proxy's page with status 200 most likely has none.
    if b"etag" not in response.headers:
        return UNREADABLE
    for name, digest in _CHECKSUMS.items():
        expected = response.headers.get(name)
        # The checksum of an object of several parts ends with their number, and is not that of its bytes.
        if (
            expected is not None
            and b"-" not in expected
            and expected != b64encode(digest(response.body))
        ):
            return translate("FlexibleChecksumError")
    return response.body
