"""The probe of a function, against a server with the responses of AWS Lambda: what it says, and what it does not."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from router.tools.deploy import probe
from router.tools.deploy.probe import FunctionError, ProbeResult, hide_values, probe_function
from tests.support.aws import ServiceClient, connect_invoker

VERSION = "arn:aws:lambda:us-east-1:123456789012:function:flows:7"
SECRETS = {"DATABASE": "postgres://user:hunter2-of-nobody@db.internal/x", "STAGE": "prod", "N": "1", "KEY": "a\nb'c"}
FRAMES = [
    '  File "/var/lang/lib/python3.13/importlib/__init__.py", line 88, in import_module\n    return x\n',
    '  File "/var/task/plugins/marks.py", line 3, in <module>\n    TOKEN = "never shown"\n',
]


class ScriptedLambda:
    """A server with one answer for each call of an operation, the last one for all further; it counts invocations."""

    def __init__(self) -> None:
        self.invocations: list[bytes] = []
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.variables: dict[str, str] | None = SECRETS
        self.reserved: int | None = None

    def invoke(self, body: bytes) -> tuple[int, dict[str, str], Any]:
        """What AWS says to an invocation."""
        self.invocations.append(body)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def read(self, path: str) -> tuple[int, dict[str, str], Any]:
        """What AWS says to GetFunctionConcurrency and GetFunctionConfiguration."""
        if path.endswith("/concurrency"):
            assert "function%3Aflows/" in path
            return 200, {}, {} if self.reserved is None else {"ReservedConcurrentExecutions": self.reserved}
        if self.variables is None:
            return 403, {"x-amzn-errortype": "AccessDeniedException"}, {"Message": "no"}
        return 200, {}, {"Environment": {"Variables": self.variables}}

    def fails(self, **error: Any) -> None:
        """Let the function fail."""
        self.answers = [(200, {"X-Amz-Function-Error": "Unhandled"}, error)]

    def refuses(self, code: str, status: int) -> None:
        """Let AWS refuse the next invocation."""
        self.answers.insert(0, (status, {"x-amzn-errortype": code}, {"Message": f"{code} it is"}))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedLambda]:
    """A server for the client of the probe."""
    script = ScriptedLambda()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.answer(*script.invoke(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            self.answer(*script.read(self.path))

        def answer(self, status: int, headers: dict[str, str], value: Any) -> None:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, each in headers.items():
                self.send_header(name, each)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{http.server_address[1]}")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        monkeypatch.setattr(probe, "PAUSE", 0)
        yield script
        http.shutdown()
        thread.join()


@pytest.fixture
def client(scripted: ScriptedLambda) -> ServiceClient:
    """The client of the probe."""
    return connect_invoker(5)


def test_it_starts(scripted: ScriptedLambda, client: ServiceClient) -> None:
    """One invocation, with no records."""
    scripted.answers = [(200, {}, {"batchItemFailures": []})]

    assert (probe_function(client, VERSION), scripted.invocations) == (ProbeResult(), [b'{"Records": []}'])


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            {
                "errorType": "Runtime.ImportModuleError",
                "errorMessage": "Unable to import module 'router.lambda_handler'",
            },
            "Runtime.ImportModuleError: Unable to import module 'router.lambda_handler'",
        ),
        (
            {"errorType": "KeyError", "errorMessage": "'PLACE'", "requestId": "", "stackTrace": FRAMES},
            "KeyError: 'PLACE' (plugins/marks.py:3)",
        ),
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error: Task timed out after 3.00 seconds"},
            "Sandbox.Timedout: RequestId: 1 Error: Task timed out after 3.00 seconds",
        ),
        ({"errorType": "a b\n", "errorMessage": "x\n  y\n"}, "an error without a type: x; y"),
        ({"errorType": "E", "errorMessage": "x" * 700}, f"E: {'x' * 600} …"),
        (
            {"errorType": "E", "errorMessage": "x", "stackTrace": [*FRAMES, '  File "router/a.py", line 1, in b\n']},
            "E: x (plugins/marks.py:3)",
        ),
        ({"errorType": 1}, "an error without a type"),
        ([], "an error without a type"),
    ],
)
def test_it_cannot_start(scripted: ScriptedLambda, client: ServiceClient, error: Any, sentence: str) -> None:
    """The sentence has the type of the error, its text, and the place in the files of the user."""
    scripted.answers = [(200, {"X-Amz-Function-Error": "Unhandled"}, error)]

    found = probe_function(client, VERSION)

    assert (found.failure, len(scripted.invocations)) == (f"RT794 the function cannot start: {sentence}", 1)


def test_values_of_variables(scripted: ScriptedLambda, client: ServiceClient) -> None:
    """Names stand in their place; without the permission to read them, the text is not shown at all."""
    text = "cannot connect to postgres://user:hunter2-of-nobody@db.internal/x as hunter2 in prod 1"
    scripted.fails(errorType="OSError", errorMessage=text)
    known = probe_function(client, VERSION)
    scripted.variables = None
    unknown = probe_function(client, VERSION)

    start = "RT794 the function cannot start: OSError"
    assert known.failure == f"{start}: cannot connect to ${{DATABASE}} as ${{DATABASE}} in ${{STAGE}} 1"
    assert unknown.failure == start


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"bad key {'a' + chr(10) + 'b' + chr(39) + 'c'!r}", "bad key '${KEY}'"),
        ("the password hunter2 is wrong", "the password ${DATABASE} is wrong"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_hides(text: str, shown: str) -> None:
    """A value as an exception quotes it, and the longer words of a value."""
    assert hide_values(text.replace('"', "'"), SECRETS).replace('"', "'") == shown


def test_no_variables() -> None:
    """Nothing is replaced."""
    assert hide_values("text", {}) == "text"


def test_a_secret_of_the_code() -> None:
    """A text that looks like a secret is not shown."""
    error = FunctionError("ValueError", "-----BEGIN RSA PRIVATE KEY-----")

    assert error.text({}) == ""


def test_another_function(scripted: ScriptedLambda, client: ServiceClient) -> None:
    """Something that answers otherwise is not the router."""
    for answer in ({"statusCode": 200}, b"no JSON"):
        scripted.answers = [(200, {}, answer)]

        found = probe_function(client, VERSION)

        assert found.failure == "RT794 the function does not answer as the router does: another one has its name"


@pytest.mark.parametrize("code", ["ResourceConflictException", "TooManyRequestsException", "ServiceException"])
def test_not_yet(scripted: ScriptedLambda, client: ServiceClient, code: str) -> None:
    """What AWS did not invoke is invoked again: a version that is not ready, concurrency that is used up."""
    scripted.answers = [(200, {}, {"batchItemFailures": []})]
    scripted.refuses(code, 409)
    scripted.refuses(code, 409)

    assert (probe_function(client, VERSION), len(scripted.invocations)) == (ProbeResult(), 3)


def test_never(scripted: ScriptedLambda, client: ServiceClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """At last it is given up."""
    monkeypatch.setattr(probe, "RETRY_SECONDS", 0)
    scripted.fails()
    scripted.refuses("TooManyRequestsException", 429)

    found = probe_function(client, VERSION)

    assert found.failure == (
        "RT795 the function could not be invoked: AWS refuses lambda:Invoke: TooManyRequestsException it is"
    )


def test_denied(scripted: ScriptedLambda, client: ServiceClient) -> None:
    """The sentence names the permission."""
    scripted.fails()
    scripted.refuses("AccessDeniedException", 403)

    found = probe_function(client, VERSION)

    assert found.failure.startswith("RT795 the function could not be invoked: these credentials may not do lambda:Invo")


def test_paused(scripted: ScriptedLambda, client: ServiceClient) -> None:
    """A function without concurrency gets no message either: that it was not tried is no failure."""
    scripted.fails()
    scripted.refuses("TooManyRequestsException", 429)
    scripted.reserved = 0

    assert probe_function(client, VERSION) == ProbeResult(paused=True)


def test_no_answer(scripted: ScriptedLambda, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invocation whose answer does not come is not repeated."""

    def breaks_off(body: bytes) -> Any:
        scripted.invocations.append(body)
        raise ConnectionAbortedError

    monkeypatch.setattr(scripted, "invoke", breaks_off)

    found = probe_function(connect_invoker(5), VERSION)

    assert (found.failure[:6], len(scripted.invocations)) == ("RT795 ", 1)
