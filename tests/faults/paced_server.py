"""A server of SQS and DynamoDB: a queue whose table is slow, one with few messages, and one with some of a hot key.

The arguments name the queues with a backlog: `slow`, `many`, `hot`, which is `many` with a hundredth of its messages on
a key that is throttled, or `stuck`, which is `slow` with a table that never responds. With `stuck`, each message of the
quick queue is sent when the one before is written, and the first one while `WAITING` writes wait for a response.

It prints its port, and for each line of its standard input what happened since the line before, as JSON: `latencies` in
seconds of the queue `quick`, from send to write, and how many messages of `many` are `written`.
"""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from hashlib import md5
from itertools import count, cycle
from typing import Any

SLOW_SECONDS = 0.2
"""The latency of the slow table."""
INTERVAL_SECONDS = 0.05
"""Between two messages of the quick queue."""
QUEUES = {"hot": "many", "stuck": "slow"}
"""The names of queues by those of backlogs, where they differ."""
WAITING = 4
"""So many receivers a queue has if all of them wait."""

_numbers = count()


def _message(**content: Any) -> dict[str, Any]:
    body = json.dumps(content)
    id_ = f"m{next(_numbers)}"
    digest = md5(body.encode(), usedforsecurity=False).hexdigest()
    attributes = {"ApproximateReceiveCount": "1"}
    return {"MessageId": id_, "ReceiptHandle": id_, "Body": body, "MD5OfBody": digest, "Attributes": attributes}


class PacedServer:
    """The queues `slow`, `quick` and `many`, and the tables of the same names."""

    def __init__(self, backlogs: Sequence[str]) -> None:
        self._quick: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._latencies: list[float] = []
        self._written = 0
        self._stuck = "stuck" in backlogs
        self._stuck_writes = 0
        self._next = asyncio.Event()
        """Set when a message is to be sent to the quick queue, with `stuck`."""
        self._backlogs = {QUEUES.get(name, name): _backlog(hot=name == "hot") for name in backlogs}
        self._endpoint = ""

    async def run(self) -> None:
        """Serve until the end of standard input."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self._endpoint = f"http://127.0.0.1:{port}"
        print(port, flush=True)
        feeding = asyncio.create_task(self._feed())
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"latencies": self._latencies, "written": self._written}), flush=True)
            self._latencies, self._written = [], 0
        feeding.cancel()
        sys.stdout.flush()
        os._exit(0)  # else each open connection is reported as cancelled

    async def _feed(self) -> None:
        while True:
            if self._stuck:
                await self._next.wait()
                self._next.clear()
            else:
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
                return await self._receive(request["QueueUrl"].rpartition("/")[2], request["WaitTimeSeconds"])
            case "batchwriteitem":
                answer: dict[str, Any] = {"UnprocessedItems": await self._write(request["RequestItems"])}
            case "getqueueurl":
                answer = {"QueueUrl": f"{self._endpoint}/1/{request['QueueName']}"}
            case "getqueueattributes":
                answer = {"Attributes": {"VisibilityTimeout": "60"}}
            case _:
                answer = {"Successful": [{"Id": each["Id"]} for each in request["Entries"]], "Failed": []}
        return json.dumps(answer).encode()

    async def _receive(self, queue: str, wait: float) -> bytes:
        if queue in self._backlogs:
            return next(self._backlogs[queue])
        messages = self._quick if queue == "quick" else asyncio.Queue()
        try:
            message = await asyncio.wait_for(messages.get(), wait or 0.001)
        except TimeoutError:
            return b"{}"
        return json.dumps({"Messages": [message]}).encode()

    async def _write(self, items: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if "slow" in items:
            await self._be_slow()
        hot = [put for put in items.get("many", ()) if put["PutRequest"]["Item"]["id"]["S"] == "hot"]
        self._written += len(items.get("many", ())) - len(hot)
        for put in items.get("quick", ()):
            self._latencies.append(time.monotonic() - float(put["PutRequest"]["Item"]["sent_at"]["N"]))
            self._next.set()
        return {"many": hot} if hot else {}

    async def _be_slow(self) -> None:
        if not self._stuck:
            await asyncio.sleep(SLOW_SECONDS)
            return
        self._stuck_writes += 1
        if self._stuck_writes == WAITING:
            self._next.set()
        await asyncio.Event().wait()


def _backlog(*, hot: bool) -> Iterator[bytes]:
    """Yield responses of ten messages for ever; encoded once, as the server is to take little of the machine's time."""
    receives = []
    for number in range(1000):
        ids = [f"{number}-{at}" for at in range(10)]
        if hot and number % 10 == 0:
            ids[5] = "hot"
        receives.append(json.dumps({"Messages": [_message(id=id_, text="x" * 300) for id_ in ids]}).encode())
    return cycle(receives)


if __name__ == "__main__":
    asyncio.run(PacedServer(sys.argv[1:]).run())
