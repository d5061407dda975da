"""Conversion of plain data to the typed config, and faults of shape."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.model import Place
from router.runtime.config import spec
from router.runtime.config.findings import Findings
from router.runtime.config.merge import merge
from router.runtime.config.parse import parse_part, without_empty_keys
from router.runtime.config.schema import wrong_form
from router.runtime.config.source import parse_text
from tests.support.modes import MODES
from tests.support.sources import SOURCES, TtlAfter

ONE_OF_THE_MODES = " or ".join(", ".join(f"'{name}'" for name in sorted(MODES)).rsplit(", ", 1))
HEAD = """\
version: 1
queues:
  q: {dead_letter: d, atomic: true}
tables:
  t: {key: {a: S}, ttl: e}
"""

ATTRIBUTE: Any = spec.Attribute
"""Its fields come from the modules of the sources."""


def parse(text: Any) -> Any:
    """Return the config, and its findings without the name of the file."""
    source = parse_text(text, {}, "f")
    config = merge(source, *parse_part(spec.Config, source.data, source.findings)).config
    return config, [str(finding).removeprefix("f:") for finding in source.findings]


def route(text: Any) -> Any:
    """Return the config and findings of one route `r`, whose text begins on line 8, column 5."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return parse(f"{HEAD}routes:\n  r:\n{lines}")


FLOW = "queue: q\ntable: t\n"


def test_the_smallest_config_has_all_defaults() -> None:
    """Settings that are not given have their defaults."""
    config, findings = parse("version: 1\ntables: {t: {key: {a: S}}}\nroutes: {r: {queue: q, table: t}}\n")

    assert (config, findings) == (
        spec.Config(
            version=1, tables={"t": spec.TableSettings(key={"a": "S"})}, routes={"r": spec.RouteSettings("q", "t")}
        ),
        [],
    )


def test_each_setting_is_read() -> None:
    """The type of a value selects the member of a union, lists become tuples, and null is a value where any is."""
    config, findings = route(
        FLOW + "schema: {type: object}\nplugins: []\noptions: {p: {x: null}}\nwhen: a\nfor_each: b\n"
        "write: {mode: update, version: v, add: [x]}\n"
        "item:\n  a: x\n  b: {value: null}\n  c: {from: y, default: null, transform: [s, {t: 1.5}]}\n"
        "  d: {ttl: 9d}\n  e: {ttl: {from: z, after: 1w}}\n  f: {hash: [x, y]}\n"
        "tests: [{message: null}, {body: '', items: [{a: 1}]}]\n"
    )

    assert findings == []
    assert config.routes["r"] == spec.RouteSettings(
        queue="q",
        table="t",
        schema={"type": "object"},
        plugins=(),
        options={"p": {"x": None}},
        when="a",
        for_each="b",
        write=spec.WriteSettings(mode="update", version="v", add=("x",)),
        item={
            "a": ATTRIBUTE(from_="x"),
            "b": ATTRIBUTE(value=None),
            "c": ATTRIBUTE(from_="y", default=None, transform=({"s": []}, {"t": pytest.approx(1.5)})),
            "d": ATTRIBUTE(ttl="9d"),
            "e": ATTRIBUTE(ttl=TtlAfter("z", "1w")),
            "f": ATTRIBUTE(hash=("x", "y")),
        },
        tests=(spec.Test(message=None), spec.Test(body="", items=({"a": 1},))),
    )


def test_an_optional_key_without_value_is_not_given() -> None:
    """A key is left without a value when everything below a key is commented out."""
    config, findings = parse(
        "version: 1\nplugins:\nqueues:\ntables: {t: {key: {a: S}, ttl: }}\n"
        "routes: {r: {queue: q, table: t, when: , item: {a: {from: , meta: queue, default: }}}}\n"
    )

    assert (config.plugins, config.routes["r"].when, config.routes["r"].item, findings) == (
        (),
        None,
        {"a": ATTRIBUTE(meta="queue", default=None)},
        [],
    )


def test_a_key_of_a_table_without_a_name() -> None:
    """DynamoDB has none."""
    _, findings = parse('version: 1\ntables: {t: {key: {"": S}}}\nroutes: {r: {queue: q, table: t}}\n')

    assert findings == ["2:20: error RT105 '' of 'key' of table 't' must be a name that is not empty"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ttl: e", "write_units: null"),
        ("atomic: true", "max_receive_count: null"),
        ("version: 1", "version: 1\nfunction: {memory: null}"),
        ("queue: q", "queue: q\n    merge: {from: a, max: null}"),
    ],
)
def test_a_number_without_a_value_is_not_given(old: str, new: str) -> None:
    """The schema has more than one fault to find with it."""
    text = f"{HEAD}routes:\n  r:\n    queue: q\n    table: t\n"

    config, findings = parse(text.replace(old, new))

    assert (config is not None, findings) == (True, [])


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("queue: q\ntabel: t\n", ["9:5: error RT101 unknown key 'tabel' in route 'r'; did you mean 'table'?"]),
        (
            FLOW + "write: {mod: put, xyz: 1}\n",
            [
                "10:13: error RT101 unknown key 'mod' in 'write' of route 'r'; did you mean 'mode'?",
                (
                    "10:23: error RT101 unknown key 'xyz' in 'write' of route 'r'; "
                    "it takes mode, version, add, append, keep_first, once, once_key"
                ),
            ],
        ),
        (
            "when: a\n",
            [
                "7:3: error RT102 missing key 'queue' in route 'r'; add 'queue: …'",
                "7:3: error RT102 missing key 'table' in route 'r'; add 'table: …'",
            ],
        ),
        (
            "queue: [q]\ntable: 5\nplugins: p\nschema: 5\nwhen: 1.5\noptions: []\n",
            [
                "8:12: error RT103 'queue' of route 'r' must be text, not a list",
                "9:12: error RT103 'table' of route 'r' must be text, not a whole number; put it in quotes",
                "10:14: error RT103 'plugins' of route 'r' must be a list, not text; make it a list: [p]",
                (
                    "11:13: error RT103 'schema' of route 'r' must be text, a map or true or false, not a whole "
                    "number; put it in quotes"
                ),
                "12:11: error RT103 'when' of route 'r' must be text, not a number; put it in quotes",
                "13:14: error RT103 'options' of route 'r' must be a map, not a list",
            ],
        ),
        (
            "queue:\ntable: t\nitem: {b: , c: true}\n",
            [
                (
                    "8:5: error RT103 'queue' of route 'r' must be text, but it has no value; give it one, or remove "
                    "the key"
                ),
                (
                    "10:12: error RT103 attribute 'b' of route 'r' must be text or a map, but it has no value; "
                    "give it one, or remove the key"
                ),
                (
                    "10:20: error RT103 attribute 'c' of route 'r' must be text or a map, not true or false; put it in "
                    "quotes"
                ),
            ],
        ),
        (
            FLOW + "on_invalid: Drop\nwrite: {mode: x}\n",
            [
                (
                    "10:17: error RT104 'on_invalid' of route 'r' must be 'dead_letter', 'drop' or 'retry', not "
                    "'Drop'; did you mean 'drop'?"
                ),
                f"11:19: error RT104 'mode' of 'write' of route 'r' must be {ONE_OF_THE_MODES}, not 'x'",
            ],
        ),
        (
            FLOW + "write: {mode: Upsert, add: [n]}\n",
            [
                (
                    f"10:19: error RT104 'mode' of 'write' of route 'r' must be {ONE_OF_THE_MODES}, not 'Upsert'; "
                    "did you mean 'update'?"
                ),
            ],
        ),
        (
            "queue: ''\ntable: t\nitem: {'': id, b: b}\n",
            [
                "8:12: error RT105 'queue' of route 'r' must not be empty",
                "10:12: error RT105 attribute '' of route 'r' must be a name that is not empty",
            ],
        ),
        (
            "queue: ''\ntable: t\nitem: {}\n",
            [
                "8:12: error RT105 'queue' of route 'r' must not be empty",
                "10:11: error RT105 'item' of route 'r' must not be empty",
            ],
        ),
        (
            FLOW + "item: {b: {ttl: 5}, c: {ttl: 5y}, d: {hash: []}, f: {hash: [x, 5]}}\n",
            [
                (
                    "10:21: error RT103 'ttl' of attribute 'b' of route 'r' must be text or a map, not a whole number; "
                    "put it in quotes"
                ),
                (
                    "10:34: error RT105 'ttl' of attribute 'c' of route 'r' must be a whole number and a unit (s, m, "
                    "h, d or w), as 90d, not '5y'"
                ),
                "10:49: error RT105 'hash' of attribute 'd' of route 'r' must not be empty",
                (
                    "10:68: error RT103 entry 2 of 'hash' of attribute 'f' of route 'r' must be text, not a whole "
                    "number; "
                    "put it in quotes"
                ),
            ],
        ),
        (
            FLOW + "item: {b: {meta: Queues}, c: {meta: attribute.}}\n",
            [
                (
                    "10:22: error RT105 'meta' of attribute 'b' of route 'r' must be one of message_id, sent_at, "
                    "first_received_at, group_id, sequence_number, deduplication_id, sender_id, queue, route or "
                    "attribute.NAME, not 'Queues'; did you mean 'queue'?"
                ),
                (
                    "10:41: error RT105 'meta' of attribute 'c' of route 'r' must be one of message_id, sent_at, "
                    "first_received_at, group_id, sequence_number, deduplication_id, sender_id, queue, route or "
                    "attribute.NAME, not 'attribute.'"
                ),
            ],
        ),
        (
            FLOW
            + "item: {b: {}, c: {type: S}, d: {from: x, value: 1, hash: [y]}, f: {source: x}, g: {form: 1, ttl: 1d}}\n",
            [
                (f"10:12: error RT106 attribute 'b' of route 'r' has no source; give it one of {', '.join(SOURCES)}"),
                (f"10:19: error RT106 attribute 'c' of route 'r' has no source; give it one of {', '.join(SOURCES)}"),
                (
                    "10:46: error RT106 attribute 'd' of route 'r' has two sources, 'from' and 'value'; "
                    "keep one; 'default' is for when there is no value"
                ),
                (
                    "10:56: error RT106 attribute 'd' of route 'r' has two sources, 'from' and 'hash'; "
                    "keep one; 'default' is for when there is no value"
                ),
                (
                    "10:72: error RT101 unknown key 'source' in attribute 'f' of route 'r'; "
                    f"it takes {', '.join(SOURCES)}, transform, type, default, missing, null"
                ),
                "10:88: error RT101 unknown key 'form' in attribute 'g' of route 'r'; did you mean 'from'?",
                (
                    "10:97: error RT106 attribute 'g' of route 'r' has two sources, 'from' and 'ttl'; "
                    "keep one; 'default' is for when there is no value"
                ),
            ],
        ),
    ],
)
def test_every_fault_of_a_route_is_found_at_its_place(text: Any, findings: Any) -> None:
    """All faults are reported at once, each at its key or value."""
    assert route(text)[1] == findings


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (
            "{}",
            [
                "1:1: error RT102 missing key 'version' in the config; add 'version: …'",
                "1:1: error RT102 missing key 'routes' in the config; add 'routes: …'",
            ],
        ),
        ("version: 1\nroutes: []\n", ["2:9: error RT103 'routes' must be a map, not a list"]),
        ("version: 1\nroutes: {}\n", ["2:9: error RT105 'routes' must not be empty"]),
    ],
)
def test_without_routes_there_is_no_config(text: Any, findings: Any) -> None:
    """Without routes there is nothing to compile."""
    assert parse(text) == (None, findings)


def test_data_that_is_no_map_is_no_config() -> None:
    """It is reported as any other value of the wrong type."""
    findings = Findings(lambda path, key: Place("f", 1, 1))

    assert (parse_part(spec.Config, [], findings)[0], [str(finding) for finding in findings]) == (
        None,
        ["f:1:1: error RT103 the config must be a map, not a list"],
    )


def test_faults_outside_of_routes_are_found() -> None:
    """Names, keys of tables, and settings of queues are validated."""
    config, findings = parse(
        "version: '1'\nqueues: {a b: {}, c: {atomic: 'yes', match: [first]}}\n"
        "tables: {t: {key: {}}, u: {key: {a: S, b: S, c: S}}, v: {key: {a: T}}}\n"
        "routes: {r: {queue: x, table: x}}\n"
    )

    assert findings == [
        "1:10: error RT103 'version' must be 1, not text; write it without quotes",
        (
            "2:10: error RT105 queue 'a b' must be a name of letters, digits, '_', '.' and '-' that begins with "
            "a letter or "
            "digit"
        ),
        "2:31: error RT103 'atomic' of queue 'c' must be true or false, not text; write it without quotes",
        "2:45: error RT103 'match' of queue 'c' must be 'all' or 'first', not a list",
        "3:19: error RT105 'key' of table 't' must have 1 or 2 entries",
        "3:33: error RT105 'key' of table 'u' must have 1 or 2 entries",
        "3:67: error RT104 'a' of 'key' of table 'v' must be 'B', 'N' or 'S', not 'T'",
    ]
    assert config == spec.Config(version=1, queues={"c": spec.Queue()}, routes={"r": spec.RouteSettings("x", "x")})


def test_the_probable_key_is_assumed() -> None:
    """Compilation then reports no consequences of a typing error."""
    config, _ = parse("version: 2\nruotes: {r: {queue: q, tabel: t, write: {mode: updat}}}\n")

    assert config == spec.Config(
        version=1, routes={"r": spec.RouteSettings("q", "t", write=spec.WriteSettings(mode="update"))}
    )


def test_an_optional_setting_with_a_fault_has_its_default() -> None:
    """The route is compiled with the default."""
    config, _ = route(FLOW + "when: []\nitem: {a: {from: x, type: 5}}\ntests: [{body: ''}, 5]\n")

    assert config.routes == {
        "r": spec.RouteSettings("q", "t", item={"a": ATTRIBUTE(from_="x")}, tests=(spec.Test(body=""),))
    }


def test_an_attribute_with_a_fault_is_left_out() -> None:
    """The other attributes are compiled."""
    config, _ = route(FLOW + "item: {a: x, b: 5, c: {}, d: {from: 5}}\n")

    assert config.routes == {"r": spec.RouteSettings("q", "t", item={"a": ATTRIBUTE(from_="x")})}


@pytest.mark.parametrize(
    "text",
    [
        FLOW + "item: {a: 5}\n",
        FLOW + "item: {a: x, e: 5}\n",
        FLOW + "item: {a: x, v: 5}\nwrite: {mode: newest, version: v}\n",
        FLOW + "item: {a: x, v: 5}\nwrite: {mode: update, append: [v]}\n",
        "queue: q\ntable: [t]\n",
    ],
)
def test_a_route_that_lacks_what_it_needs_is_left_out(text: Any) -> None:
    """Its table's key or ttl, or its write, names a faulty attribute, or its table is unknown."""
    assert route(text)[0].routes == {}


def test_routes_go_with_their_queue_and_table() -> None:
    """No route is reported to name an unknown table because the table has a fault."""
    config, findings = parse(
        "version: 1\nqueues: {q: {dead_letter: []}}\ntables: {t: {key: []}, u: {key: {a: S}}}\n"
        "routes: {r: {queue: q, table: u}, s: {queue: x, table: t}, u: {queue: x, table: u}}\n"
    )

    assert (config.queues, list(config.tables), list(config.routes), len(findings)) == ({}, ["u"], ["u"], 2)


def test_whole_numbers_have_a_range() -> None:
    """A number out of range is replaced by the default; true is not a number."""
    config, findings = parse(
        "version: 1\ntables: {t: {key: {a: S}}}\nroutes: {r: {queue: q, table: t}}\nqueues:\n"
        "  q: {retry: {factor: 11}}\n  p: {retry: {factor: 0}}\n"
        "  o: {retry: {factor: true}}\n  n: {retry: {factor: 10}}\n"
    )

    assert ([queue.retry.factor for queue in config.queues.values()], findings) == (
        [2, 2, 2, 10],
        [
            "5:23: error RT105 'factor' of 'retry' of queue 'q' must be a whole number from 1 to 10, not 11",
            "6:23: error RT105 'factor' of 'retry' of queue 'p' must be a whole number from 1 to 10, not 0",
            "7:23: error RT103 'factor' of 'retry' of queue 'o' must be a whole number, not true or false",
        ],
    )


@pytest.mark.parametrize(
    ("queue", "finding"),
    [
        ("envelope: [s3_pointer], s3_pointer: {}", "missing key 'buckets' in 's3_pointer' of queue 'q'"),
        ("envelope: s3_pointer, s3_pointer: {buckets: [abc]}", "'envelope' of queue 'q' must be a list, not text"),
        ("s3_pointer: {buckets: []}", "'buckets' of 's3_pointer' of queue 'q' must not be empty"),
        (
            "s3_pointer: {buckets: [A_B]}",
            (
                "entry 1 of 'buckets' of 's3_pointer' of queue 'q' must be a bucket's name: 3 to 63 lower-case "
                "letters, digits, '.' and '-', not 'A_B'"
            ),
        ),
    ],
)
def test_a_queue_whose_pointers_are_not_known_is_left_out(queue: Any, finding: Any) -> None:
    """Its routes are left out too, without findings of their own."""
    config, findings = parse(
        f"version: 1\nqueues: {{q: {{{queue}}}}}\n"
        "tables: {t: {key: {a: S}}}\nroutes: {r: {queue: q, table: t}}\n"
    )

    assert (config.queues, config.routes, [each.split(": ", 1)[1][12:].partition(";")[0] for each in findings]) == (
        {},
        {},
        [finding],
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=10,
)
NAMES = st.sampled_from(
    [
        "version",
        "queues",
        "tables",
        "routes",
        "queue",
        "table",
        "item",
        "key",
        "from",
        "ttl",
        "after",
        "hash",
        "write",
        "mode",
        "tests",
        "message",
        "transform",
        "type",
        "match",
        "schema",
        "a",
        "tabel",
    ]
)
CONFIGS = st.dictionaries(
    NAMES,
    st.recursive(
        JSON | st.sampled_from(["S", "put", "90d", 1]),
        lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=5),
        max_leaves=20,
    ),
)


@settings(deadline=None)
@given(JSON | CONFIGS)
@example({"version": 0.0})
def test_any_data_parses_or_has_findings(data: Any) -> None:
    """No data raises, and data that is not a config has a finding."""
    findings = Findings(lambda path, key: Place("f", 1, 1))

    config, _ = parse_part(spec.Config, data, findings)

    assert config is not None or findings.failed


@pytest.mark.parametrize("key", ["0", "7", "007", "2024"])
def test_keys_that_are_numbers(key: str) -> None:
    """An error below a key that is a number is reported at that key."""
    _, findings = parse(f'version: 1\ntables: {{"{key}": 5}}\nroutes: {{r: {{queue: q, table: "{key}"}}}}\n')

    assert findings == [f"2:{13 + len(key) + 1}: error RT103 table '{key}' must be a map, not a whole number"]


def test_a_fraction_of_zero_is_no_fault() -> None:
    """JSON Schema counts `2.0` as a whole number, and so do editors."""
    config, findings = parse(
        "version: 1.0\ntables: {t: {key: {a: S}}}\nroutes: {r: {queue: q, table: t}}\n"
        "queues: {q: {retry: {factor: 2.0}}}\nworker: {cpu: 512.0}\n"
    )

    assert (config and (config.version, config.queues["q"].retry.factor, config.worker.cpu), findings) == (
        (1, 2, 512),
        [],
    )


@pytest.mark.parametrize("factor", ["2.5", "1e30"])
def test_other_fractions_are_no_whole_numbers(factor: str) -> None:
    """They are not rounded."""
    _, findings = parse(
        "version: 1\ntables: {t: {key: {a: S}}}\nroutes: {r: {queue: q, table: t}}\n"
        f"queues: {{q: {{retry: {{factor: {factor}}}}}}}\n"
    )

    assert findings == ["4:30: error RT103 'factor' of 'retry' of queue 'q' must be a whole number, not a number"]


def test_aliases_are_repaired_one_by_one() -> None:
    """A faulty map that two routes share is repaired in both."""
    config, findings = parse(
        "version: 1\nx-item: &item {a: {form: b}, c: {from: d, meta: }}\ntables: {t: {key: {a: S}}}\n"
        "routes: {r: {queue: q, table: t, item: *item}, s: {queue: q, table: t, item: *item}}\n"
    )

    item = {"a": ATTRIBUTE(from_="b"), "c": ATTRIBUTE(from_="d")}
    assert (config and {name: route.item for name, route in config.routes.items()}, findings) == (
        {"r": item, "s": item},
        [
            "2:20: error RT101 unknown key 'form' in attribute 'a' of route 'r'; did you mean 'from'?",
            "2:20: error RT101 unknown key 'form' in attribute 'a' of route 's'; did you mean 'from'?",
        ],
    )


def test_a_key_without_characters() -> None:
    """It is reported under its own name, and kept where any key is allowed."""
    config, findings = parse(
        'version: 1\n"": 1\ntables: {t: {key: {a: S}}}\n'
        'routes: {r: {queue: q, table: t, item: {"": 5, b: c}, options: {"": {"": 1}}}, "": {queue: q, table: t}}\n'
    )

    keys = "version, include, plugins, queues, tables, routes, function, owners, worker, telemetry, ignore, owner, tags"
    name = "a name of letters, digits, '_', '.' and '-' that begins with a letter or digit"
    assert (config and (list(config.routes), config.routes["r"].options), findings) == (
        (["r"], {"": {"": 1}}),
        [
            f"2:1: error RT101 unknown key '' in the config; it takes {keys}",
            "4:41: error RT105 attribute '' of route 'r' must be a name that is not empty",
            "4:45: error RT103 attribute '' of route 'r' must be text or a map, not a whole number; put it in quotes",
            f"4:80: error RT105 route '' must be {name}",
        ],
    )


def test_empty_keys_are_removed() -> None:
    """References to the environment stay."""
    data = {"version": 1, "plugins": None, "routes": {"r": {"queue": "${Q}", "table": "t", "when": None}}}

    cleaned = without_empty_keys(spec.Config, data)

    assert cleaned == {"version": 1, "routes": {"r": {"queue": "${Q}", "table": "t"}}}
    assert without_empty_keys(spec.Config, cleaned) is cleaned


def test_a_keyword_without_a_text() -> None:
    """A new keyword in the specification raises until it has a text."""
    with pytest.raises(LookupError, match="the keyword 'format' of the config's schema has no text"):
        wrong_form("format", {}, "x", ())


@pytest.mark.parametrize(
    ("queue", "finding"),
    [
        (
            f"{{description: {'a' * 501}}}",
            "4:27: error RT105 'description' of queue 'q' must have at most 500 characters",
        ),
        (
            f"{{tags: {{{', '.join(f'a{number}: b' for number in range(50))}}}}}",
            "4:20: error RT105 'tags' of queue 'q' must have at most 49 entries",
        ),
        (
            f"{{redact: [{', '.join(f'a{number}' for number in range(51))}]}}",
            "4:22: error RT105 'redact' of queue 'q' must have at most 50 entries",
        ),
        (
            f"{{redact: [{'a' * 201}]}}",
            "4:23: error RT105 entry 1 of 'redact' of queue 'q' must have at most 200 characters",
        ),
    ],
)
def test_too_much(queue: str, finding: str) -> None:
    """A text, a list and a map have a largest size."""
    text = "version: 1\ntables: {t: {key: {a: S}}}\nroutes: {r: {queue: q, table: t}}\n"

    assert parse(f"{text}queues: {{q: {queue}}}\n")[1] == [finding]


def test_a_transform_without_a_name() -> None:
    """A transform without a name is a fault."""
    item = "{a: {from: a, transform: [{}]}}"

    assert parse(
        f"version: 1\ntables: {{t: {{key: {{a: S}}}}}}\nroutes: {{r: {{queue: q, table: t, item: {item}}}}}\n"
    )[1] == ["3:66: error RT105 entry 1 of 'transform' of attribute 'a' of route 'r' must not be empty"]


def test_routes_go_with_a_faulty_section() -> None:
    """No table is reported as unknown because the section has a fault."""
    config, found = parse("version: 1\ntables: []\nroutes: {r: {queue: q, table: t}}\n")

    assert (config and config.routes, found) == ({}, ["2:9: error RT103 'tables' must be a map, not a list"])


def test_a_reason_has_words() -> None:
    """An `ignore` requires a reason that is not blank."""
    ignore = "[{code: RT203, reason: ' '}, {code: rt203, reason: x}, {code: RT203}]"
    text = f"version: 1\nroutes: {{r: {{queue: q, table: t}}}}\nignore: {ignore}\n"

    assert parse(text)[1] == [
        "3:32: error RT105 'reason' of entry 1 of 'ignore' must be a reason in words, not ' '",
        "3:45: error RT105 'code' of entry 2 of 'ignore' must be the code of a finding, as RT203, not 'rt203'",
        "3:64: error RT102 missing key 'reason' in entry 3 of 'ignore'; add 'reason: …'",
    ]
