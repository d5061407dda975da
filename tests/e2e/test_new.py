"""`router new` from sample messages to a config that passes its check and its tests, as a user starts it."""

import base64
import gzip
import json
import os
import pty
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.support.dev import LocalAws, create_queues

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ORDERS: Sequence[dict[str, Any]] = [
    {"order_id": f"o-{number % 40}", "total": number + 0.5, "updated_at": f"2026-01-02T03:04:{number:02}Z"}
    for number in range(60)
]
PLACED = [{"type": "order_placed", "order": {"id": f"o-{number}", "total": number}} for number in range(3)]
CANCELLED = [{"type": "order_cancelled", "order": {"id": f"o-{number}"}, "reason": "late"} for number in range(3)]
WITH_MESSAGES = (
    "dropped-20260102T030405Z.jsonl",
    "router-dlq-orders.journal",
    "router-replay-orders.journal",
    "router-replay-orders.rejected.jsonl",
)
"""Files that commands write by themselves, and that hold what messages say."""
NOT_STORED = "only what 'item' names is stored: if later messages have other members, add them there"
CONFIG = """\
# Of the shop.
version: 1

queues:
  clicks: {dead_letter: clicks-dlq} # of the website

tables:
  clicks:
    key: {id: S}   # the click

routes:
  # What was clicked.
  clicks:
    queue:   clicks
    table:   clicks
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 512}}}
    tests: [{message: {id: a}, item: {id: a}}]
ignore:
  - {code: RT623, at: routes.clicks, reason: the website sends little} # so far
# The end.
"""


@pytest.fixture
def samples(tmp_path: Path) -> Callable[[Sequence[Any]], str]:
    """Write messages as JSON lines."""

    def write(messages: Sequence[Any]) -> str:
        (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, messages)), encoding="utf-8")
        return "samples.jsonl"

    return write


def is_ignored(name: str, patterns: str) -> bool:
    """Whether git ignores a file of the folder."""
    return any(fnmatch(name, pattern) for pattern in patterns.splitlines())


def passes(router: Run) -> bool:
    """Whether the config in the folder passes its check and its tests."""
    return all(router(*words).returncode == 0 for words in (("check", "--strict"), ("test",)))


def unproved(router: Run) -> list[list[str]]:
    """The claims that are not proved."""
    claims = json.loads(router("check", "--format", "json").stdout)["claims"]
    return [[each["route"], each["kind"], each["subject"]] for each in claims if each["verdict"] != "proved"]


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


def test_a_project(router: Run, samples: Callable[..., str], tmp_path: Path, repo: Path) -> None:
    """Into an empty folder: a config, a schema, a workflow and what git ignores; nothing is asked."""
    words = ("--queue", "orders", "--table", "orders", "--key", "order_id", "--yes")

    done = router("new", samples(ORDERS), *words)

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    found = content(tmp_path)
    workflow = (repo / ".github/examples/check-routes.yml").read_text(encoding="utf-8")
    assert (sorted(found), found["check-routes.yml"]) == (
        [".gitignore", "check-routes.yml", "orders.json", "routes.yaml", "samples.jsonl"],
        workflow,
    )
    assert [name for name in WITH_MESSAGES if not is_ignored(name, found[".gitignore"])] == []
    assert found["routes.yaml"] == (
        "# `router check` validates this file, `router test` runs its tests.\n"
        "version: 1\n"
        "\n"
        "queues:\n"
        "  orders: {dead_letter: orders-dlq}\n"
        "\n"
        "tables:\n"
        "  # key order_id: chosen with --key\n"
        "  # mode newest by updated_at: in each sample, and named like a version; a time, as nanoseconds\n"
        "  # only what 'item' names is stored: if later messages have other members, add them there\n"
        "  orders: {key: {order_id: S}}\n"
        "\n"
        "routes:\n"
        "  orders:\n"
        "    queue: orders\n"
        "    table: orders\n"
        "    item:\n"
        "      order_id: order_id\n"
        "      updated_at_ns: {from: updated_at, transform: to_epoch_ns}\n"
        "      total: total\n"
        "      updated_at: updated_at\n"
        "    write: {mode: newest, version: updated_at_ns}\n"
        "    schema: schemas/orders.json\n"
        "    tests:\n"
        "      - name: a message\n"
        "        message: {order_id: o-0, total: 0.5, updated_at: '2026-01-02T03:04:00Z'}\n"
        "        item_contains: {order_id: o-0}\n"
    )
    assert json.loads(found["orders.json"]) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["order_id", "total", "updated_at"],
        "properties": {
            "order_id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 512,
                "$comment": "60 of 60; key attribute order_id of table orders",
            },
            "total": {"type": "number", "$comment": "60 of 60"},
            "updated_at": {"type": "string", "format": "date-time", "$comment": "60 of 60"},
        },
        "$comment": "inferred from 60 samples",
    }


def test_members_that_are_not_stored(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """Where an item is not the whole message, the output and the comments say so, for a known table, too."""
    whole = [{"order_id": "o-1", "version": number} for number in range(2)]
    assert NOT_STORED not in router("new", samples(whole), "--queue", "whole", "--yes").stdout
    assert NOT_STORED not in (tmp_path / "routes.yaml").read_text()

    done = router("new", samples(ORDERS), "--queue", "orders", "--yes", "--json")
    table = router("new", samples(ORDERS), "--queue", "more", "--table", "orders", "--yes", "--json")

    assert (done.returncode, NOT_STORED in json.loads(done.stdout)["tables"][0]["notes"]) == (0, True)
    assert f"  # {NOT_STORED}\n" in (tmp_path / "routes.yaml").read_text()
    assert json.loads(table.stdout)["notes"] == [f"table orders: {NOT_STORED}"], table.stderr


def test_a_copy(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """A message that was delivered again does not change what is made."""
    events = [
        {"event_id": f"e-{number}", "type": kind, "customer_id": "c-1", "at": f"2026-11-30T09:00:0{number}Z"}
        for number, kind in enumerate(("consent_given", "consent_withdrawn", "consent_given"))
    ]
    events[1]["reason"] = "spam"

    texts = []
    for messages in (events, [*events, events[-1]]):
        done = router("new", samples(messages), "--queue", "consents", "--yes", "-c", f"{len(messages)}/routes.yaml")
        assert done.returncode == 0, done.stderr
        texts.append((tmp_path / str(len(messages)) / "routes.yaml").read_text())

    assert texts[0] == texts[1]
    assert "consents: {key: {event_id: S, type: S}}" in texts[0]


@pytest.mark.parametrize("end", [".5Z", "+02:00", ".123456-07:00"])
def test_a_time_with_a_fraction_or_an_offset(router: Run, samples: Callable[..., str], end: str) -> None:
    """It orders the messages of a key, whatever its format: the next message may have another one."""
    messages = [{"order_id": f"o-{number}", "updated_at": f"2026-01-02T03:04:0{number}{end}"} for number in range(3)]

    done = router("new", samples(messages), "--queue", "orders", "--yes")

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    assert "  rejects a message in which updated_at is text that is no date-time\n" in done.stdout


def test_a_sample_that_cannot_be_stored(router: Run, tmp_path: Path) -> None:
    """It is named by its line and its field, and the others make the route."""
    (tmp_path / "samples.jsonl").write_text('{"id": "a"}\n{"id": "b", "n": {"of": [1e400]}}\n')

    done = router("new", "samples.jsonl", "--yes")

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    assert "sample 2 (samples.jsonl:2) is left out: field 'n.of[0]': a number of more" in " ".join(done.stdout.split())


def test_a_route_of_a_config(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """A config gets a route more, and keeps its comments and its layout."""
    (tmp_path / "routes.yaml").write_text(CONFIG)

    done = router("new", samples(ORDERS[:1]), "--queue", "orders", "--yes")

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    found = content(tmp_path)
    assert "check-routes.yml" not in found
    assert found["routes.yaml"] == CONFIG.replace(
        "# of the website\n", "# of the website\n  orders: {dead_letter: orders-dlq}\n"
    ).replace(
        "# the click\n",
        "# the click\n"
        "  # key order_id: named like the id of 'orders'; one sample does not show whether it is unique\n"
        "  # mode newest by updated_at: in each sample, and named like a version; a time, as nanoseconds\n"
        "  # only what 'item' names is stored: if later messages have other members, add them there\n"
        "  orders: {key: {order_id: S}}\n",
    ).replace(
        "item: {id: a}}]\n",
        "item: {id: a}}]\n"
        "  orders:\n"
        "    queue: orders\n"
        "    table: orders\n"
        "    item:\n"
        "      order_id: order_id\n"
        "      updated_at_ns: {from: updated_at, transform: to_epoch_ns}\n"
        "      total: total\n"
        "      updated_at: updated_at\n"
        "    write: {mode: newest, version: updated_at_ns}\n"
        "    schema: schemas/orders.json\n"
        "    tests:\n"
        "      - name: a message\n"
        "        message: {order_id: o-0, total: 0.5, updated_at: '2026-01-02T03:04:00Z'}\n"
        "        item_contains: {order_id: o-0}\n",
    )


def test_extensions_are_kept(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """Keys that begin with `x-` stay, and entries do not get the owner of the file written out."""
    config = CONFIG.partition("ignore:")[0].replace(
        "version: 1", "version: 1\nx-team: [shop] # whose it is\nowner: shop"
    )
    (tmp_path / "routes.yaml").write_text(config.replace("table:   clicks", "table:   clicks\n    x-ticket: 7"))

    done = router("new", samples(ORDERS[:1]), "--queue", "orders", "--yes")

    text = (tmp_path / "routes.yaml").read_text()
    assert (done.returncode, text.count("x-team: [shop] # whose it is\n"), text.count("x-ticket: 7\n")) == (0, 1, 1)
    assert (text.count("owner:"), "\nignore:\n" in text) == (1, False)


def test_shapes(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """Each shape is a route of its own, with its schema and its test; a key in an object is mapped."""
    done = router("new", samples([*PLACED, *CANCELLED]), "--queue", "orders", "--yes", "--json")

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    report = json.loads(done.stdout)
    rejects = [
        "order or order.id is missing",
        "order is not an object",
        "order.id is not text",
        "order.id is empty",
        "order.id has more than 512 characters",
        "order.total is neither a number nor null",
    ]
    assert unproved(router) == [["orders-order-placed", "size", ""], ["orders-order-cancelled", "size", ""]]
    assert report["routes"] == [
        {
            "name": "orders-order-placed",
            "queue": "orders",
            "table": "orders",
            "when": "type == 'order_placed'",
            "item": {"order_id": "order.id", "placed_order": "order", "placed_type": "type"},
            "write": {"mode": "update"},
            "samples": 3,
            "rejects": rejects,
        },
        {
            "name": "orders-order-cancelled",
            "queue": "orders",
            "table": "orders",
            "when": "type == 'order_cancelled'",
            "item": {"order_id": "order.id", "reason": "reason", "cancelled_type": "type"},
            "write": {"mode": "update"},
            "samples": 3,
            "rejects": [*rejects[:-1], "reason is neither text nor null"],
        },
    ]
    assert report["notes"] == ["no route takes a message with another type: it is unmatched"]
    assert {path.name for path in tmp_path.glob("schemas/*")} == {
        "orders-order-placed.json",
        "orders-order-cancelled.json",
    }


def test_shapes_without_a_common_key(router: Run, samples: Callable[..., str]) -> None:
    """Each has a table of its own."""
    messages = [
        *[{"type": "user", "user_id": f"u-{number}"} for number in range(3)],
        *[{"type": "device", "device_id": number} for number in range(3)],
    ]

    done = router("new", samples(messages), "--queue", "things", "--yes", "--json")

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    assert [(each["name"], each["key"]) for each in json.loads(done.stdout)["tables"]] == [
        ("things-user", {"user_id": "S"}),
        ("things-device", {"device_id": "N"}),
    ]


def test_encoded_messages(router: Run, tmp_path: Path) -> None:
    """The queue decodes them, and so does `router test`."""
    bodies = [base64.b64encode(gzip.compress(json.dumps(message).encode())).decode() for message in ORDERS]
    (tmp_path / "bodies.txt").write_text("\n".join(bodies))

    done = router("new", "bodies.txt", "--queue", "orders", "--yes")

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    assert "  orders: {dead_letter: orders-dlq, encoding: base64+gzip}\n" in (tmp_path / "routes.yaml").read_text()


def test_samples_in_another_encoding_than_the_queue(router: Run, tmp_path: Path) -> None:
    """They are not of this queue."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "bodies.txt").write_text(base64.b64encode(b'{"id": "b"}').decode())

    done = router("new", "bodies.txt", "--queue", "clicks", "--name", "others", "--yes")

    sentence = "router: the samples are encoded as base64, and queue 'clicks' decodes json: give samples of this queue"
    assert (done.returncode, done.stderr) == (2, f"{sentence}, or another --queue\n")


def test_redacted_values(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """No file has a value that the queue redacts: neither as a key, nor as a choice, nor in a test."""
    redacted = "clicks-dlq, name: prod-clicks, redact: [email, user.plan, tags], match: first}"
    config = CONFIG.replace("clicks-dlq}", redacted)
    config = config.replace("table:   clicks\n", "table:   clicks\n    when: url\n")
    config = config.replace("{message: {id: a}, item: {id: a}}", "{message: {id: a, url: b}, item_contains: {id: a}}")
    config = config.replace("ignore:\n", "ignore:\n  - {code: RT239, at: routes, reason: never redriven}\n")
    config = config.replace("ignore:\n", "ignore:\n  - {code: RT238, at: queues, reason: never redriven}\n")
    (tmp_path / "routes.yaml").write_text(config)
    messages = [
        {"id": f"c-{n}", "email": f"ann{n}@example.org", "user": {"plan": "goldplan" if n % 2 else "leadplan"}}
        | {"tags": ["secrettag", 1.5, True, None, {"a": 2}]}
        for n in range(40)
    ]
    environment = os.environ | {"ROUTER_REDACT_KEY": "k" * 32}

    done = router("new", samples(messages), "--queue", "prod-clicks", "--name", "others", "--yes", env=environment)

    assert (done.returncode, router("test", env=environment).returncode) == (0, 0), done.stderr
    found, schemas = (tmp_path / "routes.yaml").read_text(), str(content(tmp_path / "schemas"))
    assert "message: {id: c-0, email: x, user: {plan: x}, tags: [x, 0.5, true, null, {a: 1}]}\n" in found
    assert [word for word in ("example.org", "goldplan", "secrettag") if word in found + schemas] == []


def test_an_existing_queue_and_table(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """Their settings stay; the key of the table is found in the messages, and they are in the queue's envelope."""
    config = CONFIG.replace(
        "clicks-dlq}", "clicks-dlq, envelope: [sns], senders: ['123456789012'], match: first}"
    ).replace("table:   clicks\n", "table:   clicks\n    when: url\n")
    config = config.replace("{message: {id: a}, item: {id: a}}", "{message: {id: a, url: b}, item_contains: {id: a}}")
    (tmp_path / "routes.yaml").write_text(config)
    bodies = [{"Type": "Notification", "TopicArn": "arn", "Message": json.dumps({"id": f"c-{n}"})} for n in range(2)]

    done = router("new", samples(bodies), "--queue", "clicks", "--name", "others", "--yes", "--json")

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    report = json.loads(done.stdout)
    assert (report["tables"], report["routes"]) == (
        [],
        [
            {
                "name": "others",
                "queue": "clicks",
                "table": "clicks",
                "samples": 2,
                "rejects": ["id is missing", "id is not text", "id is empty", "id has more than 512 characters"],
            }
        ],
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--queue", "s3"), "nothing was written, since the result would not pass:\nroutes.yaml:"),
        (("--queue", "s3"), "\ngive another name than 's3' with --table\n"),
        (("--queue", "clicks"), "there is a route 'clicks' already; give another --name"),
        (("--queue", "orders", "--table", "clicks"), "table 'clicks' has the key attribute 'id', and no sample has it"),
        (
            ("--queue", "orders", "--table", "clicks", "--key", "total"),
            "--key total: 'total' cannot be a key: it is neither",
        ),
        (("--queue", "orders", "--key", "id"), "--key id: no sample has a value at 'id'"),
        (("--queue", "orders", "--name", "clicks"), "there is a route 'clicks' already; give another --name"),
        (("--queue", "made", "--key", "order_id"), "made.json exists already; give another --name"),
    ],
)
def test_nothing_is_written(
    router: Run, samples: Callable[..., str], tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    """What cannot be made is said, and each file is as it was."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "made.json").write_text("{}")
    file = samples(ORDERS)
    before = content(tmp_path)

    done = router("new", file, *words, "--yes")

    assert (done.returncode, sentence in done.stderr, content(tmp_path)) == (2, True, before), done.stderr
    assert "new   " not in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("-",), "give the name of the queue with --queue"),
        (("-", "--queue", "q"), "cannot ask for confirmation: standard input is not a terminal"),
        (("none.json",), "cannot read none.json: no such file or directory"),
        (("sqs:a", "sqs:b"), "give files, or one queue"),
    ],
)
def test_errors_of_the_user(router: Run, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    """They end with a sentence, and nothing is written."""
    done = router("new", *words, input=json.dumps(ORDERS[0]))

    assert (done.returncode, sentence in done.stderr, content(tmp_path)) == (2, True, {}), done.stderr


def test_a_route_that_breaks_another(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """Nothing is written if a test of another route would fail."""
    config = CONFIG.replace("table:   clicks\n", "table:   clicks\n    when: url\n")
    config = config.replace("item: {id: a}", "outcome: rejected, code: RT805, name: no URL")
    (tmp_path / "routes.yaml").write_text(config)
    file = samples([{"id": "b"}])
    before = content(tmp_path)

    done = router("new", file, "--queue", "clicks", "--table", "others", "--name", "others", "--yes")

    assert (done.returncode, content(tmp_path)) == (2, before)
    assert "test 'no URL' of route 'clicks' fails: outcome" in done.stderr


def test_an_empty_folder_stays_empty(router: Run, tmp_path: Path) -> None:
    """If the result would not pass, no folder is left, and no file is said to be new."""
    (tmp_path / "sample.json").write_text('{"id": "b"}')

    done = router("new", "sample.json", "--queue", "q", "--yes")

    assert (done.returncode, [each.name for each in tmp_path.iterdir()]) == (2, ["sample.json"])
    assert ("nothing was written" in done.stderr, "routes.yaml" in done.stdout) == (True, False)


def test_an_interrupt(samples: Callable[..., str], tmp_path: Path) -> None:
    """What is not verified yet is not left behind."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    before = content(tmp_path) | {"samples.jsonl": Path(tmp_path / samples(ORDERS)).read_text()}
    code = (
        "from router.tools.cli import app, new_run\n"
        "def interrupt(*_):\n"
        "    raise KeyboardInterrupt\n"
        "new_run.losses_of = interrupt\n"
        "app.app(['new', 'samples.jsonl', '--queue', 'orders', '--yes'])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True)

    assert (done.returncode, content(tmp_path), (tmp_path / "schemas").exists()) == (1, before, False)


def test_a_config_with_errors(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """Its findings are shown."""
    (tmp_path / "routes.yaml").write_text("version: 2\n")

    done = router("new", samples(ORDERS), "--yes")

    assert (done.returncode, "routes.yaml:1:10: error RT104" in done.stderr) == (2, True), done.stderr


def talk(folder: Path, answers: str, *words: str) -> tuple[int, str]:
    """The exit code and the output of `router new` on a terminal on which somebody types."""
    master, slave = pty.openpty()
    os.write(master, answers.encode())
    command = [sys.executable, "-m", "router", "new", *words]
    done = subprocess.run(command, cwd=folder, stdin=slave, capture_output=True, text=True, timeout=200)
    os.close(master)
    os.close(slave)
    return done.returncode, done.stdout + done.stderr


def test_a_terminal(router: Run, samples: Callable[..., str], tmp_path: Path) -> None:
    """The key is a question, with the candidates ranked and why; then the files are confirmed."""
    messages = [{"order_id": f"o-{number}", "event_id": f"e-{number}"} for number in range(2)]

    code, shown = talk(tmp_path, "2\ny\n", samples(messages), "--queue", "orders")

    assert (code, passes(router)) == (0, True), shown
    assert "│ 1 │ order_id │ S    │ named like the id of 'orders'; unique in 2 samples │" in shown
    assert "orders: {key: {event_id: S}}" in (tmp_path / "routes.yaml").read_text()


def test_a_no(samples: Callable[..., str], tmp_path: Path) -> None:
    """Nothing is written without a yes."""
    code, shown = talk(tmp_path, "n\n", samples(ORDERS), "--queue", "orders")

    assert (code, "nothing was written" in shown, [*content(tmp_path)]) == (1, True, ["samples.jsonl"])


def test_a_live_queue(router: Run, server: LocalAws, sqs: Any, tmp_path: Path) -> None:
    """Messages are received and visible again; the test has none of their values, and the queue is not created."""
    name = f"new-{uuid.uuid4().hex[:8]}"
    urls = create_queues(sqs, {f"{name}-orders": f"{name}-dlq"})
    for number in range(3):
        body = json.dumps({"order_id": f"secret-{number}", "email": "ann@example.org"})
        sqs.send_message(QueueUrl=urls[f"{name}-orders"], MessageBody=body)

    done = router("new", f"sqs:{name}-orders", "--name", "orders", "--yes", env=server.environment())

    assert (done.returncode, passes(router)) == (0, True), done.stderr
    visible = sqs.get_queue_attributes(QueueUrl=urls[f"{name}-orders"], AttributeNames=["ApproximateNumberOfMessages"])
    text = (tmp_path / "routes.yaml").read_text()
    assert visible["Attributes"] == {"ApproximateNumberOfMessages": "3"}
    assert f"  {name}-orders: {{dead_letter: {name}-dlq, managed: false}}\n" in text
    assert "message: {order_id: xxxxxx-0, email: xxx@xxxxxxx.xxx}\n" in text
    again = router("new", f"sqs:{name}-none", "--yes", env=server.environment())
    assert "cannot be opened" in again.stderr
