"""`router status` on ministack: what waits, what is paused and why, dead letters by code, and what runs where."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from tests.aws.projects import CONFIG, Inside, StackProject
from tests.support.dev import LocalAws
from tests.support.program import load_program

FAILED = {
    "reason": "r",
    "queue": "orders",
    "route": "orders",
    "pointer": "",
    "message_id": "m",
    "receive_count": 1,
    "failed_at": "2026-01-02T03:04:05.678Z",
}


pytestmark = pytest.mark.usefixtures("kept_clients")


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {each: boto3.client(each) for each in ("cloudwatch", "lambda", "sqs")}


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is deployed."""
    made = StackProject(tmp_path, inside, guarded)
    made.deploy()
    return made


def hash_of(project: StackProject) -> str:
    """The hash of the config that is deployed."""
    return load_program(project.config, {"STAGE": project.stack}).hash


def status(project: StackProject, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `router status --json` for the stack, and what it printed."""
    done = project.run("status", "--stack", project.stack, "--json", *words)
    return done.exit_code, json.loads(done.stdout)


def pause(clients: Mapping[str, Any], project: StackProject) -> None:
    """Disable the event source mapping."""
    (mapping,) = clients["lambda"].list_event_source_mappings(FunctionName=project.stack)["EventSourceMappings"]
    clients["lambda"].update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def send(clients: Mapping[str, Any], queue: str, **settings: Any) -> None:
    """Send a message to a queue."""
    url = clients["sqs"].get_queue_url(QueueName=queue)["QueueUrl"]
    clients["sqs"].send_message(QueueUrl=url, MessageBody='{"id": "a"}', **settings)


def test_all_is_well(project: StackProject) -> None:
    """Exit code 0; an empty queue has no oldest message, and the function runs this config."""
    code, shown = status(project)

    # Just now, by the deployment.
    changed = shown["functions"][0].pop("changed")
    assert datetime.now(UTC) - datetime.fromisoformat(changed) < timedelta(minutes=10)
    assert (code, shown) == (
        0,
        {
            "config": hash_of(project),
            "queues": [
                {
                    "queue": "orders",
                    "name": f"{project.stack}-orders",
                    "waiting": 0,
                    "in_flight": 0,
                    "delayed": 0,
                    "oldest_seconds": None,
                    "dead_letter_queue": f"{project.stack}-orders-dlq",
                    "dead_letters": 0,
                    "codes": None,
                    "receivers": [{"function": f"{project.stack}:live", "state": "Enabled", "paused": ""}],
                    "unknown": [],
                    "retries": {},
                    "retries_minutes": 15,
                    "postponed": 0,
                    "failing_routes": {},
                    "retried_since": "",
                    "senders": None,
                    "letters_kept_seconds": 1209600,
                    "letters_end": "",
                    "paused": "",
                }
            ],
            "tables": [{"table": "orders", "throttled": 0, "write_units": 0, "dollars_an_hour": 0.0}],
            "functions": [{"function": f"{project.stack}:live", "invocations": 0, "failed": 0, "failure": ""}],
            "running": [
                {
                    "where": f"function {project.stack}",
                    "hashes": [hash_of(project)],
                    "unknown": "",
                    "healthy": True,
                    "paused": [],
                }
            ],
            "attention": [],
        },
    )


def test_paused(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A queue whose event source mapping is disabled, with what waits there; its age comes from CloudWatch."""
    pause(clients, project)
    send(clients, f"{project.stack}-orders")
    dimensions = [{"Name": "QueueName", "Value": f"{project.stack}-orders"}]
    age = {"MetricName": "ApproximateAgeOfOldestMessage", "Dimensions": dimensions, "Value": 77}
    clients["cloudwatch"].put_metric_data(
        Namespace="AWS/SQS", MetricData=[{**age, "Timestamp": datetime.now(UTC), "Unit": "Seconds"}]
    )

    code, shown = status(project)

    (queue,) = shown["queues"]
    why = f"the event source mapping to {project.stack}:live is Disabled (USER_INITIATED)"
    assert (code, queue["waiting"], queue["oldest_seconds"], queue["paused"]) == (1, 1, 77, why)


def test_no_age(project: StackProject, clients: Mapping[str, Any]) -> None:
    """What CloudWatch does not have is unknown, and said to be."""
    pause(clients, project)
    send(clients, f"{project.stack}-orders")

    _, shown = status(project)

    (queue,) = shown["queues"]
    why = "the age of its oldest message: CloudWatch has none of the last 15 minutes"
    assert (queue["oldest_seconds"], queue["unknown"]) == (None, [why])


def test_no_concurrency(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A function that may not run once receives nothing, though its mapping is enabled."""
    clients["lambda"].put_function_concurrency(FunctionName=project.stack, ReservedConcurrentExecutions=0)

    code, shown = status(project)

    assert (code, shown["queues"][0]["paused"]) == (1, f"the reserved concurrency of {project.stack} is 0")


def test_a_function_that_fails(project: StackProject, clients: Mapping[str, Any]) -> None:
    """All invocations failed, as they do if it cannot start; if only some did, it does start."""
    name = f"{project.stack}:live"
    dimensions = [{"Name": "FunctionName", "Value": project.stack}, {"Name": "Resource", "Value": name}]

    def count(**counts: int) -> None:
        measured = {"Dimensions": dimensions, "Timestamp": datetime.now(UTC), "Unit": "Count"}
        data = [{**measured, "MetricName": metric, "Value": value} for metric, value in counts.items()]
        clients["cloudwatch"].put_metric_data(Namespace="AWS/Lambda", MetricData=data)

    count(Invocations=3, Errors=3)
    all_failed = status(project)
    count(Invocations=1, Errors=0)
    some_failed = status(project)

    why = "all of its 3 invocations in the last 15 minutes failed; --probe invokes it without records"
    counted = {"function": name, "invocations": 4, "failed": 3, "failure": ""}
    some_failed[1]["functions"][0].pop("changed")
    assert (all_failed[0], all_failed[1]["attention"]) == (1, [f"function {name} may not start: {why}"])
    assert (some_failed[0], some_failed[1]["functions"]) == (0, [counted])


def test_a_probe(project: StackProject, clients: Mapping[str, Any]) -> None:
    """It finds a function that cannot start any more: here the code that the alias names was replaced by hand."""
    starts = status(project, "--probe")
    packed = io.BytesIO()
    with zipfile.ZipFile(project.package) as package, zipfile.ZipFile(packed, "w") as archive:
        for name in package.namelist():
            archive.writestr(name, b"raise OSError('gone')" if "handler" in name else package.read(name))
    clients["lambda"].update_function_code(FunctionName=project.stack, ZipFile=packed.getvalue())
    version = clients["lambda"].publish_version(FunctionName=project.stack)["Version"]
    clients["lambda"].update_alias(FunctionName=project.stack, Name="live", FunctionVersion=version)

    done = project.run("status", "-c", str(project.config), "--probe", STAGE=project.stack)

    sentence = f"attention: function {project.stack}:live: RT794 the function cannot start: RuntimeError: Worker init"
    assert (starts[0], starts[1]["functions"][0]["failure"]) == (0, "")
    assert (done.exit_code, [line for line in done.stdout.splitlines() if line.startswith(sentence)] != []) == (1, True)


def test_dead_letters(project: StackProject, clients: Mapping[str, Any]) -> None:
    """By code; they are visible again afterwards, and not more are looked at than asked for."""
    for rejected in ("RT801", "RT806", "RT806"):
        value = {"StringValue": json.dumps({"code": rejected, **FAILED}), "DataType": "String"}
        send(clients, f"{project.stack}-orders-dlq", MessageAttributes={"router": value})
    send(clients, f"{project.stack}-orders-dlq")

    code, shown = status(project)
    again = status(project, "--letters", "0")

    (queue,) = shown["queues"]
    assert (code, queue["dead_letters"], queue["codes"]) == (1, 4, {"-": 1, "RT801": 1, "RT806": 2})
    assert sum(queue["senders"].values()) == 4
    assert (again[0], again[1]["queues"][0]["dead_letters"], again[1]["queues"][0]["codes"]) == (1, 4, None)


def test_too_many_dead_letters(project: StackProject, clients: Mapping[str, Any]) -> None:
    """What was not looked at is said to be unknown."""
    for _ in range(12):
        send(clients, f"{project.stack}-orders-dlq")

    _, shown = status(project, "--letters", "1")

    (queue,) = shown["queues"]
    seen = queue["codes"]["-"]
    why = f"the codes and senders of {12 - seen} dead letters: {seen} are looked at; --letters looks at more"
    assert (seen < 12, queue["unknown"]) == (True, [why])
    assert queue["letters_end"].endswith(", or before")


def test_dead_letters_that_others_have(project: StackProject, clients: Mapping[str, Any]) -> None:
    """What could not be looked at is said to be in flight."""
    name = f"{project.stack}-orders-dlq"
    url = clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"]
    for _ in range(2):
        send(clients, name)
    clients["sqs"].receive_message(QueueUrl=url, VisibilityTimeout=600)

    _, shown = status(project)
    text = project.run("status", "--stack", project.stack).stdout

    why = "the codes and senders of 1 dead letters: 1 could be looked at; others are in flight"
    assert shown["queues"][0]["unknown"] == [why]
    assert "dead letters of orders by sender, of 1 looked at: " in text


def test_no_queue(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A queue that is gone cannot be read."""
    url = clients["sqs"].get_queue_url(QueueName=f"{project.stack}-orders")["QueueUrl"]
    clients["sqs"].delete_queue(QueueUrl=url)

    code, shown = status(project)

    (queue,) = shown["queues"]
    missing = "NonExistentQueue: there is none of this name in this account and region"
    why = f"queue {project.stack}-orders: sqs:GetQueueUrl: {missing}"
    assert (code, queue["waiting"], queue["unknown"]) == (1, None, [why])


def test_another_config_runs(project: StackProject) -> None:
    """With a file, the function that receives from its queues is found, and what it runs."""
    deployed = hash_of(project)
    project.write(CONFIG.replace("total: total", "total: id"))

    done = project.run("status", "-c", str(project.config), "--json", STAGE=project.stack)

    shown = json.loads(done.stdout)
    assert (done.exit_code, shown["config"], shown["running"]) == (
        1,
        hash_of(project),
        [{"where": f"function {project.stack}", "hashes": [deployed], "unknown": "", "healthy": True, "paused": []}],
    )


@contextmanager
def worker(status: int, text: str) -> Iterator[str]:
    """The URL of a page as a worker has it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}/healthz"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("page", "code", "hashes", "unknown", "healthy", "paused"),
    [
        ((200, "ok\nconfig HASH\n"), 0, ["HASH"], "", True, []),
        ((200, "ok\nconfig HASH,another\n"), 1, ["HASH", "another"], "", True, []),
        ((200, "ok\nconfig HASH\npaused orders\npaused users\n"), 1, ["HASH"], "", True, ["orders", "users"]),
        ((503, "no\nconfig HASH\n"), 1, ["HASH"], "", False, []),
        ((200, "ok\n"), 0, [], "the page names no config", True, []),
    ],
)
def test_workers(
    project: StackProject,
    page: tuple[int, str],
    code: int,
    hashes: list[str],
    unknown: str,
    healthy: bool,
    paused: list[str],
) -> None:
    """The page of a worker says what it runs, and whether it is well."""
    own = hash_of(project)
    with worker(page[0], page[1].replace("HASH", own)) as url:
        found, shown = status(project, "--healthz", url)

    known = [each.replace("HASH", own) for each in hashes]
    expected = {"where": f"worker {url}", "hashes": known, "unknown": unknown, "healthy": healthy, "paused": paused}
    assert (found, shown["running"][1]) == (code, expected)


def test_no_worker(project: StackProject) -> None:
    """A page that does not answer is said to."""
    code, shown = status(project, "--healthz", "http://127.0.0.1:9/healthz")

    assert (code, shown["running"][1]["hashes"], shown["running"][1]["unknown"].startswith("no answer: ")) == (
        1,
        [],
        True,
    )


def test_table(project: StackProject, clients: Mapping[str, Any]) -> None:
    """For people, a row for each queue, and below it what has to be said."""
    pause(clients, project)
    send(clients, f"{project.stack}-orders-dlq")

    done = project.run("status", "--stack", project.stack)

    (row,) = [line for line in done.stdout.splitlines() if line.startswith("│")]
    why = f"PAUSED: the event source mapping to {project.stack}:live is Disabled (USER_INITIATED)"
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["orders", "0", "0", "", "1 (-: 1)", why]
    *_, shown = done.stdout.partition("this config")[1:]
    end = status(project)[1]["queues"][0]["letters_end"]
    lines = [
        line for line in f"this config{shown}".splitlines() if not line.startswith("dead letters of orders by sender")
    ]
    assert lines == [
        f"this config: {hash_of(project)}",
        f"function {project.stack}: {hash_of(project)}",
        f"attention: queue orders is paused: {why.removeprefix('PAUSED: ')}",
        f"attention: queue orders has dead letters: 1; SQS deletes the first {end}",
    ]


def test_says_why_it_fails(project: StackProject, clients: Mapping[str, Any]) -> None:
    """Whatever makes the exit code 1 is a sentence."""
    metric = {"MetricName": "WriteThrottleEvents", "Value": 3, "Timestamp": datetime.now(UTC), "Unit": "Count"}
    dimensions = [{"Name": "TableName", "Value": f"{project.stack}-orders"}]
    clients["cloudwatch"].put_metric_data(Namespace="AWS/DynamoDB", MetricData=[{**metric, "Dimensions": dimensions}])
    deployed = hash_of(project)
    project.write(CONFIG.replace("total: total", "total: id"))
    clients["sqs"].delete_queue(QueueUrl=clients["sqs"].get_queue_url(QueueName=f"{project.stack}-orders")["QueueUrl"])
    page = f"no\nconfig {deployed}\npaused orders\n"

    with worker(503, page) as url:
        given = ("-c", str(project.config), "--healthz", url)
        done = project.run("status", *given, STAGE=project.stack)
        shown = json.loads(project.run("status", *given, "--json", STAGE=project.stack).stdout)

    sentences = [
        "queue orders cannot be read",
        "table orders: 3 writes throttled in the last 15 minutes",
        f"worker {url} runs another config than this one",
        f"worker {url} is not healthy",
        f"worker {url} cannot write anything of these queues: orders",
    ]
    assert (done.exit_code, shown["attention"]) == (1, sentences)
    assert done.stdout.splitlines()[-5:] == [f"attention: {each}" for each in sentences]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--stack", "nowhere"), "router: there is no stack 'nowhere' in us-east-1; "),
        (("--stack", "x", "-c", "FILE"), "Error: give --stack or --config, not both: the stack says which config it"),
        (("-c", "FILE", "--healthz", "9090"), "router: --healthz takes a URL such as http://127.0.0.1:9090/healthz"),
    ],
)
def test_cannot(project: StackProject, words: tuple[str, ...], sentence: str) -> None:
    """What cannot be run is said in a sentence, with exit code 2."""
    given = [str(project.config) if word == "FILE" else word for word in words]

    done = project.run("status", *given, STAGE=project.stack)

    assert (done.exit_code, sentence in done.output) == (2, True), done.output


def test_why_and_since_when_messages_are_retried(project: StackProject, clients: Mapping[str, Any]) -> None:
    """By cause and route, and how many are postponed; what its tables cost; that it was changed shortly before.

    A route may have the name of a cause.
    """
    config = CONFIG.replace("key: {id: S}", "key: {id: S}, indexes: {by_total: {key: {total: N}}}")
    config = config.replace("routes: {orders:", "routes: {outage:")
    project.write(f"{config}telemetry: {{metrics: route}}\n")
    own = {"service": project.stack, "queue": "orders"}

    def put(namespace: str, name: str, value: int, dimensions: Mapping[str, str], hours: int = 0) -> None:
        named = [{"Name": label, "Value": each} for label, each in dimensions.items()]
        data: dict[str, Any] = {"MetricName": name, "Value": value, "Dimensions": named}
        data["Timestamp"] = datetime.now(UTC) - timedelta(hours=hours)
        clients["cloudwatch"].put_metric_data(Namespace=namespace, MetricData=[data])

    put("MessageRouter", "router_messages_retry_total", 7, own)
    # This is over.
    put("MessageRouter", "router_messages_retry_total", 3, own, 3)
    put("MessageRouter", "router_retries_total", 5, {**own, "cause": "throttled"})
    put("MessageRouter", "router_retries_total", 2, {**own, "cause": "outage"})
    put("MessageRouter", "router_route_retry_total", 7, {**own, "route": "outage", "table": "orders"})
    put("MessageRouter", "router_postponed_total", 6, own)
    send(clients, f"{project.stack}-orders", DelaySeconds=900)
    table_name = {"TableName": f"{project.stack}-orders"}
    put("AWS/DynamoDB", "ConsumedWriteCapacityUnits", 600_000, table_name)
    indexed = {**table_name, "GlobalSecondaryIndexName": "by_total"}
    put("AWS/DynamoDB", "ConsumedWriteCapacityUnits", 300_000, indexed)

    done = project.run("status", "-c", str(project.config), "--json", STAGE=project.stack)
    shown_to_people = project.run("status", "-c", str(project.config), STAGE=project.stack)

    shown = json.loads(done.stdout)
    (queue,), (table,), (function,) = shown["queues"], shown["tables"], shown["functions"]
    assert (done.exit_code, queue["retries"], queue["failing_routes"]) == (
        1,
        {"throttled": 5, "outage": 2},
        {"outage": 7},
    )
    assert (queue["waiting"], queue["delayed"], queue["postponed"]) == (0, 1, 6)
    assert "0 + 1 delayed" in shown_to_people.stdout
    assert datetime.now(UTC) - datetime.fromisoformat(queue["retried_since"]) < timedelta(minutes=10)
    assert (table["write_units"], table["dollars_an_hour"]) == (900_000, 2.25)
    assert (
        f"messages of queue orders are retried since {queue['retried_since']}: throttled 5, outage 2; "
        "by route: outage 7; postponed in the last 15 minutes, since many are in flight: 6; "
        "delayed now, and will return by themselves: 1; "
        f"function {project.stack}:live was changed at {function['changed']}"
    ) in shown["attention"]
    assert "table orders: 900000 write units in 15 minutes, $2.25 an hour on demand" in shown_to_people.stdout


def test_retries_of_hidden_messages(project: StackProject, clients: Mapping[str, Any]) -> None:
    """The last try of messages in flight may be more than 15 minutes ago; the oldest may be older than SQS says."""
    pause(clients, project)
    send(clients, f"{project.stack}-orders")
    url = clients["sqs"].get_queue_url(QueueName=f"{project.stack}-orders")["QueueUrl"]
    clients["sqs"].receive_message(QueueUrl=url, VisibilityTimeout=600)
    own = [{"Name": "service", "Value": project.stack}, {"Name": "queue", "Value": "orders"}]
    now = datetime.now(UTC)

    def put(namespace: str, name: str, dimensions: Any, value: int, minutes: int) -> None:
        data: dict[str, Any] = {"MetricName": name, "Value": value, "Dimensions": dimensions}
        data["Timestamp"] = now - timedelta(minutes=minutes)
        clients["cloudwatch"].put_metric_data(Namespace=namespace, MetricData=[data])

    for minutes in (20, 50):
        put("MessageRouter", "router_messages_retry_total", own, 1, minutes)
    put("MessageRouter", "router_retries_total", [*own, {"Name": "cause", "Value": "plugin"}], 1, 20)
    queue_name = [{"Name": "QueueName", "Value": f"{project.stack}-orders"}]
    put("AWS/SQS", "ApproximateAgeOfOldestMessage", queue_name, 77, 0)

    _, shown = status(project)
    text = project.run("status", "--stack", project.stack).stdout

    (queue,) = shown["queues"]
    assert (queue["retries"], queue["retries_minutes"]) == ({"plugin": 1}, 60)
    since = datetime.fromisoformat(queue["retried_since"])
    assert timedelta(minutes=45) < now - since < timedelta(minutes=60)
    why = "the age of messages that were received three times or more: SQS leaves them out of the oldest, and they may "
    assert queue["unknown"] == [f"{why}be as old as the retries, since {queue['retried_since']}"]
    assert "77 s or more" in text


def test_watched(project: StackProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn anew, until Ctrl-C."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("router.tools.cli.status.time", SimpleNamespace(sleep=sleep))

    done = project.run("status", "--stack", project.stack, "--watch", "7")
    both = project.run("status", "--stack", project.stack, "--watch", "7", "--json")

    assert (waits, done.stdout.count(f"this config: {hash_of(project)}"), both.exit_code) == ([7, 7], 2, 2)
