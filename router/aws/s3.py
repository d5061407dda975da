"""S3 through boto3's low-level client."""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Protocol

from router.aws.calls import ERRORS, call, fault_of
from router.aws.client import TOO_LARGE
from router.aws.faults import Fault

_PIECE = 256 * 1024


class S3Client(Protocol):
    """What is used of boto3's client."""

    @property
    def get_object(self) -> Callable[..., Mapping[str, Any]]:
        """GetObject."""


class S3Objects:
    """The `Objects` of the seam; `connect` makes the client, when it is first needed."""

    def __init__(self, connect: Callable[[], S3Client]) -> None:
        self._connect = connect
        self._client: S3Client | None = None
        # A session of boto3 must not make two clients at a time.
        self._connecting = Lock()

    def fetch(self, bucket: str, key: str, max_bytes: int) -> bytes | Fault:
        """GetObject; an object that says how large it is, and is too large, is not read at all."""
        try:
            client = self._connected()
        except ERRORS as error:
            return fault_of(error)
        # Every object has an entity tag, and what a proxy answers in place of S3 has most likely none.
        answer = call(client.get_object, "ETag", Bucket=bucket, Key=key)
        if isinstance(answer, Fault):
            return answer
        body = answer["Body"]
        try:
            return TOO_LARGE if answer.get("ContentLength", 0) > max_bytes else _read(body, max_bytes)
        except ERRORS as error:
            return fault_of(error)
        finally:
            body.close()

    def _connected(self) -> S3Client:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client


def _read(body: Any, max_bytes: int) -> bytes | Fault:
    """The whole of a body: its checksum and length are only proven at the end."""
    pieces: list[bytes] = []
    size = 0
    while piece := body.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            return TOO_LARGE
    return b"".join(pieces)
