"""`router new` from events of several kinds about one thing: what one route stored no other erases."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.dev import META
from tests.support.memory import PairMessage, run_pair
from tests.support.program import load_program

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Samples = Callable[[Sequence[Any]], str]

PLACED: list[dict[str, Any]] = [
    {"type": "placed", "order_id": f"o-{n}", "at": f"2026-01-02T03:04:{n:02}Z", "lines": [{"sku": "s", "count": n}]}
    for n in range(30)
]
PAID: list[dict[str, Any]] = [
    {"type": "paid", "order_id": f"o-{n}", "at": f"2026-01-02T03:05:{n:02}Z", "amount": n + 0.5} for n in range(30)
]


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Write messages as JSON lines."""

    def write(messages: Sequence[Any]) -> str:
        (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, messages)), encoding="utf-8")
        return "samples.jsonl"

    return write


def stored(folder: Path, first: Any, second: Any) -> list[dict[str, Any]]:
    """The item that two messages make, the first received first, and the first received last."""
    program = load_program(folder / "routes.yaml", {})
    one, other = (PairMessage("orders", json.dumps(each), system=META) for each in (first, second))
    run = run_pair(program, one, other)
    found = []
    for order in (run.first_then_second, run.second_then_first):
        [item] = order.after.values()
        found.append(item)
    return found


def test_events_of_one_order(router: Run, samples: Samples, tmp_path: Path) -> None:
    """An item has what each kind of event says, in whatever order the events are received."""
    done = router("new", samples([*PLACED, *PAID]), "--queue", "orders", "--yes")

    assert done.returncode == 0, done.stderr
    in_order, reversed_ = stored(tmp_path, PLACED[3], PAID[3])
    assert in_order == reversed_
    assert (in_order["lines"]["L"][0]["M"]["count"], in_order["amount"]) == ({"N": "3"}, {"N": "3.5"})
    assert "passed router check --strict and router test: orders-placed, orders-paid" in done.stdout
    text = (tmp_path / "routes.yaml").read_text()
    assert "      placed_at: at\n      lines: lines\n      placed_at_ns: {from: at, transform: to_epoch_ns}\n" in text
    assert "    write: {mode: update, version: placed_at_ns}\n" in text
    assert "  # mode update: each type sets attributes of its own, so that none erases what another" in text
    assert "orders-common" not in text


def test_what_all_have_is_of_the_latest(router: Run, samples: Samples, tmp_path: Path) -> None:
    """A field orders the messages of all types: a route of its own stores what they have in common."""
    events = [{**event, "status": event["type"], "customer": {"id": 7}} for event in (*PLACED, *PAID)]

    done = router("new", samples(events), "--queue", "orders", "--yes")

    assert done.returncode == 0, done.stderr
    in_order, reversed_ = stored(tmp_path, events[3], events[33])
    assert in_order == reversed_
    assert (in_order["status"], in_order["at"], in_order["placed_at"]) == (
        {"S": "paid"},
        {"S": PAID[3]["at"]},
        {"S": PLACED[3]["at"]},
    )
    text = (tmp_path / "routes.yaml").read_text()
    assert (
        "      order_id: order_id\n"
        "      type: type\n"
        "      at: at\n"
        "      status: status\n"
        "      customer: customer\n"
        "      at_ns: {from: at, transform: to_epoch_ns}\n"
        "    write: {mode: update, version: at_ns}\n"
    ) in text
    assert "    when: type == 'placed' || type == 'paid'\n" in text
    assert "  # route orders-common stores what all have, of the latest message by at: status, customer\n" in text


def test_a_queue_whose_messages_one_route_gets(router: Run, samples: Samples, tmp_path: Path) -> None:
    """Then no route takes what all have: each type has it under a name of its own."""
    (tmp_path / "routes.yaml").write_text(
        "version: 1\n"
        "queues: {orders: {dead_letter: d, match: first}}\n"
        "tables: {others: {key: {id: S}}}\n"
        "routes:\n"
        "  others:\n"
        "    queue: orders\n"
        "    table: others\n"
        "    when: id\n"
        "    schema: {type: object, properties: {id: {type: string, minLength: 1, maxLength: 512}}}\n"
        "    tests: [{message: {id: a}}]\n"
    )
    events = [{**event, "status": event["type"]} for event in (*PLACED, *PAID)]

    done = router("new", samples(events), "--queue", "orders", "--yes")

    assert done.returncode == 0, done.stderr
    in_order, reversed_ = stored(tmp_path, events[3], events[33])
    assert in_order == reversed_
    assert (in_order["placed_status"], in_order["paid_status"]) == ({"S": "placed"}, {"S": "paid"})


def test_without_an_order(router: Run, samples: Samples, tmp_path: Path) -> None:
    """A version that is the same in all samples orders nothing; a type may be all that a message has."""
    events: list[dict[str, Any]] = [
        {"event": name, "order_id": f"o-{number}", "version": 2, **more}
        for number in range(3)
        for name, more in (("placed", {"lines": 1}), ("paid", {"amount": 2}))
    ]
    cancelled = [{"event": "cancelled", "order_id": f"o-{number}"} for number in range(3)]

    done = router("new", samples([*events, *cancelled]), "--queue", "orders", "--yes", "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [each["item"] for each in report["routes"]] == [
        {"order_id": "order_id", "placed_version": "version", "lines": "lines", "placed_event": "event"},
        {"order_id": "order_id", "paid_version": "version", "amount": "amount", "paid_event": "event"},
        {"order_id": "order_id", "cancelled_event": "event"},
    ]
    text = (tmp_path / "routes.yaml").read_text()
    assert "# no field orders messages of placed, paid, cancelled: of several for one key the last" in text
    first, last = stored(tmp_path, events[0], cancelled[0])
    assert (
        first
        == last
        == {
            "order_id": {"S": "o-0"},
            "placed_version": {"N": "2"},
            "lines": {"N": "1"},
            "placed_event": {"S": "placed"},
            "cancelled_event": {"S": "cancelled"},
        }
    )


def test_ids_of_messages(router: Run, samples: Samples, tmp_path: Path) -> None:
    """Each message is an item of its own: the types are apart by the sort key."""
    events = [{"id": f"e-{number}", **event} for number, event in enumerate([*PLACED[:3], *PAID[:3]])]

    done = router("new", samples(events), "--queue", "events", "--yes", "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [(each["key"], each["name"]) for each in report["tables"]] == [({"id": "S", "type": "S"}, "events")]
    assert [each["write"] for each in report["routes"]] == [{"mode": "newest", "version": "at_ns"}] * 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--mode", "put"),
            "a message of route 'orders-placed' and then one of route 'orders-paid' for one key lose li",
        ),
        (
            ("--mode", "insert"),
            "for one key lose lines\ngive --mode update, by which each type sets attributes of its own, or --key",
        ),
        (("--mode", "newest"), "or --key order_id,type, by which each has items of its own\n"),
        (("--mode", "put", "--version", "at"), "--mode put has no version: leave out --version"),
        (("--version", "seq"), "--version seq: no sample has a value at 'seq'"),
        (("--version", "order_id"), "--version order_id: it is the key, and messages of one key have the same"),
        (("--version", "lines"), "--version lines: 'lines' cannot order messages: it is neither text nor a number in"),
        (("--mode", "newest", "--key", "type,order_id", "--version", "amount"), "no sample has a value at 'amount'"),
    ],
)
def test_options_that_do_not_fit(router: Run, samples: Samples, words: tuple[str, ...], sentence: str) -> None:
    """It is said what is wrong with a value, and what of the samples would be lost."""
    done = router("new", samples([*PLACED, *PAID]), "--queue", "orders", *words, "--yes")

    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("words", "writes"),
    [
        (("--mode", "put", "--key", "order_id,type"), [{}, {}]),
        (("--mode", "insert", "--key", "order_id,type"), [{"mode": "insert"}] * 2),
        (("--mode", "update", "--key", "order_id,type"), [{"mode": "update", "version": "at_ns"}] * 2),
        (
            ("--version", "amount, at"),
            [{"mode": "update", "version": "placed_at_ns"}, {"mode": "update", "version": "paid_amount"}],
        ),
    ],
)
def test_options_overrule(router: Run, samples: Samples, words: tuple[str, ...], writes: list[Any]) -> None:
    """The user knows more than the samples show."""
    done = router("new", samples([*PLACED, *PAID]), "--queue", "orders", *words, "--yes", "--json")

    assert done.returncode == 0, done.stderr
    assert [each.get("write", {}) for each in json.loads(done.stdout)["routes"]] == writes


def test_a_mode_that_needs_a_version(router: Run, samples: Samples) -> None:
    """No field orders the samples of a type: the option is named."""
    events = [{"event": "a", "id": "1", "x": 1, "at": "2026-01-02T03:04:05Z"}, {"event": "b", "id": "1", "y": 1}]

    done = router("new", samples(events), "--queue", "orders", "--mode", "newest", "--yes")

    sentence = "router: --mode newest: no field orders the samples of event b: name one with --version\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_events_about_one_thing(router: Run, samples: Samples, tmp_path: Path) -> None:
    """The field that names the thing is the key, though it is the same in all samples."""
    events = [
        {
            "action": action,
            "number": 7,
            "pull_request": {"id": 991, "title": f"{number}", "updated_at": PLACED[number]["at"]},
        }
        for number, action in enumerate(("opened", "edited", "closed"))
    ]

    done = router("new", samples(events), "--queue", "github", "--yes")

    assert done.returncode == 0, done.stderr
    text = (tmp_path / "routes.yaml").read_text()
    assert (
        "  # key pull_request_id: named like the id of 'pull_request'; the same in all 3 samples\n"
        "  # mode newest by pull_request.updated_at: in each sample, and named like a version; a time, as\n"
        "  #   nanoseconds\n"
        "  # all samples are about one thing: each message replaces its item, but for those that are older\n"
        "  # only what 'item' names is stored: if later messages have other members, add them there\n"
        "  github: {key: {pull_request_id: N}}\n"
    ) in text
    assert text.count("    queue: github\n") == 1


def test_messages_without_a_key(router: Run, samples: Samples, tmp_path: Path) -> None:
    """Each is an item of its own by its id in SQS, and the option is named."""
    done = router("new", samples([{"total": 1.5}, {"total": 2.5}]), "--queue", "totals", "--yes")

    assert done.returncode == 0, done.stderr
    text = (tmp_path / "routes.yaml").read_text()
    assert "    item: {message_id: {meta: message_id}, total: total}\n" in text
    assert "no field that all samples have is named like an id" in " ".join(text.replace("#", "").split())
    assert "name a field with --key" in text


def test_a_table_that_routes_update(router: Run, samples: Samples, tmp_path: Path) -> None:
    """A further type sets attributes that no other route has."""
    (tmp_path / "routes.yaml").write_text(
        "version: 1\n"
        "queues: {orders: {dead_letter: d}}\n"
        "tables: {orders: {key: {order_id: S}}}\n"
        "routes:\n"
        "  placed:\n"
        "    queue: orders\n"
        "    table: orders\n"
        "    when: type == 'placed'\n"
        "    item: {order_id: order_id, type: type, at: at, lines: lines}\n"
        "    write: {mode: update, version: at}\n"
        "    schema:\n"
        "      required: [order_id, at]\n"
        "      properties:\n"
        "        order_id: {type: string, minLength: 1, maxLength: 512}\n"
        "        at: {type: string, maxLength: 40}\n"
        "        type: {const: placed}\n"
        "        lines: {type: integer}\n"
        "      type: object\n"
        "    tests: [{message: {type: placed, order_id: a, at: '1', lines: 1}}]\n"
    )

    done = router("new", samples(PAID), "--queue", "billing", "--table", "orders", "--name", "paid", "--yes")

    assert done.returncode == 0, done.stderr
    text = (tmp_path / "routes.yaml").read_text()
    assert "      paid_type: type\n      paid_at: at\n      amount: amount\n      paid_at_ns: {from" in text
    assert "    write: {mode: update, version: paid_at_ns}\n" in text


def test_what_is_not_decided(router: Run, samples: Samples, tmp_path: Path) -> None:
    """It does not stop anything, and it is said: nothing is proved after a plugin that changes messages."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "same.py").write_text(
        "from router import Message, hookimpl\n"
        "\n"
        "\n"
        "@hookimpl\n"
        "def router_transform_message(message: Message) -> Message:\n"
        "    return message\n"
    )
    (tmp_path / "routes.yaml").write_text(
        "version: 1\n"
        "plugins: [plugins/same.py]\n"
        "queues: {others: {dead_letter: d}}\n"
        "tables: {others: {key: {id: S}}}\n"
        "routes:\n"
        "  others:\n"
        "    queue: others\n"
        "    table: others\n"
        "    plugins: []\n"
        "    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 512}}}\n"
        "    tests: [{message: {id: a}, item: {id: a}}]\n"
    )

    done = router("new", samples(PLACED), "--queue", "orders", "--yes")

    assert done.returncode == 0, done.stderr
    assert "RT241 " in done.stdout
    assert "is not decided: plugin 'same' changes the messages" in done.stdout
    assert "passed router check and router test: orders\nrouter check --strict fails on what is not d" in done.stdout


def test_a_table_of_whole_items(router: Run, samples: Samples, tmp_path: Path) -> None:
    """A further type that cannot be stored there is refused, and the option for another table is named."""
    (tmp_path / "routes.yaml").write_text(
        "version: 1\n"
        "queues: {others: {dead_letter: d}}\n"
        "tables: {orders: {key: {order_id: S}}}\n"
        "routes:\n"
        "  others:\n"
        "    queue: others\n"
        "    table: orders\n"
        "    schema:\n"
        "      type: object\n"
        "      required: [order_id]\n"
        "      properties: {order_id: {type: string, minLength: 1, maxLength: 512}}\n"
        "    tests: [{message: {order_id: a}}]\n"
    )
    before = (tmp_path / "routes.yaml").read_text()

    done = router("new", samples(PLACED), "--queue", "orders", "--yes")

    assert (done.returncode, "RT626 " in done.stderr) == (2, True), done.stderr
    assert done.stderr.endswith("\nanother --table keeps apart what other routes of this one store\n")
    assert (tmp_path / "routes.yaml").read_text() == before


def test_a_further_type_of_a_table_of_whole_items(router: Run, samples: Samples, tmp_path: Path) -> None:
    """The finding is short, and with the edit that it shows the same command succeeds: nothing is lost."""
    untyped = [[{name: each[name] for name in each if name != "type"} for each in kind] for kind in (PLACED, PAID)]
    assert router("new", samples(untyped[0]), "--queue", "placed", "--table", "orders", "--yes").returncode == 0

    done = router("new", samples(untyped[1]), "--queue", "paid", "--table", "orders", "--yes")

    assert done.returncode == 2
    finding, advice, *edit, _ = done.stderr.partition("would not pass:\n")[2].splitlines()
    assert finding == (
        "routes.yaml:29:12: warning RT626 routes 'placed' and 'paid' lose data of one item: in order, 'paid' replaces "
        "the item, and erases 'lines' of 'placed'"
    )
    assert advice == "whole items erase what other routes store; edit routes.yaml, and run this again:"
    config = yaml.safe_load((tmp_path / "routes.yaml").read_text())
    config["routes"]["placed"].update(yaml.safe_load("\n".join(edit))["routes"]["placed"])
    (tmp_path / "routes.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    done = router("new", samples(untyped[1]), "--queue", "paid", "--table", "orders", "--yes")
    assert done.returncode == 0, done.stderr
    program = load_program(tmp_path / "routes.yaml", {})
    one, other = (
        PairMessage(queue, json.dumps(kind[3]), system=META)
        for queue, kind in zip(("placed", "paid"), untyped, strict=True)
    )
    run = run_pair(program, one, other)
    assert run.first_then_second.after == run.second_then_first.after
    [item] = run.first_then_second.after.values()
    assert {"lines", "amount"} <= item.keys()


def test_types_that_differ_in_case_and_signs(router: Run, samples: Samples, tmp_path: Path) -> None:
    """Each has a route and attributes of its own; none is named like the route of what all have."""
    events = ["order.placed", "order_placed", "Order:Placed", "common"]
    given = [{"event": event, "order_id": "o1", "seq": at, f"m{at}": 1, "n": at} for at, event in enumerate(events)]

    done = router("new", samples(given), "--queue", "orders", "--yes")

    assert done.returncode == 0, done.stderr
    routes = re.findall(r"^  (orders-\S+):$", (tmp_path / "routes.yaml").read_text(), re.MULTILINE)
    numbered = ["orders-order-placed", "orders-order-placed-2", "orders-order-placed-3", "orders-common-2"]
    assert [name for name in routes if name in numbered] == numbered
    assert len(set(routes)) == len(routes)
