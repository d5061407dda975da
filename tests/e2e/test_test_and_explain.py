"""`router test` and `router explain` as a user starts them: options, formats, what they change."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.dev import from_lines, from_tests
from tests.support.program import load_program

Run = Callable[..., "subprocess.CompletedProcess[str]"]

CONFIG = """\
version: 1
plugins: [own.py]
queues: {q: {dead_letter: d, match: first, atomic: true}}
tables: {things: {key: {id: S}}, markers: {key: {m: S}}}
routes:
  counts:
    queue: q
    table: things
    when: "sum(n) > `0`"
    plugins: []
    item: {id: id, n: {from: "n[0]", type: N}, old: {from: old, missing: remove}, b: {from: b, type: B}}
    write: {mode: update, add: [n], once: markers}
    tests:
      - {name: one, message: {id: a, n: [1], b: "AAE="}, item_contains: {id: b}}
  others:
    queue: q
    table: things
    when: kind
    schema: {type: object, properties: {id: {type: string}, kind: {enum: [x]}, size: {type: integer}}}
  rest: {queue: q, table: things, plugins: []}
"""
PLUGIN = """\
from router import hookimpl


@hookimpl
def router_transform_item(item):
    return {**item, "tags": {2, 1}, "raw": {b"x"}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(PLUGIN)
    file = tmp_path / "routes.yaml"
    file.write_text(CONFIG)
    return file


def test_what_is_not_tested(router: Run, config: Path) -> None:
    """Routes without tests are named, places in schemas are counted or listed; quiet says neither."""
    counted, listed, quiet = router("test"), router("test", "--coverage"), router("test", "-q")
    config.write_text(re.sub("id: {type: string}, .*, size", "size", config.read_text()))

    places = [
        f"note  the inline schema: no message has the property '{name}' at /properties/{name}"
        for name in ("id", "kind", "size")
    ]
    routes = "note  without a test: others, rest"
    assert (counted.stdout.splitlines()[3:], listed.stdout.splitlines()[3:], quiet.stdout.splitlines()[3:]) == (
        [routes, "note  no test reaches 3 places in the schemas; --coverage lists them", "0 passed, 1 failed"],
        [routes, *places, "0 passed, 1 failed"],
        ["0 passed, 1 failed"],
    )
    assert "no test reaches 1 place in" in router("test").stdout


def test_update(router: Run, config: Path) -> None:
    """What was changed is shown, and the next run passes."""
    updated, again = router("test", "--update"), router("test", "-q", "-k", "counts and not two")

    assert (updated.returncode, updated.stdout.splitlines()[:3], updated.stdout.splitlines()[-1]) == (
        0,
        [
            "edit  counts: one  (routes.yaml:14:9)",
            '      - item_contains: {"id":"b"}',
            '      + item_contains: {"id":"a"}',
        ],
        "0 passed, 0 failed, 1 updated",
    )
    assert (again.stdout, config.read_text()) == ("1 passed, 0 failed\n", CONFIG.replace("{id: b}", "{id: a}"))


def test_machines(router: Run, config: Path, tmp_path: Path) -> None:
    """JSON on the screen, JUnit XML in a file."""
    done = router("test", "--json", "--junit", "out.xml")

    report = json.loads(done.stdout)
    (test,) = report["tests"]
    test.pop("seconds")
    assert (done.returncode, test, report["untested_routes"], [each["pointer"] for each in report["unreached"]]) == (
        1,
        {
            "route": "counts",
            "name": "one",
            "passed": False,
            "differences": [{"what": "id", "expected": "b", "found": "a"}],
        },
        ["others", "rest"],
        ["/properties/id", "/properties/kind", "/properties/size"],
    )
    assert '<failure message="1 difference: id"' in (tmp_path / "out.xml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("-k", "nothing"), 1, "no test matches 'nothing'"),
        (("-k", "(("), 2, "router: '((' does not select tests"),
        (("--junit", "no/such/folder.xml"), 2, "router: cannot write no/such/folder.xml"),
    ],
)
def test_what_cannot_be(router: Run, config: Path, words: tuple[str, ...], code: int, sentence: str) -> None:
    """Is said in a sentence."""
    done = router("test", *words)

    assert (done.returncode, sentence in done.stderr) == (code, True)


def test_a_kept_test(router: Run, config: Path) -> None:
    """A test that is not updated is shown, with the reason."""
    config.write_text(CONFIG.replace("item_contains: {id: b}", "outcome: rejected"))

    done = router("test", "--update")

    assert (done.returncode, done.stdout.splitlines()[3]) == (
        1,
        "      not updated: its outcome is 'written', not 'rejected'; --update-outcomes changes that too",
    )


def explain(router: Run, message: str, *words: str) -> tuple[int, str]:
    done = router("explain", "--queue", "q", *words, "-", input=message)
    assert done.stderr == ""
    return done.returncode, re.sub(r"\d+\.\d µs", "µs", done.stdout)


def test_a_message_on_the_command_line(router: Run, config: Path) -> None:
    """JSON is the message itself, as that of `--after`; anything else names a file."""
    piped = explain(router, '{"id": "a", "kind": "x"}')
    done = router("explain", "--queue", "q", ' {"id": "a", "kind": "x"}')
    missing = router("explain", "--queue", "q", "nosuch.json")

    assert (done.returncode, done.stdout) == piped
    assert (missing.returncode, "'nosuch.json': No such file or directory" in missing.stderr) == (2, True)


def test_conditions(router: Run, config: Path) -> None:
    """Each route is shown with its condition, and why it does not hold or was not asked."""
    _, taken = explain(router, '{"id": "a", "kind": "x"}')

    assert taken.partition("routes\n")[2].splitlines()[:3] == [
        "  no   counts: when sum(n) > `0` — 'sum(n) > `0`' failed: sum() cannot take null",
        "  yes  others: when kind",
        "  -    rest: always — an earlier route took the message (match: first)",
    ]


def test_sets_and_bytes(router: Run, config: Path) -> None:
    """Sets are sorted lists, bytes base64."""
    _, shown = explain(router, '{"id": "a", "kind": "x"}', "--route", "others", "--json")

    report = json.loads(shown)
    (value,) = (each["value"] for each in report["stages"] if each["stage"] == "transform item")
    assert (value["tags"], value["raw"], {each["route"] for each in report["stages"]}) == (
        [1, 2],
        ["eA=="],
        {"", "others"},
    )


def test_the_request_of_an_atomic_queue(router: Run, config: Path) -> None:
    """Update and marker are one transaction; what is to be removed shows as such."""
    code, shown = explain(router, '{"id": "a", "n": [1], "b": "AAE="}', "--json")

    report = json.loads(shown)
    (request,) = report["requests"]
    (mapped,) = (each["value"] for each in report["stages"] if each["stage"] == "map")
    actions = [next(iter(each)) for each in request["TransactWriteItems"]["TransactItems"]]
    assert (code, actions, mapped) == (0, ["Put", "Update"], [{"id": "a", "n": 1, "old": "REMOVE", "b": "AAE="}])


@pytest.mark.parametrize(
    ("message", "words", "failed_at"),
    [
        ('{"kind": "y", "id": 1}', (), "validate"),
        ('{"kind": "x"}', (), "write"),
        ('{"n": [1], "b": "?"}', (), "map"),
        ("{", (), "decode"),
        ("{}", ("--raw",), "write"),
        ("\ufeff{}", (), "write"),
        ("\ufeff{}", ("--raw",), "decode"),
        ('\ufeff{"messageId": "m", "body": "{}"}', ("--raw",), "write"),
        ('{"messageId": "m", "body": "["}', ("--raw",), "decode"),
        ('{"Records": [{"messageId": "m", "body": "["}]}', ("--raw",), "decode"),
        ('{"Records": [{"eventSource": "aws:s3"}]}', ("--raw",), "write"),
    ],
)
def test_where_it_fails(router: Run, config: Path, message: str, words: tuple[str, ...], failed_at: str) -> None:
    """The stage is named."""
    code, shown = explain(router, message, *words, "--json")

    assert (code, json.loads(shown)["failed_at"]) == (1, failed_at)


def test_every_fault(router: Run, config: Path) -> None:
    """All that the schema has against a message: keyword, its place, the place in the message."""
    _, shown = explain(router, '{"kind": "y", "id": 1}', "--json")

    faults = [(each["keyword"], each["at"], each["pointer"]) for each in json.loads(shown)["faults"]]
    assert faults == [
        ("type", "/properties/id/type", "/id"),
        ("enum", "/properties/kind/enum", "/kind"),
    ]


REDACTING = """\
version: 1
queues: {q: {dead_letter: d, redact: [mail]}}
tables: {things: {key: {id: S}}}
routes:
  things:
    queue: q
    table: things
    item: {id: id}
    schema: {type: object, required: [id, mail], properties: {id: {type: string, minLength: 1}, mail: {type: string}}}
    tests: [{message: {id: a, mail: b}}]
"""


def test_a_queue_that_redacts(router: Run, tmp_path: Path) -> None:
    """Its messages are tested and explained, with all faults, as those of other queues."""
    (tmp_path / "routes.yaml").write_text(REDACTING)
    environment = os.environ | {"ROUTER_REDACT_KEY": "k" * 32}

    tested = router("test", env=environment)
    explained = router("explain", "--queue", "q", "-", "--json", input="{}", env=environment)

    faults = [each["pointer"] for each in json.loads(explained.stdout)["faults"]]
    assert (tested.stdout, faults) == ("pass  things: test 1\n1 passed, 0 failed\n", ["the root"] * 2)


def test_what_a_plugin_raises(router: Run, config: Path, tmp_path: Path) -> None:
    """Tests and explanations have its traceback, from the plugin's first line to the one that raised."""
    (tmp_path / "own.py").write_text(
        PLUGIN.replace('    return {**item, "tags": {2, 1}, "raw": {b"x"}}', '    return item["nmae"]')
    )
    test = "    tests: [{message: {id: a, kind: x}}]\n"
    config.write_text(config.read_text().replace("  rest:", f"{test}  rest:"))
    tested, as_json = router("test", "-k", "others"), router("test", "-k", "others", "--json")
    (result,) = json.loads(as_json.stdout)["tests"]
    _, explained = explain(router, '{"id": "a", "kind": "x"}')
    _, record = explain(router, '{"id": "a", "kind": "x"}', "--json")

    trace = ["Traceback (most recent call last):", f'  File "{tmp_path}/own.py", line 6, in router_transform_item']
    for shown in (tested.stdout, result["traceback"], explained, json.loads(record)["traceback"]):
        lines = [line.strip() for line in shown.splitlines()]
        start = lines.index(trace[0])
        assert lines[start + 1] == trace[1].strip()
        assert "KeyError: 'nmae'" in lines[start + 1 :]
    reason = "plugin 'own': router_transform_item raised KeyError (own.py:6)"
    assert f"  reason: {reason}\n" in explained


@pytest.mark.parametrize(("mode", "is_shown"), [("put", True), ("insert", True), ("update", False)])
def test_elements_with_one_key(router: Run, tmp_path: Path, mode: str, is_shown: bool) -> None:
    """Only one of them is stored, unless they are updates, which add up; with other keys, nothing is printed."""
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nqueues: {q: {}}\ntables: {lines: {key: {id: S, line: N}}}\n"
        "routes: {r: {queue: q, table: lines, for_each: lines, item: {id: message.id, line: element.line, "
        f"sku: element.sku}}, write: {{mode: {mode}}}}}}}\n"
    )
    sentence = "2 of these items have one key: table lines keeps one of them"

    found = []
    for second in (1, 2):
        lines = [{"line": 1, "sku": "tea"}, {"line": second, "sku": "cup"}]
        code, shown = explain(router, json.dumps({"id": "o-1", "lines": lines}))
        found.append((code, sentence in shown))

    assert found == [(0, is_shown), (0, False)]


def test_an_unknown_route(router: Run, config: Path) -> None:
    """Is said."""
    done = router("explain", "--queue", "q", "--route", "x", "-", input="{}")

    assert (done.returncode, done.stderr) == (
        2,
        "router: no route 'x' reads the queue 'q'; there are counts, others, rest\n",
    )


ENVELOPE_PLUGIN = """\
import json
from router import Reject, hookimpl


def unwrap(payload, attributes):
    outer = json.loads(payload)
    if not isinstance(outer, dict) or "acme" not in outer:
        raise Reject("the payload is not in an acme envelope")
    return outer["acme"], attributes


def wrap(payload):
    return json.dumps({"acme": payload})


@hookimpl
def router_register_envelopes(register):
    register("acme", unwrap, wrap=wrap)
"""
ENVELOPE_CONFIG = """\
version: 1
plugins: [acme.py]
queues: {q: {dead_letter: d, envelope: [acme, sns]}}
tables: {things: {key: {id: S}}}
routes:
  r:
    queue: q
    table: things
    item: {id: id}
    tests: [{name: wrapped, message: {id: a}, item: {id: a}}]
"""


def test_the_envelope_of_a_plugin(router: Run, tmp_path: Path) -> None:
    """The messages of tests, of `explain` and of the demo are wrapped in it by its inverse."""
    (tmp_path / "acme.py").write_text(ENVELOPE_PLUGIN)
    (tmp_path / "routes.yaml").write_text(ENVELOPE_CONFIG)

    tested = router("test")
    explained = router("explain", "--queue", "q", "--json", "-", input='{"id": "b"}')

    program = load_program(tmp_path / "routes.yaml", {})
    bodies = [each.body for each in (*from_tests(program), *from_lines(program, "q", ['{"id": "c"}']))]
    inner = [json.loads(json.loads(body)["acme"])["Message"] for body in bodies]
    assert (tested.returncode, explained.returncode, inner) == (0, 0, ['{"id":"a"}', '{"id": "c"}']), tested.stdout


def test_the_envelope_of_a_plugin_that_fails_to_wrap(router: Run, tmp_path: Path) -> None:
    """The test fails, and names the plugin."""
    failing = ENVELOPE_PLUGIN.replace('return json.dumps({"acme": payload})', "raise KeyError(payload)")
    (tmp_path / "acme.py").write_text(failing)
    (tmp_path / "routes.yaml").write_text(ENVELOPE_CONFIG)

    done = router("test")

    assert (done.returncode, "plugin 'acme': wrap of envelope 'acme' raised KeyError" in done.stdout) == (1, True)
