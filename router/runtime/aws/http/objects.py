"""S3 without an SDK: the `Objects` of the interface.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

import hashlib
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.calls import RESPONSE_SECONDS, CallTimeout, boottime
from router.runtime.aws.faults import translate
from router.runtime.aws.http.connections import MAX_RESPONSE_BYTES, Connections, Exchange, HttpResponse, ResponseReader
from router.runtime.aws.http.endpoints import find_bucket, is_host
from router.runtime.aws.http.opening import CONNECT_SECONDS, NoResponseError, Trust
from router.runtime.aws.http.signing import CredentialsError, GetCredentials, Signer, SigningClock, SigningScope
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
"""Ends of the names of directory buckets, their access points, and access points of S3 on Outposts, whose requests are
signed in other ways: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
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
"""Those of which an object has one, besides two that Python has no function for."""


class _Bucket(Struct, frozen=True):
    """A bucket, where it is."""

    region: str
    host: str
    path: str
    connections: Connections

    def receive(self, exchange: Exchange, late: bool) -> HttpResponse | AwsFault:
        """Read the response to a request that was sent."""
        try:
            return self.connections.receive(exchange, late)
        except NoResponseError as error:
            return translate(str(error))

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

    def send(
        self, bucket: str, key: str, timeout: CallTimeout, admission: "_Admission", region: str = ""
    ) -> "_Sent | AwsFault":
        """Sign a request and send it, or begin to open a connection for it; `region` is the bucket's, if known."""
        try:
            place = self._find(bucket, region)
            credentials = self._credentials(timeout.left())
        except UsageError:
            return translate("EndpointResolutionError")
        except CredentialsError:
            return translate("NoCredentialsError")
        except TimeoutError:
            return translate("CredentialRetrievalError")
        moment = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "Host": place.host,
            "X-Amz-Checksum-Mode": "ENABLED",
            "X-Amz-Content-Sha256": _EMPTY,
            "X-Amz-Date": moment,
        }
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        path = place.path + quote(key, safe="/~")
        signer = Signer(credentials, SigningScope(place.region, "s3"), moment, "GET", path, headers)
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        lines += f"User-Agent: message-router\r\nAuthorization: {signer.authorization(b'')}"
        try:
            return place, place.connections.get(
                path.encode(), lines.encode("latin-1"), timeout, _ObjectReader(admission)
            )
        except NoResponseError as error:
            return translate(str(error))

    def correct_clock(self, request: bytes, response: HttpResponse) -> bool:
        """Correct the clock of signatures if it was the cause of an error; return whether it was."""
        date = response.headers.get(b"date", b"")
        return response.status != 200 and self._clock.correct(_error_code(response), request, date)

    def _find(self, bucket: str, region: str) -> _Bucket:
        """Return where a bucket is; if that is another region than it was, all go there from now on."""
        known = self._buckets.get(bucket)
        if known is not None and region in ("", known.region):
            return known
        region = region or self._region
        endpoint, path = find_bucket(bucket, region, self._env)
        connections = Connections(endpoint, self._env, trust=self._trust)
        found = self._buckets[bucket] = _Bucket(region, endpoint.host, path, connections)
        return found


_Sent = tuple[_Bucket, Exchange]
"""A request, and where it was sent: a bucket may be found elsewhere while others are under way."""


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
    """Collects an object of S3; what is not admitted is not read, and the failure is `NotAdmitted`."""

    __slots__ = ("_admission", "_admitted", "_has_head", "_kept")

    def __init__(self, admission: _Admission) -> None:
        super().__init__(MAX_RESPONSE_BYTES + _HEAD_BYTES)
        self._admission = admission
        self._admitted = 0
        self._kept = 0
        self._has_head = False

    def feed(self, data: bytes) -> None:
        """Take bytes as a ResponseReader does; a head that breaks off is not the head of an empty object."""
        if self.begun and not (data or self._has_head):
            raise NoResponseError("IncompleteReadError")
        parser = self._parser
        super().feed(data)
        if self._has_head and parser.get_status_code() == 200:
            declared = self._headers.get(b"content-length", b"")
            size = max(self._kept, int(declared) if declared.isdigit() else 0)
            if size > self._admitted and not self._admission.admit(size - self._admitted):
                raise NoResponseError("NotAdmitted")
            self._admitted = max(size, self._admitted)

    def on_headers_complete(self) -> None:
        """The headers are complete."""
        self._has_head = True

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        super().on_body(part)
        self._kept += len(part)


class _PendingFetch:
    """A fetch under way, of which `arrived` reads what has come."""

    def __init__(self, objects: DirectObjects, bucket: str, key: str, timeout: float, admission: _Admission) -> None:
        self._objects = objects
        self._bucket = bucket
        self._key = key
        self._admission = admission
        self._began = boottime()
        self._timeout = CallTimeout(RESPONSE_SECONDS, self._began + timeout)
        self._sent = objects.send(bucket, key, self._timeout, admission)

    @property
    def seconds(self) -> float:
        """How long it may take: each wait is limited, and all together."""
        if isinstance(self._sent, AwsFault):
            return 0.0
        exchange = self._sent[1]
        waits = RESPONSE_SECONDS if exchange.opening is None else CONNECT_SECONDS
        return min(max(exchange.read_at - self._began, 0.0) + waits, self._timeout.until - self._began)

    @property
    def events(self) -> int:
        """What to poll for."""
        return 0 if isinstance(self._sent, AwsFault) else self._sent[1].events

    def fileno(self) -> int:
        """Return the file descriptor to poll; -1 if the request could not be sent."""
        return -1 if isinstance(self._sent, AwsFault) else self._sent[1].connection.fileno()

    def arrived(self) -> bool:
        """Whether the object is there, or nothing more comes."""
        return isinstance(self._sent, AwsFault) or self._sent[1].arrived()

    def finish(self, late: bool = False) -> bytes | AwsFault:
        """Wait for the object and return it; with `late`, do not wait."""
        if isinstance(self._sent, AwsFault):
            return self._sent
        place, exchange = self._sent
        response = place.receive(exchange, late)
        for _ in range(_CORRECTIONS):
            if isinstance(response, AwsFault):
                break
            region = place.region_instead(response)
            if not region and not self._objects.correct_clock(exchange.request, response):
                break
            sent = self._objects.send(self._bucket, self._key, self._timeout, self._admission, region)
            if isinstance(sent, AwsFault):
                return sent
            place, exchange = sent
            response = place.receive(exchange, late=False)
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
        # With a number of parts at its end it is a checksum of theirs.
        if expected is not None and b"-" not in expected and expected != b64encode(digest(response.body)):
            return translate("FlexibleChecksumError")
    return response.body
