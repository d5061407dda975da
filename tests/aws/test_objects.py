"""The S3 clients, on both servers, and on those with invalid and slow responses."""

import base64
import hashlib
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from router.runtime.aws.calls import CallTimeout, Duration, PolledCalls
from router.runtime.aws.connect import LazyObjects, connect
from router.runtime.aws.http.objects import DirectObjects
from router.runtime.aws.http.opening import Trust
from router.runtime.aws.http.signing import Credentials, CredentialsError, GetCredentials
from router.runtime.aws.protocols import NO_ROOM, TIMED_OUT, TOO_LARGE, AwsFault, Objects
from tests.aws.conftest import connected
from tests.support.deliver import FixedDeadline, StartLimit
from tests.support.dev import LocalAws

LARGE = bytes(range(256)) * 3000
"""Several parts, the last one not full."""


@pytest.fixture
def bucket(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("key", ["k", "2026/a b+c é.json", "a//b", "/k", "100%25", "?x=1#y"])
@pytest.mark.parametrize("content", [b"", b'{"a": 1}', LARGE], ids=["empty", "small", "large"])
def test_fetch(objects: Objects, s3: Any, bucket: str, key: str, content: bytes) -> None:
    """An object is fetched completely, whatever its key; it may have the maximum size."""
    s3.put_object(Bucket=bucket, Key=key, Body=content)

    assert objects.fetch(bucket, key, max(len(content), 1), 60) == content


@pytest.mark.parametrize("content", [b"x" * 11, LARGE], ids=["small", "large"])
def test_too_large(objects: Objects, s3: Any, bucket: str, content: bytes) -> None:
    """An object of one byte more than the maximum is refused."""
    s3.put_object(Bucket=bucket, Key="k", Body=content)

    assert objects.fetch(bucket, "k", len(content) - 1, 60) == TOO_LARGE


def test_no_such_object(objects: Objects, bucket: str) -> None:
    """The message is at fault."""
    assert objects.fetch(bucket, "k", 9, 60) == AwsFault("refused", "NoSuchKey", 404)


def test_no_such_bucket(objects: Objects, name: str) -> None:
    """The config names the buckets: a configuration error."""
    assert objects.fetch(name, "k", 9, 60) == AwsFault("configuration", "NoSuchBucket", 404)


def test_unreachable(unreachable_objects: Objects, name: str) -> None:
    """A call without a response may succeed later."""
    assert unreachable_objects.fetch(name, "k", 9, 60) == AwsFault("retry", "EndpointConnectionError")


ERROR = "<Error><Code>{}</Code><Message>secret</Message></Error>"


@pytest.mark.parametrize(
    ("status", "headers", "body", "found"),
    [
        (403, {}, ERROR.format("AccessDenied"), AwsFault("configuration", "AccessDenied", 403)),
        (403, {}, ERROR.format("InvalidObjectState"), AwsFault("refused", "InvalidObjectState", 403)),
        (503, {}, ERROR.format("SlowDown"), AwsFault("retry", "SlowDown", 503)),
        (500, {}, "no XML", AwsFault("retry", "500", 500)),
        (200, {}, "<html>", AwsFault("retry", "UnreadableAnswer", 200)),
        (200, {"ETag": '"x"'}, "{}", b"{}"),
        (200, {"ETag": '"x"', "Content-Length": "3"}, "{}", AwsFault("retry", "IncompleteReadError")),
        (200, {"ETag": '"x"', "Content-Length": "9999"}, "{}", TOO_LARGE),
        (200, {"ETag": '"x"', "Content-Length": ""}, "{}" * 50, TOO_LARGE),
        (
            200,
            {"ETag": '"x"', "x-amz-checksum-crc32": "AAAAAA=="},
            "{}",
            AwsFault("retry", "FlexibleChecksumError"),
        ),
    ],
)
def test_answers(odd_s3: Any, status: int, headers: dict[str, str], body: str, found: Any) -> None:
    """Errors by their code; a page, an incomplete object and a damaged one are transient faults."""
    objects = odd_s3(status, headers, body.encode())

    fault = objects.fetch("payloads", "k", 60, 60)

    # botocore has another name for it.
    assert (found if fault == AwsFault("retry", "ResponseStreamingError") else fault) == found


CRC32, SHA1, SHA256 = (
    base64.b64encode(each).decode()
    for each in (
        zlib.crc32(b"{}").to_bytes(4, "big"),
        hashlib.sha1(b"{}", usedforsecurity=False).digest(),
        hashlib.sha256(b"{}").digest(),
    )
)


@pytest.mark.parametrize("checksum", [("crc32", CRC32), ("sha1", SHA1), ("sha256", SHA256), ("crc32", "AAAAAA==-2")])
def test_checksums(odd_s3: Any, checksum: tuple[str, str]) -> None:
    """An object with its checksum is accepted, and so is one with the checksum of its parts' checksums."""
    name, value = checksum

    objects = odd_s3(200, {"ETag": '"x"', f"x-amz-checksum-{name}": value}, b"{}")

    assert objects.fetch("payloads", "k", 60, 60) == b"{}"


class Parts:
    """An S3 that counts the requests under way, and may send an object in two parts."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.heads: list[bytes] = []
        self.most = 0
        self._under_way = 0
        self._changed = threading.Condition()
        self.together = 0
        """So many requests must be there before one is answered."""
        self.slow = b""
        """Half of the response to the request with this path comes after all others are sent."""
        self.closes = self.resets = False
        """Whether it closes a connection after a response."""
        self.first: list[bytes] = []
        """The first responses, before `answer`."""
        self.answer = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 4\r\n\r\nbody'
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no further connection."""
        # A thread that still accepts could accept from the next socket that has the same file descriptor.
        self.listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.listener.close()

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.listener.accept()[0],), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while head := connection.recv(65536):
                with self._changed:
                    answer = self.first.pop(0) if self.first else self.answer
                    self.heads.append(head)
                    self._under_way += 1
                    self.most = max(self.most, self._under_way)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: len(self.heads) >= self.together, 20)
                if self.slow and self.slow in head:
                    connection.sendall(self.answer[:-2])
                    with self._changed:
                        self._changed.wait_for(lambda: self._under_way == 1, 20)
                    connection.sendall(self.answer[-2:])
                else:
                    connection.sendall(answer)
                if self.resets:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if self.resets or self.closes:
                    return
                with self._changed:
                    self._under_way -= 1
                    self._changed.notify_all()


@pytest.fixture
def parts() -> Iterator[Parts]:
    made = Parts()
    yield made
    made.close()


NO_LIMIT = StartLimit(FixedDeadline(float("inf")), 0.0, [Duration()])


def fetch_all(parts: Parts, count: int, has_room: Callable[[int], bool] = lambda size: True) -> list[Any]:
    """Fetch so many objects at a time."""
    with connected(LocalAws(f"http://127.0.0.1:{parts.port}")) as aws:
        objects: Any = aws.objects
    return fetch_all_of(objects, count, has_room)


def fetch_all_of(objects: DirectObjects, count: int, has_room: Callable[[int], bool] = lambda size: True) -> list[Any]:
    calls: PolledCalls[int, bytes | AwsFault] = PolledCalls(
        lambda number, seconds: objects.begin_fetch("payloads", f"k{number}", 9, seconds, has_room),
        lambda response: "succeeded",
        most=count,
    )
    return calls.make(range(count), NO_LIMIT)


def test_fetches_overlap(parts: Parts) -> None:
    """So many as may be are under way at a time, and their connections are opened together."""
    parts.together = 40

    found = fetch_all(parts, 40)

    assert (found, parts.most) == ([b"body"] * 40, 40)


def test_an_object_that_comes_slowly_holds_up_no_other(parts: Parts) -> None:
    """What has come of it is read, and the others meanwhile."""
    parts.slow = b"/k0 "

    assert fetch_all(parts, 10) == [b"body"] * 10


HEAD = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 9\r\n\r\n'


@pytest.mark.parametrize(
    ("answer", "code", "end"),
    [
        (HEAD[:-8], "IncompleteReadError", "closes"),
        (HEAD[:-21], "IncompleteReadError", "closes"),
        (HEAD + b"body", "IncompleteReadError", "closes"),
        (HEAD + b"body", "ConnectionClosedError IncompleteReadError", "resets"),
        (b"no HTTP\r\n\r\n", "HTTPClientError", "closes"),
        (b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "HTTPClientError", "closes"),
    ],
)
def test_objects_that_do_not_end(parts: Parts, answer: bytes, code: str, end: str) -> None:
    """Each of those under way has its fault."""
    parts.answer, parts.together = answer, 3
    setattr(parts, end, True)

    found = fetch_all(parts, 3)

    assert [(each.kind, each.code in code.split()) for each in found] == [("retry", True)] * 3


def test_no_room(parts: Parts) -> None:
    """An object for which there is no room is not read; how long it is, it says before."""
    asked = list[int]()

    def has_room(size: int) -> bool:
        asked.append(size)
        return False

    assert (fetch_all(parts, 1, has_room), asked) == ([NO_ROOM], [4])


@pytest.mark.parametrize("token", ["", "a-token"])
def test_requests_are_signed_as_by_botocore(parts: Parts, in_environment: Callable[..., None], token: str) -> None:
    """With the encoded key as it is, and with the token of temporary credentials."""
    environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{parts.port}", "AWS_REGION": "eu-west-1"}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    in_environment(**environment, **keys, **({"AWS_SESSION_TOKEN": token} if token else {}))

    assert connect(1).objects.fetch("payloads", "a//b c/é~.json", 9, 20) == b"body"

    start, *lines = parts.heads[0].decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    path = start.split(" ")[1]
    request = AWSRequest("GET", f"http://127.0.0.1:{parts.port}{path}")
    for name in headers.keys() & {"X-Amz-Checksum-Mode"}:
        request.headers[name] = headers[name]
    signer: Any = S3SigV4Auth(BotoCredentials("a", "b", token or None), "s3", "eu-west-1")
    request.context["timestamp"] = headers["X-Amz-Date"]
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert (path, headers.get("X-Amz-Security-Token", "")) == ("/payloads/a//b%20c/%C3%A9~.json", token)
    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_a_bucket_in_another_region(parts: Parts) -> None:
    """S3 says where it is; it is asked there, also for the objects after."""
    moved = b"HTTP/1.1 301 Moved\r\nx-amz-bucket-region: us-west-2\r\nContent-Length: 37\r\n\r\n"
    parts.first = [moved + b"<Error><Code>PermanentRedirect</Code>"]

    with connected(LocalAws(f"http://127.0.0.1:{parts.port}")) as aws:
        found = [aws.objects.fetch("payloads", f"k{number}", 9, 20) for number in range(2)]

    regions = [head.partition(b"/s3/aws4_request")[0].rpartition(b"/")[2] for head in parts.heads]
    assert (found, regions[1:], regions[0] != b"us-west-2") == ([b"body"] * 2, [b"us-west-2"] * 2, True)


def test_a_bucket_in_another_region_of_which_several_objects_are_fetched_at_a_time(parts: Parts) -> None:
    """Each of those that were under way is fetched there."""
    moved = b"HTTP/1.1 301 Moved\r\nx-amz-bucket-region: us-west-2\r\nContent-Length: 37\r\n\r\n"
    parts.first, parts.together = [moved + b"<Error><Code>PermanentRedirect</Code>"] * 3, 3

    assert fetch_all(parts, 3) == [b"body"] * 3


SKEWED = (
    b"HTTP/1.1 403 Forbidden\r\nDate: %b\r\nContent-Length: 48\r\n\r\n<Error><Code>RequestTimeTooSkewed</Code></Error>"
)


def moments(parts: Parts) -> list[bytes]:
    return [line for head in parts.heads for line in head.split(b"\r\n") if line.startswith(b"X-Amz-Date")]


def objects_at(
    parts: Parts, seconds: float, credentials: GetCredentials = lambda timeout: Credentials("a", "b")
) -> DirectObjects:
    """The objects of a server, by a clock that stands."""
    env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{parts.port}"}
    others: Any = None
    return DirectObjects("eu-west-1", credentials, env, Trust(), others, now=lambda: seconds)


def test_wrong_clock(parts: Parts) -> None:
    """A clock that is wrong by an hour is corrected by AWS's clock, and stays corrected."""
    parts.first = [SKEWED % b"Fri, 02 Jan 2026 03:04:05 GMT"]
    objects = objects_at(parts, 1_767_323_045 - 3600)

    found = [objects.fetch("payloads", f"k{number}", 9, 20) for number in range(2)]

    assert (found, moments(parts)) == (
        [b"body"] * 2,
        [b"X-Amz-Date: 20260102T020405Z", b"X-Amz-Date: 20260102T030405Z", b"X-Amz-Date: 20260102T030405Z"],
    )


def test_no_keys_once_the_clock_is_corrected(parts: Parts) -> None:
    """The request that is sent again may fail to be sent."""
    parts.first = [SKEWED % b"Fri, 02 Jan 2026 03:04:05 GMT"]
    keys = iter([Credentials("a", "b")])

    def credentials(timeout: CallTimeout) -> Credentials:
        if (found := next(keys, None)) is None:
            raise CredentialsError
        return found

    fault = objects_at(parts, 0.0, credentials).fetch("payloads", "k", 9, 20)

    assert (fault, len(parts.heads)) == (AwsFault("configuration", "NoCredentialsError"), 1)


def test_wrong_clock_and_another_region(parts: Parts) -> None:
    """Both are corrected for one object."""
    parts.first = [SKEWED % b"Fri, 02 Jan 2026 03:04:05 GMT", MALFORMED % b"us-west-2"]

    assert objects_at(parts, 0.0).fetch("payloads", "k", 9, 20) == b"body"


def test_wrong_clock_when_several_objects_are_fetched_at_a_time(parts: Parts) -> None:
    """Each of those that were under way is fetched again, though the first of them has corrected the clock."""
    parts.first, parts.together = [SKEWED % b"Fri, 02 Jan 2026 03:04:05 GMT"] * 3, 3
    objects = objects_at(parts, 1_767_323_045 - 3600)

    assert fetch_all_of(objects, 3) == [b"body"] * 3


def test_right_clock(parts: Parts) -> None:
    """If the clock is right, the request is not sent again."""
    parts.first = [SKEWED % b"Fri, 02 Jan 2026 03:04:05 GMT"]

    found = objects_at(parts, 1_767_323_045 - 60).fetch("payloads", "k", 9, 20)

    assert (found, len(parts.heads)) == (AwsFault("configuration", "RequestTimeTooSkewed", 403), 1)


MALFORMED = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 82\r\n\r\n"
    b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>%b</Region></Error>"
)


def test_a_region_in_the_text_of_an_error(parts: Parts) -> None:
    """Where a header is missing, it says where the bucket is, as botocore reads it."""
    parts.first = [MALFORMED % b"us-west-2"]

    with connected(LocalAws(f"http://127.0.0.1:{parts.port}")) as aws:
        assert aws.objects.fetch("payloads", "k", 9, 20) == b"body"


@pytest.mark.parametrize("region", [b"us.west.2", "us-wést-2".encode("latin-1")])
def test_what_is_no_region(parts: Parts, region: bytes) -> None:
    """It becomes no part of a host."""
    parts.first = [MALFORMED % region]

    with connected(LocalAws(f"http://127.0.0.1:{parts.port}")) as aws:
        found = aws.objects.fetch("payloads", "k", 9, 20)

    assert found == AwsFault("configuration", "AuthorizationHeaderMalformed", 400)


@pytest.mark.parametrize(
    "bucket", ["fast--euw1-az1--x-s3", "point--euw1-az1--xa-s3", "point-o01ac5d28a6a232904--op-s3"]
)
def test_directory_buckets(bucket: str) -> None:
    """They are left to boto3, which opens sessions; and so are their access points, and those of Outposts."""

    class Others:
        def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
            return f"{bucket}/{key}".encode()

    trust: Any = None
    objects = DirectObjects("eu-west-1", lambda timeout: Credentials("a", "b"), {}, trust, Others())
    pending = objects.begin_fetch(bucket, "k", 9, 20, lambda size: True)

    assert (pending.fileno(), pending.arrived(), pending.finish()) == (-1, True, f"{bucket}/k".encode())


def raising(error: Exception) -> Callable[[float], Credentials]:
    def find(timeout: float) -> Credentials:
        raise error

    return find


@pytest.mark.parametrize(
    ("credentials", "env", "fault"),
    [
        (raising(CredentialsError()), {}, AwsFault("configuration", "NoCredentialsError")),
        (raising(TimeoutError()), {}, AwsFault("retry", "CredentialRetrievalError")),
        (
            raising(CredentialsError()),
            {"AWS_ENDPOINT_URL_S3": "x"},
            AwsFault("configuration", "EndpointResolutionError"),
        ),
    ],
)
def test_what_cannot_be_sent(credentials: Any, env: dict[str, str], fault: AwsFault) -> None:
    """No credentials, or an invalid endpoint: a fault, as of a call."""
    others: Any = None
    objects = DirectObjects("eu-west-1", credentials, env, Trust(), others)
    pending = objects.begin_fetch("payloads", "k", 9, 20, lambda size: True)

    found = (pending.fileno(), pending.events, pending.seconds, pending.arrived(), pending.finish())

    assert found == (-1, 0, 0.0, True, fault)


def test_settings_of_s3_are_those_of_boto3(in_environment: Callable[..., None], tmp_path: Path) -> None:
    """AWS's config file has settings of S3 that only the SDK supports."""
    file = tmp_path / "config"
    file.write_text("[default]\ns3 =\n  addressing_style = path\n")
    in_environment(AWS_CONFIG_FILE=str(file), AWS_REGION="eu-west-1", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    aws = connect(1)

    assert (type(aws.tables).__name__, type(aws.objects).__name__) == ("DirectTables", "LazyObjects")


def test_a_client_that_takes_long_to_make() -> None:
    """The time of a call limits it."""
    go_on = threading.Event()
    # It makes no client: the call gives up before.
    objects = LazyObjects(lambda: go_on.wait(10) and None)  # type: ignore[arg-type, return-value]

    found = objects.fetch("payloads", "k", 9, 0.01)
    go_on.set()

    assert found == TIMED_OUT


def test_a_client_that_cannot_be_made(in_environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 is imported with the first object that needs it; what it then refuses is a configuration error."""
    in_environment(AWS_REGION="eu-west-1", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    aws = connect(1)
    monkeypatch.setenv("AWS_PROFILE", "absent")

    found = aws.objects.fetch("fast--euw1-az1--x-s3", "k", 9, 60)

    assert found == AwsFault("configuration", "ProfileNotFound")


def test_no_client() -> None:
    """If no client can be made, each fetch returns the configuration error."""
    no_credentials = AwsFault("configuration", "NoCredentialsError")
    objects = LazyObjects(lambda: no_credentials)

    faults = [objects.fetch("payloads", "k", 9, 60) for _ in range(2)]

    assert faults == [no_credentials] * 2
