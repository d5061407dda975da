"""In-memory AWS clients with scripted answers, and programs of short configs."""

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from router.model import Record
from tests.support.aws import Aws, AwsFault, OutgoingMessage, QueueAttributes, WriteResponse
from tests.support.engine import decode_item, identify, plan
from tests.support.program import Loaded, Program, load, load_program


class Tables:
    """A store of `things` that answers as it is reported, and else as DynamoDB would; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: deque[WriteResponse] = deque()
        self.keys: dict[str, Any] = {}
        self.refused: set[str] = set()
        """Ids of items that the table finds invalid, and the batch that they are in with them."""
        self.calls: list[list[str]] = []
        self.items: dict[str, dict[str, Any]] = {}

    def batch_write(
        self, table: str, requests: list[dict[str, Any]], timeout: float, measured: bool = False
    ) -> WriteResponse:
        changes = [each.get("PutRequest") or each["DeleteRequest"] for each in requests]
        return self._write([("Item" in each, each.get("Item") or each["Key"]) for each in changes])

    def write(
        self, operation: str, parameters: dict[str, Any], timeout: float, measured: bool = False
    ) -> WriteResponse:
        return self.transact([(operation, parameters)], timeout)

    def transact(
        self, actions: Sequence[tuple[str, dict[str, Any]]], timeout: float, measured: bool = False
    ) -> WriteResponse:
        return self._write([("Item" in each, each.get("Item") or each["Key"]) for _, each in actions])

    def key_schema(self, table: str, timeout: float) -> Any:
        return self.keys.get(table, (("id", "S"),))

    def _write(self, changes: list[tuple[bool, dict[str, Any]]]) -> WriteResponse:
        ids = [item["id"]["S"] for _, item in changes]
        self.calls.append(ids)
        answer = self.answers.popleft() if self.answers else WriteResponse()
        if self.refused & set(ids):
            answer = WriteResponse(fault=AwsFault("refused", "ValidationException", 400))
        if answer.fault is None:
            later = {identify("", (("id", "S"),), _content(request)) for request in answer.unprocessed}
            for is_put, item in changes:
                if identify("", (("id", "S"),), item) not in later:
                    self.items.pop(item["id"]["S"], None)
                    if is_put:
                        self.items[item["id"]["S"]] = item
        return answer


def _content(request: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = (
        request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"]
    )
    return content


class Queues:
    """Queues that take all, but what they are reported not to; what was asked of them is kept."""

    def __init__(self) -> None:
        self.faults: dict[str, AwsFault] = {}
        """By operation (url), or by message id (send, delete, change_visibility)."""
        self.received: deque[list[Record] | AwsFault] = deque()
        self.letters: list[OutgoingMessage] = []
        self.deleted: list[list[tuple[str, str]]] = []
        self.released: list[list[tuple[str, str, int]]] = []
        self.times: list[float] = []
        """What each change of visibility timeouts may take."""
        self.found: QueueAttributes | AwsFault = QueueAttributes(30, 5)
        """The attributes of each queue."""
        self.attributes_read = 0
        self.on_receive: Callable[[], None] = lambda: None

    def url(self, reference: str, timeout: float) -> str | AwsFault:
        _check(reference, timeout)
        return self.faults.get("url", f"https://queues/{reference}")

    def attributes(self, url: str, timeout: float) -> QueueAttributes | AwsFault:
        _check(url, timeout)
        self.attributes_read += 1
        return self.found

    def receive(self, url: str, count: int, wait_seconds: int, visibility: int) -> list[Record] | AwsFault:
        _check(url, wait_seconds, visibility)
        self.on_receive()
        records: list[Record] = []
        while self.received and len(records) < count:
            answer = self.received[0]
            if isinstance(answer, AwsFault):
                return records or (self.received.popleft() and answer)
            self.received.popleft()
            records += answer
            if len(answer) < 10:
                break
        if not records:
            # Else a receiver asks again at once, and holds up what the test waits for.
            time.sleep(0.002)
        return records

    def send(self, url: str, letters: Sequence[OutgoingMessage], timeout: float) -> dict[str, AwsFault]:
        _check(url, timeout)
        failed = {letter.id: self.faults[letter.id] for letter in letters if letter.id in self.faults}
        self.letters += [letter for letter in letters if letter.id not in failed]
        return failed

    def delete(self, url: str, messages: Sequence[tuple[str, str]], timeout: float) -> dict[str, AwsFault]:
        _check(url, timeout)
        self.deleted.append(list(messages))
        return {id_: self.faults[id_] for id_, _ in messages if id_ in self.faults}

    def change_visibility(
        self, url: str, messages: Sequence[tuple[str, str, int]], timeout: float
    ) -> dict[str, AwsFault]:
        _check(url, timeout)
        self.released.append(list(messages))
        self.times.append(timeout)
        return {id_: self.faults[id_] for id_, _, _ in messages if id_ in self.faults}


def _check(name: str, *seconds: float) -> None:
    """Each call names its queue and has limits of time: without, it would fail or could hang."""
    assert name
    assert all(isinstance(each, int | float) for each in seconds)


@pytest.fixture
def tables() -> Tables:
    """DynamoDB as a test tells it to be."""
    return Tables()


@pytest.fixture
def queues() -> Queues:
    """SQS as a test tells it to be."""
    return Queues()


@pytest.fixture(scope="session")
def in_memory() -> Callable[[], tuple[Tables, Queues]]:
    """Makes both anew, for tests that run many times."""
    return lambda: (Tables(), Queues())


@pytest.fixture
def aws(tables: Tables, queues: Queues) -> Aws:
    """A connection to both."""
    return Aws(tables, queues)


class Time:
    """A clock that goes on by what is slept, and by `step` each time somebody looks."""

    def __init__(self) -> None:
        self.now = 100.0
        self.step = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time_() -> Time:
    """A clock of the test's."""
    return Time()


Compile = Callable[..., Program]
ROUTE = "{queue: q, table: things}"


@pytest.fixture
def compile_(tmp_path: Path) -> Compile:
    """The program of a queue `q` with settings, of the table `things`, of a route, and of plugins `stem="code"`."""

    def write_and_load(route: str = ROUTE, queue: str = "dead_letter: letters", **plugins: str) -> Program:
        for stem, code in plugins.items():
            (tmp_path / f"{stem}.py").write_text(f"from router import *\n{code}", encoding="utf-8")
        files = ", ".join(f"{stem}.py" for stem in plugins)
        (tmp_path / "routes.yaml").write_text(
            f"version: 1\nplugins: [{files}]\nqueues: {{q: {{{queue}}}}}\n"
            "tables: {things: {key: {id: S}}, markers: {key: {id: S}}}\n"
            f"routes: {{r: {route}}}\n",
            encoding="utf-8",
        )
        return load_program(tmp_path / "routes.yaml", {"ROUTER_REDACT_KEY": "k" * 32})

    return write_and_load


def _record(body: str, id_: str = "m1", **system: str) -> Record:
    return Record(id_, f"handle-{id_}", body, {"ApproximateReceiveCount": "1", **system})


@pytest.fixture
def arrive() -> Callable[..., Record]:
    """A record, received once, with a body."""
    return _record


@pytest.fixture
def messages() -> Callable[..., list[Record]]:
    """A record for each id, whose body has just that id; its message id is `m-` and that."""

    def records(*ids: str, **more: Mapping[str, str]) -> list[Record]:
        return [_record(f'{{"id":"{id_}"}}', f"m-{id_}", **more.get(id_, {})) for id_ in ids]

    return records


SYSTEM: Mapping[str, str] = {
    "SentTimestamp": "1767323045678",
    "ApproximateFirstReceiveTimestamp": "1767323046789",
    "SenderId": "AIDAEXAMPLE",
}


class Flow:
    """A loaded config with a queue `q`, and what becomes of the messages that are put into it."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    @property
    def found(self) -> list[str]:
        """The findings, as they are printed."""
        return [str(finding) for finding in self.loaded.findings]

    @property
    def sentences(self) -> list[str]:
        """The findings without their places: `RTnnn sentence; suggestion`."""
        return [line.partition(": ")[2].partition(" ")[2] for line in self.found]

    def send(self, data: Any = None, *, body: str = "", system: Mapping[str, str] = SYSTEM, **attributes: Any) -> Any:
        """The items that are written; or kind, code, reason and pointer of how the message ends."""
        program = self.loaded.program
        assert program is not None, self.found
        record = Record("m-1", "receipt", body or json.dumps(data), system, attributes)
        planned = plan(program.engine.queues["q"], record)
        if planned.outcome is not None:
            outcome = planned.outcome
            return outcome.kind, outcome.code, outcome.reason, outcome.pointer
        return [decode_item(write.item) for write in planned.writes]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Flow]:
    """Load a config from text, with an environment, beside a plugin `own.py` if one is given."""
    monkeypatch.chdir(tmp_path)

    def load_it(text: str, env: Mapping[str, str] | None = None, plugin: str = "") -> Flow:
        Path("routes.yaml").write_text(text, encoding="utf-8")
        Path("own.py").write_text(f"from router import *\n{plugin}", encoding="utf-8")
        return Flow(load(Path("routes.yaml"), env or {}))

    return load_it


@pytest.fixture
def flow(load_text: Callable[..., Flow]) -> Callable[..., Flow]:
    """A config with one route `r` from queue `q` to table `things`, with what a test is about."""

    def make(
        route: Mapping[str, Any] | None = None,
        key: Mapping[str, str] | None = None,
        queue: Mapping[str, Any] | None = None,
        plugin: str = "",
    ) -> Flow:
        config = {
            "version": 1,
            "plugins": ["own.py"] if plugin else [],
            "queues": {"q": {"dead_letter": "q-dlq", **(queue or {})}},
            "tables": {"things": {"key": key or {"id": "S"}}},
            "routes": {"r": {"queue": "q", "table": "things", **(route or {})}},
        }
        # JSON is YAML.
        return load_text(json.dumps(config, indent=1), plugin=plugin)

    return make


@pytest.fixture
def attribute(flow: Callable[..., Flow]) -> Callable[..., Flow]:
    """A config whose item has a key from the message's `id`, and an attribute `a` as a test says."""

    def make(given: Any, **rest: Any) -> Flow:
        return flow({"item": {"id": "id", "a": given}}, **rest)

    return make
