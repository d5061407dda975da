"""S3 through boto3's low-level client, which is imported with the first object."""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Protocol

from router.aws.protocols import TOO_LARGE, AwsFault

TIMEOUT = 10
"""Seconds to wait for the next part of an object."""
_PART_BYTES = 256 * 1024


class S3Client(Protocol):
    """The methods of boto3's client that are used."""

    @property
    def get_object(self) -> Callable[..., Mapping[str, Any]]:
        """GetObject."""


class S3Objects:
    """The `Objects` of the interface; `connect` makes the client for the first object, or returns why it cannot."""

    def __init__(self, connect: Callable[[], S3Client | AwsFault]) -> None:
        self._connect = connect
        self._client: S3Client | None = None
        self._connecting = Lock()

    def fetch(self, bucket: str, key: str, max_bytes: int) -> bytes | AwsFault:
        """Call GetObject; the body of an object whose declared length is too large is not read."""
        # A session of boto3 must not make two clients at a time.
        with self._connecting:
            client = self._client or self._connect()
            if isinstance(client, AwsFault):
                return client
            self._client = client
        from router.aws.boto import ERRORS, call, fault_of

        # Every object has an entity tag; a proxy's page with status 200 most likely has none.
        response = call(client.get_object, "ETag", Bucket=bucket, Key=key)
        if isinstance(response, AwsFault):
            return response
        body = response["Body"]
        try:
            return TOO_LARGE if response.get("ContentLength", 0) > max_bytes else _read(body, max_bytes)
        except ERRORS as error:
            return fault_of(error)
        finally:
            body.close()


def _read(body: Any, max_bytes: int) -> bytes | AwsFault:
    """Read a whole body: its checksum and length are verified at the end only."""
    parts: list[bytes] = []
    size = 0
    while part := body.read(_PART_BYTES):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            return TOO_LARGE
    return b"".join(parts)
