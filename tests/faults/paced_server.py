"""A server of SQS and DynamoDB: a queue with a backlog whose table is slow, and one with few messages.

The first argument says whether there is a backlog (1 or 0). It prints its port, and for each line of its standard input
the latencies of the quick queue since the line before, from send to write, as a JSON list of seconds.
"""

import asyncio
import json
import os
import re
import sys
import time
from hashlib import md5
from itertools import count, cycle
from typing import Any

SLOW_SECONDS = 0.2
"""The latency of the slow table."""
INTERVAL_SECONDS = 0.05
"""Between two messages of the quick queue."""

_numbers = count()


def _message(**content: Any) -> dict[str, Any]:
    body = json.dumps(content)
    id_ = f"m{next(_numbers)}"
    digest = md5(body.encode(), usedforsecurity=False).hexdigest()
    attributes = {"ApproximateReceiveCount": "1"}
    return {"MessageId": id_, "ReceiptHandle": id_, "Body": body, "MD5OfBody": digest, "Attributes": attributes}


class PacedServer:
    """The queues `slow` and `quick` and the tables `slow` and `quick`."""

    def __init__(self, *, backlog: bool) -> None:
        self._quick: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._latencies: list[float] = []
        receives = [{"Messages": [_message(id=f"{n}-{m}", text="x" * 300) for m in range(10)]} for n in range(1000)]
        # Encoded once: the server is to take little of the machine's time.
        self._backlog = cycle([json.dumps(each).encode() for each in receives]) if backlog else None
        self._endpoint = ""

    async def run(self) -> None:
        """Serve until the end of standard input."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self._endpoint = f"http://127.0.0.1:{port}"
        print(port, flush=True)
        feeding = asyncio.create_task(self._feed())
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(self._latencies), flush=True)
            self._latencies = []
        feeding.cancel()
        sys.stdout.flush()
        os._exit(0)  # else each open connection is reported as cancelled

    async def _feed(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            self._quick.put_nowait(_message(id="q", sent_at=time.monotonic()))

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
            answer = await self._answer(operation[1].decode(), json.loads(body))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))

    async def _answer(self, operation: str, request: dict[str, Any]) -> bytes:
        match operation:
            case "receivemessage":
                return await self._receive("slow" in request["QueueUrl"], request["WaitTimeSeconds"])
            case "batchwriteitem":
                await self._write(request["RequestItems"])
                answer: dict[str, Any] = {"UnprocessedItems": {}}
            case "getqueueurl":
                answer = {"QueueUrl": f"{self._endpoint}/1/{request['QueueName']}"}
            case "getqueueattributes":
                answer = {"Attributes": {"VisibilityTimeout": "60"}}
            case _:
                answer = {"Successful": [{"Id": each["Id"]} for each in request["Entries"]], "Failed": []}
        return json.dumps(answer).encode()

    async def _receive(self, slow: bool, wait: float) -> bytes:
        if slow and self._backlog:
            return next(self._backlog)
        try:
            message = await asyncio.wait_for(asyncio.Queue().get() if slow else self._quick.get(), wait or 0.001)
        except TimeoutError:
            return b"{}"
        return json.dumps({"Messages": [message]}).encode()

    async def _write(self, items: dict[str, list[Any]]) -> None:
        if "slow" in items:
            await asyncio.sleep(SLOW_SECONDS)
        for put in items.get("quick", ()):
            self._latencies.append(time.monotonic() - float(put["PutRequest"]["Item"]["sent_at"]["N"]))


if __name__ == "__main__":
    asyncio.run(PacedServer(backlog=sys.argv[1] == "1").run())
