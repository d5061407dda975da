"""A server of SQS with one dead-letter queue of any number of letters, which costs the same for each call.

The argument is the number of letters. It prints its port, and for each line of its standard input the numbers of
visible, invisible and deleted letters, as a JSON list. The letters are made when they are received: their body is
`{"id": "l17", "number": 17}`, beside a text.
"""

import asyncio
import heapq
import json
import os
import re
import sys
import time
from collections import deque
from typing import Any

TEXT = "x" * 500
SENT_MS = 1_767_225_600_000
FAILED = {
    "code": "RT806",
    "reason": "fails 'type' at /properties/number/type",
    "queue": "letters",
    "route": "letters",
    "pointer": "/number",
    "receive_count": 1,
    "failed_at": "2026-01-02T00:00:00.000Z",
}


def _letter(number: int, handle: str) -> dict[str, Any]:
    failed = json.dumps({**FAILED, "message_id": f"original-{number}"})
    return {
        "MessageId": f"letter-{number}",
        "ReceiptHandle": handle,
        "Body": json.dumps({"id": f"l{number}", "number": number, "text": TEXT}),
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(SENT_MS + number)},
        "MessageAttributes": {"router": {"DataType": "String", "StringValue": failed}},
    }


class LetterServer:
    """The dead-letter queue: the numbers of the visible letters, and the receipt handles and ends of the others.

    The heap of ends also has former ends of leases that were extended.
    """

    def __init__(self, letters: int) -> None:
        self._visible = deque(range(letters))
        self._leases: dict[int, tuple[str, float]] = {}
        self._ends: list[tuple[float, int, str]] = []
        self._receives = 0
        self._deleted = 0
        self._endpoint = ""

    async def run(self) -> None:
        """Serve until the end of standard input."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self._endpoint = f"http://127.0.0.1:{port}"
        print(port, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps([len(self._visible), len(self._leases), self._deleted]), flush=True)
        os._exit(0)  # else each open connection is reported as cancelled

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                body = await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            except (asyncio.IncompleteReadError, OSError):
                writer.close()
                return
            operation = re.search(rb"x-amz-target: \S+\.(\S+)", head)
            assert operation
            answer = json.dumps(await self._answer(operation[1].decode(), json.loads(body))).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))

    async def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self._end_leases()
        match operation:
            case "getqueueurl":
                return {"QueueUrl": f"{self._endpoint}/1/{request['QueueName']}"}
            case "getqueueattributes":
                names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
                counts = (len(self._visible), len(self._leases))
                return {"Attributes": dict(zip(names, map(str, counts), strict=True))}
            case "receivemessage":
                if not self._visible:
                    await asyncio.sleep(request["WaitTimeSeconds"])
                return {"Messages": self._receive(request["MaxNumberOfMessages"], request["VisibilityTimeout"])}
        for entry in request["Entries"]:
            self._change(entry["ReceiptHandle"], entry.get("VisibilityTimeout"))
        return {"Successful": [{"Id": each["Id"]} for each in request["Entries"]], "Failed": []}

    def _receive(self, count: int, visibility: float) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = []
        while self._visible and len(received) < count:
            number = self._visible.popleft()
            self._receives += 1
            handle = f"{number}-{self._receives}"
            self._lease(number, handle, visibility)
            received.append(_letter(number, handle))
        return received

    def _change(self, handle: str, visibility: float | None) -> None:
        """Change the visibility timeout of a letter; None deletes it."""
        number = int(handle.partition("-")[0])
        if self._leases.get(number, ("", 0))[0] != handle:
            return
        del self._leases[number]
        if visibility is None:
            self._deleted += 1
        elif visibility == 0:
            self._visible.append(number)
        else:
            self._lease(number, handle, visibility)

    def _lease(self, number: int, handle: str, visibility: float) -> None:
        end = time.monotonic() + visibility
        self._leases[number] = handle, end
        heapq.heappush(self._ends, (end, number, handle))

    def _end_leases(self) -> None:
        while self._ends and self._ends[0][0] < time.monotonic():
            end, number, handle = heapq.heappop(self._ends)
            if self._leases.get(number) == (handle, end):
                del self._leases[number]
                self._visible.append(number)


if __name__ == "__main__":
    asyncio.run(LetterServer(int(sys.argv[1])).run())
