"""What tests of other rooms use of `router.tools.console`, and a console that runs."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from router.errors import RouterError
from router.tools.console.server import CALLS
from router.tools.console.workspace import JobProcess, Workspace, as_refusal, opened

__all__ = ["JobProcess", "Refused", "Reply", "RunningConsole", "Workspace", "call", "opened", "running_console"]


class Reply:
    """A response of the console."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RunningConsole:
    """A `router console` that runs: its URL with the token, and requests to it."""

    def __init__(self, url: str, process: "subprocess.Popen[str]") -> None:
        self.url = url
        self.process = process
        self.origin, _, self.token = url.partition("/?token=")
        self.host = self.origin.removeprefix("http://")
        self.port = int(self.host.rpartition(":")[2])
        self.cookie = f"router-console-{self.port}={self.token}"

    def request(self, method: str, path: str, headers: Mapping[str, str | None], body: str = "") -> Reply:
        """Send a request as the page does; a header of None is left out."""
        own = {"Host": self.host, "Origin": self.origin, "Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
        if method == "POST":
            own["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in {**own, "Content-Length": str(len(body.encode())), **headers}.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body.encode())
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def call(self, name: str, given: Any = None) -> Reply:
        """Call `POST /api/NAME`."""
        return self.request("POST", f"/api/{name}", {}, json.dumps({} if given is None else given))


@contextmanager
def running_console(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, browser: bool = False
) -> Iterator[RunningConsole]:
    """Start `router console` in a folder, with `--no-browser` unless it is to open one; it ends with the block."""
    command = [sys.executable, "-m", "router", "console", *([] if browser else ["--no-browser"]), *words]
    with (
        (folder / "console.log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {}), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, (folder / "console.log").read_text()
            yield RunningConsole(found[0], process)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


class Refused(Exception):
    """A call that was refused: its code, sentence and status."""


def call(workspace: Workspace, name: str, /, **given: Any) -> Any:
    """Call a function of the page, without a server; raises Refused."""
    (found,) = (each for each in CALLS if each.name == name)
    try:
        answer = found.run(workspace, msgspec.convert(given, found.takes))
    except RouterError as error:
        refusal = as_refusal(error)
        raise Refused(refusal.code, str(refusal), refusal.status) from None
    return json.loads(answer if isinstance(answer, bytes) else msgspec.json.encode(answer))
