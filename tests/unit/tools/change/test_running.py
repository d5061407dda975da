"""Whether a route takes a message, how the results of two versions differ, and what differs from a recording."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.errors import UsageError
from router.tools.change import running
from router.tools.change.recording import RecordedMessage, Recording, RecordingHead
from router.tools.change.routes import RouteVersion, routes_of
from router.tools.change.running import differences, record_of, run, run_recording
from tests.unit.tools.change.conftest import TABLES, Open, config_of

Make = Callable[..., RouteVersion]


@pytest.fixture
def route(open_config: Open, tmp_path: Path) -> Make:
    """Return a function that makes the route `main`, with settings of its queue and other routes before it."""

    def make(folder: str = "one", queue: Any = None, first: Any = None, **settings: Any) -> RouteVersion:
        routes = {"first": first, "main": settings} if first is not None else {"main": settings}
        queues = {"things": {"dead_letter": "dead", **(queue or {})}}
        return routes_of(open_config(config_of(routes, queues=queues), folder))["main"]

    return make


def result(route: RouteVersion, message: Any) -> Any:
    record = record_of(route, message)
    assert record is not None
    return run(route, record)


NAMED = {"type": "object", "required": ["id"]}
NULL = {"from": "n", "null": "null"}
LIST = {"for_each": "list", "item": {"id": "element"}}


@pytest.mark.parametrize(
    ("settings", "message", "taken", "described"),
    [
        ({}, {"id": "a"}, True, "written"),
        ({"schema": NAMED}, {}, False, "rejected (RT806 fails 'required' at /required: 'id' is missing)"),
        ({"when": "id"}, {}, False, "rejected (RT805 "),
        ({"queue": {"unmatched": "drop"}, "when": "id"}, {}, False, "dropped (RT805 "),
        (LIST, {"list": ["a", "b"]}, True, "written"),
        ({"queue": {"match": "first"}, "first": {"when": "other"}}, {"id": "a"}, True, "written"),
        ({"queue": {"match": "first"}, "first": {"when": "other"}}, {"id": "a", "other": 1}, False,
         "an earlier route takes it"),
        ({"first": {}}, {"id": "a"}, True, "written"),
        ({"first": {"schema": {"required": ["x"]}}}, {"id": "a"}, True, "written"),
        ({"first": {}, "when": "x"}, {"id": "a"}, False, "rejected (RT805 "),
    ],
)  # fmt: skip
def test_whether_a_route_takes_a_message(
    route: Make, settings: Mapping[str, Any], message: Any, taken: bool, described: str
) -> None:
    """By itself, but for the earlier routes of a queue whose first route takes a message."""
    found = result(route(**settings), message)

    assert (found.taken, found.describe()[: len(described)]) == (taken, described)


PLUGGED = """
from router import Drop, hookimpl

@hookimpl
def router_transform_message(message):
    if message.data.get("drop"):
        raise Drop("not of interest")
"""


def test_what_a_plugin_drops_is_taken(open_config: Open, tmp_path: Path) -> None:
    """As long as it is the plugin of the route that drops it."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "own.py").write_text(PLUGGED)
    routes = {"first": {"when": "first"}, "main": {"plugins": []}}
    config = config_of(routes, queues={"things": {"match": "first"}}, plugins=["own.py"])
    both = routes_of(open_config(config, "one"))

    dropped = {"id": "a", "drop": True}
    assert [result(both[name], {**dropped, "first": name == "first"}).taken for name in both] == [True, True]
    assert result(both["first"], {**dropped, "first": True}).items == []
    assert result(both["main"], {**dropped, "first": True}).taken is False


WRAPPING = """
from router import Reject, hookimpl

@hookimpl
def router_register_envelopes(register):
    register("own", unwrap, wrap=lambda payload: f"own:{payload}")

def unwrap(payload, attributes):
    if not payload.startswith("own:"):
        raise Reject("no envelope")
    return payload[4:], attributes
"""


def test_a_message_is_in_the_envelope_of_its_queue(open_config: Open, tmp_path: Path) -> None:
    """Also in that of a plugin."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "own.py").write_text(WRAPPING)
    tests = [{"message": {"id": "b"}}]
    config = config_of({"main": {"tests": tests}}, queues={"things": {"envelope": ["own"]}}, plugins=["own.py"])
    route = routes_of(open_config(config, "one"))["main"]

    ((message, record),) = running.tests_of(route)

    assert result(route, {"id": "a"}).taken
    assert (message, run(route, record).taken) == ({"id": "b"}, True)


@pytest.mark.parametrize(
    ("old", "new", "message", "found"),
    [
        ({}, {}, {"id": "a"}, []),
        ({"item": {"id": "id"}}, {"item": {"id": "id", "n": "n"}}, {"id": "a", "n": 1}, [("n", "added", "-", "1")]),
        ({"item": {"id": "id", "n": "n"}}, {"item": {"id": "id"}}, {"id": "a", "n": 1}, [("n", "removed", "1", "-")]),
        ({"item": {"id": "id", "n": "n"}}, {"item": {"id": "id", "n": "m"}}, {"id": "a", "n": 1, "m": 2},
         [("n", "value", "1", "2")]),
        ({"item": {"id": "id", "n": "n"}}, {"item": {"id": "id", "n": "m"}}, {"id": "a", "n": 1, "m": "1"},
         [("n", "type", "1", '"1"')]),
        ({"item": {"id": "id", "n": "n"}}, {"item": {"id": "id", "n": "m"}}, {"id": "a", "n": 1, "m": True},
         [("n", "type", "1", "true")]),
        ({"item": {"id": "id"}}, {"item": {"id": "id", "n": NULL}}, {"id": "a", "n": None},
         [("n", "added", "-", "null")]),
        ({"item": {"id": "id", "n": NULL}}, {"item": {"id": "id"}}, {"id": "a", "n": None},
         [("n", "removed", "null", "-")]),
        (LIST, {**LIST, "for_each": "list[:1]"}, {"list": ["a", "b"]}, [("", "number of items", "2 items", "1 item")]),
        ({"schema": NAMED}, {}, {}, []),
    ],
)  # fmt: skip
def test_differences(route: Make, old: Any, new: Any, message: Any, found: list[Any]) -> None:
    """Of each attribute, or of the number of items."""
    before, after = route("old", **old), route("new", **new)
    record = record_of(before, message)
    assert record is not None

    seen = differences(before, after, [(message, record)])

    assert [(each.attribute, each.what, each.before, each.after) for each in seen] == found


def test_a_difference_of_the_request_alone(route: Make) -> None:
    """The items are the same, and another mode stores them."""
    before, after = route("old"), route("new", write={"mode": "insert"})
    record = record_of(before, {"id": "a"})
    assert record is not None

    (found,) = differences(before, after, [({"id": "a"}, record)])

    assert (found.attribute, found.what) == ("", "request")
    assert [text in found.after for text in (found.before, "attribute_not_exists")] == [False, True]


def test_a_difference_of_the_transaction_alone(route: Make) -> None:
    """The same items are written, all or none of them."""
    before, after = route("old"), route("new", queue={"atomic": True})
    record = record_of(before, {"id": "a"})
    assert record is not None

    (found,) = differences(before, after, [({"id": "a"}, record)])

    assert (found.attribute, found.what, found.before == found.after) == ("", "request", False)


def test_what_is_taken_is_a_difference_on_request(route: Make) -> None:
    """Else verdicts say it; another outcome of what neither takes is always one."""
    before, after = route("old", schema=NAMED), route("new", schema=NAMED, on_invalid="drop")
    narrow, wide = route("narrow", schema={"required": ["x"]}), route("wide")
    record = record_of(before, {})
    assert record is not None
    message: Any = {}
    pair = [(message, record)]

    refused = "rejected (RT806 fails 'required' at /required: 'id' is missing)"
    assert [(each.what, each.before) for each in differences(before, after, pair)] == [("rejected → dropped", refused)]
    assert differences(before, before, pair, taking=True) == []
    taken = record_of(before, {"id": "a"})
    assert taken is not None
    for old, new, what, words in (
        (
            wide,
            narrow,
            "no longer taken",
            ("written", "rejected (RT806 fails 'required' at /required: 'x' is missing)"),
        ),
        (narrow, wide, "newly taken", ("rejected (RT806 fails 'required' at /required: 'x' is missing)", "written")),
    ):
        assert differences(old, new, [(message, taken)]) == []
        (found,) = differences(old, new, [(message, taken)], taking=True)
        assert (found.attribute, found.what, (found.before, found.after)) == ("", what, words)


def test_the_first_message_of_each_kind(route: Make) -> None:
    """One difference of a kind is shown, whatever the number of messages."""
    before, after = route("old", item={"id": "id", "n": "n"}), route("new", item={"id": "id", "n": "m"})
    messages = [{"id": "a"}, {"id": "b", "n": 1, "m": 2}, {"id": "c", "n": 3, "m": 4}, {"id": "d", "n": 5}]
    records = [(message, record_of(before, message)) for message in messages]

    found = differences(before, after, records)  # type: ignore[arg-type]

    assert [(each.what, each.message["id"]) for each in found] == [("value", "b"), ("removed", "d")]


@pytest.fixture
def compare(tmp_path: Path) -> Callable[..., list[Mapping[str, Any]]]:
    """Return a function that runs a recording against a config, and one before it."""

    def compared(messages: Any, new: Any, old: Any = None, queue: str = "things") -> list[Mapping[str, Any]]:
        (tmp_path / "new.yaml").write_bytes(msgspec.json.encode(new))
        if old is not None:
            (tmp_path / "old.yaml").write_bytes(msgspec.json.encode(old))
        recording = Recording(RecordingHead(queue=queue, config=""), tuple(messages))
        against = None if old is None else str(tmp_path / "old.yaml")
        return run_recording(recording, tmp_path / "new.yaml", against)

    return compared


def test_a_recording_against_its_outcomes(compare: Callable[..., Any]) -> None:
    """Those that differ, with the first message of each kind and their number."""
    messages = [
        RecordedMessage({"id": "a"}, "written", "", ("main",)),
        RecordedMessage({}, "written", "", ("main",)),
        RecordedMessage({"x": 1}, "written", "", ("main",)),
        RecordedMessage({"id": "b"}, "rejected", "RT806"),
        RecordedMessage({"id": "c"}, "written", "", ("main", "more")),
    ]

    found = compare(messages, config_of({"main": {"schema": NAMED}}))

    assert found == [
        {"what": "outcome", "message": {}, "before": "written by main", "after": "rejected RT806", "count": 2},
        {"what": "outcome", "message": {"id": "b"}, "before": "rejected RT806", "after": "written by main", "count": 1},
        {
            "what": "outcome",
            "message": {"id": "c"},
            "before": "written by main, more",
            "after": "written by main",
            "count": 1,
        },
    ]


def test_a_recording_against_another_version(compare: Callable[..., Any]) -> None:
    """Each route of the queue is compared; one that was removed is a difference, and other queues are none."""
    unreadable: Any = 1j
    messages = [RecordedMessage(unreadable, "written")]
    messages += [RecordedMessage({"id": id_, "n": 1}, "written") for id_ in "ab"]
    tables = {**TABLES, "others": {"key": {"id": "S"}}}
    other = {"queue": "others", "table": "others"}
    more = {**other, "item": {"id": "id", "n": "n"}}
    old = {"other": other, "main": {"item": {"id": "id"}}, "narrow": {"schema": NAMED}, "gone": {"when": "n"}}
    old["lost"] = other
    new = {"other": more, "main": {"item": {"id": "id", "n": "n"}}, "narrow": {"schema": {"required": ["x"]}}}

    found = compare(messages, config_of(new, tables=tables), config_of(old, tables=tables))

    first = {"message": {"id": "a", "n": 1}, "count": 2}
    refused = "rejected (RT806 fails 'required' at /required: 'x' is missing)"
    assert found == [
        {"route": "main", "what": "attribute 'n': added", "before": "-", "after": "1", **first},
        {"route": "narrow", "what": "no longer taken", "before": "written", "after": refused, **first},
        {"route": "gone", "what": "is removed", "message": None, "before": "", "after": "", "count": 1},
    ]


def test_the_variables_of_a_config(compare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of the environment, in both versions."""
    monkeypatch.setenv("QUEUE", "things")
    old, new = (config_of({"main": {"queue": "${QUEUE}", "item": {"id": path}}}) for path in ("id", "other"))
    messages = [RecordedMessage({"id": "a", "other": "b"}, "rejected", "RT805")]

    (outcome,) = compare(messages, new)
    (item,) = compare(messages, new, old)

    assert (outcome["before"], outcome["after"]) == ("rejected RT805", "written by main")
    assert (item["before"], item["after"]) == ('"a"', '"b"')


def test_a_recording_of_another_queue(compare: Callable[..., Any]) -> None:
    """It says nothing about this config."""
    with pytest.raises(UsageError, match=r"no route of .* reads the queue 'others' of the recording"):
        compare([], config_of({"main": {}}), queue="others")


def test_messages_of_tests(route: Make, tmp_path: Path) -> None:
    """Each message of each test, with files of the config's folder, and none that cannot be made."""
    tests = [
        {"file": "nowhere.json"},
        {"message": {"id": "a"}},
        {"messages": [{"message": {"id": "b"}}, {"body": "no JSON"}]},
        {"file": "gone.json"},
        {"file": "here.json"},
    ]
    made = route(tests=tests)
    (tmp_path / "one" / "here.json").write_text('{"id": "c"}')

    found = [message for message, _ in running.tests_of(made)]

    assert found == [{"id": "a"}, {"id": "b"}, "no JSON", '{"id": "c"}']
