"""The Lambda Runtime API for AWS's own runtime client: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

import json
import queue
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

SECONDS = 120
ARN = "arn:aws:lambda:us-east-1:000000000000:function:message-router"
RUNTIME_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""What the image of the runtime has; the last three are for the first."""
# As the image does: the function's code first, then the runtime's, and nothing that is installed here.
START = """
import sys
sys.path[:0] = sys.argv[1:3]
from awslambdaric.__main__ import main
main(["bootstrap", sys.argv[3]])
"""


@dataclass(frozen=True)
class FunctionAnswer:
    """What became of an invocation: `response`, `error`, `init/error`, or `exit`, and the body as it was sent."""

    kind: str
    body: bytes = b""


class RuntimeApi:
    """Hands out invocations one at a time, and takes what the runtime client answers."""

    def __init__(self) -> None:
        self._events: queue.Queue[tuple[str, bytes, int]] = queue.Queue()
        self._answers: queue.Queue[tuple[str, FunctionAnswer]] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next(self) -> tuple[str, bytes, int]:
        """The next invocation, once there is one: its id, its event, and when its time is over in milliseconds."""
        return self._events.get()

    def take(self, request_id: str, answer: FunctionAnswer) -> None:
        """What the client says of an invocation; of none, if it could not start."""
        self._answers.put((request_id, answer))

    def hand_out(self, event: Any, milliseconds: int) -> str:
        """Have an event invoked; its request id."""
        request_id = str(uuid.uuid4())
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        self._events.put((request_id, body, int(time.time() * 1000) + milliseconds))
        return request_id

    def answer(self) -> tuple[str, FunctionAnswer] | None:
        """What the client said next, if it does within a moment."""
        try:
            return self._answers.get(timeout=0.1)
        except queue.Empty:
            return None


def _handler(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class RuntimeHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            request_id, body, deadline = api.next()
            headers = {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            }
            self._send(200, body, headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            *_, request_id, kind = self.path.split("/")
            api.take(request_id, FunctionAnswer("init/error" if request_id == "init" else kind, body))
            self._send(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    return RuntimeHandler


class EmulatedFunction:
    """A function whose code is a folder, run by AWS's runtime client in a process of its own."""

    def __init__(self, api: RuntimeApi, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._api, self._process, self._log = api, process, log

    def invoke(self, event: Any, milliseconds: int = 30_000) -> FunctionAnswer:
        """What it answers to an event, with so much time; the event is JSON unless it is bytes."""
        request_id = self._api.hand_out(event, milliseconds)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            response = self._api.answer()
            if response:
                assert response[0] in (request_id, "init")
                return response[1]
            if self._process.poll() is not None:
                return FunctionAnswer("exit", self._log.read_bytes())
        raise AssertionError(f"no answer in {SECONDS} seconds:\n{self._log.read_text()}")

    def lines(self) -> list[dict[str, Any]]:
        """What it printed: the log lines and metrics of the router, all of them JSON."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.strip()]


@contextmanager
def running(
    code: Path, log: Path, environment: Mapping[str, str], handler: str = "router.lambda_handler.handler"
) -> Iterator[EmulatedFunction]:
    """The function of a folder; beside its code there is nothing but Python's own library and the runtime client."""
    api = RuntimeApi()
    variables = {
        **environment,
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": "message-router",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "LAMBDA_TASK_ROOT": str(code),
        "_HANDLER": handler,
        "TZ": ":UTC",
    }
    try:
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", START, str(code), str(runtime_client(log.parent)), handler],
                cwd=code,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            ) as process,
        ):
            try:
                yield EmulatedFunction(api, process, log)
            finally:
                process.kill()
    finally:
        api.close()


def runtime_client(folder: Path) -> Path:
    """A folder with the runtime client and what it imports, and nothing else of what is installed here."""
    import awslambdaric

    image = folder / "runtime"
    if not image.is_dir():
        image.mkdir()
        for entry in Path(awslambdaric.__file__).parents[1].iterdir():
            if entry.name.partition(".")[0] in RUNTIME_CLIENT:
                (image / entry.name).symlink_to(entry)
    return image
