"""Dead letters as lines of JSON: `router dlq export` writes them, and `router dlq redrive --from` reads them."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from router.aws.protocols import AwsFault
from router.dlq.messages import DlqMessage
from router.dlq.spool import Spool
from router.errors import UsageError, refusing_file
from router.model import Record

_ENCODER = msgspec.json.Encoder()
"""Binary values of message attributes become base64, as in the JSON of AWS."""


def write_messages(path: Path, messages: Iterable[DlqMessage]) -> int:
    """Write messages to a new file that only its owner may read; return how many. Raises UsageError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists already; choose another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {(error.strerror or 'error').lower()}") from None
    count = 0
    with os.fdopen(descriptor, "wb") as file:
        for count, message in enumerate(messages, 1):  # noqa: B007 — the count is the result
            file.write(_ENCODER.encode(_as_json(message)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return count


def read_messages(path: Path) -> Iterator[DlqMessage]:
    """Yield the messages of a file; raises UsageError with the line that is none."""
    with refusing_file(f"read {path}"), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _from_json(line, f"{path}:{number}")


class FileSource:
    """Messages of a file, spooled: deleting one deletes it from the spool only."""

    fifo = False
    lasting = True

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def leased_until(self, ids: Sequence[str]) -> Mapping[str, float]:
        """Return that nobody else takes messages of a file."""
        return dict.fromkeys(ids, inf)

    def delete(self, ids: Sequence[str]) -> Mapping[str, AwsFault]:
        """Remove messages from the spool."""
        self._spool.remove(ids)
        return {}


def _as_json(message: DlqMessage) -> dict[str, Any]:
    """Return a message in the form of ReceiveMessage, without its receipt handle."""
    record = message.record
    return {
        "MessageId": record.message_id,
        "Body": record.body,
        "Attributes": record.attributes,
        "MessageAttributes": record.message_attributes,
    }


class _Exported(msgspec.Struct):
    """A line of an export."""

    MessageId: str
    Body: str
    Attributes: dict[str, str] = {}
    MessageAttributes: dict[str, "_Attribute"] = {}


class _Attribute(msgspec.Struct, omit_defaults=True):
    """A message attribute."""

    DataType: str
    StringValue: str | None = None
    BinaryValue: bytes | None = None


_DECODER = msgspec.json.Decoder(_Exported)


def _from_json(line: bytes, where: str) -> DlqMessage:
    try:
        exported = _DECODER.decode(line)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{where} is not a message of 'router dlq export': {error}") from None
    attributes = msgspec.to_builtins(exported.MessageAttributes, builtin_types=(bytes,))
    return DlqMessage.of(Record(exported.MessageId, "", exported.Body, exported.Attributes, attributes))
