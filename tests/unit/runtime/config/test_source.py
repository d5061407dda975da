"""Reading a config file."""

import pathlib
from cProfile import Profile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import ConfigError
from router.model import Place
from router.runtime.config import tree
from router.runtime.config.source import MAX_BYTES, parse_text, read_source


def stopped(text: Any) -> Any:
    """Return the one finding that stops reading."""
    with pytest.raises(ConfigError) as caught:
        parse_text(text)
    (finding,) = caught.value.findings
    return str(finding)


def found(source: Any) -> Any:
    return [str(finding) for finding in source.findings]


LOOK = "look at the indentation, the quotes and the brackets here and on the line before"
NEEDS = "it needs the keys version, tables and routes"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", f"routes.yaml: error RT003 the config is empty; {NEEDS}"),
        ("# nothing\n", f"routes.yaml: error RT003 the config is empty; {NEEDS}"),
        ("- a\n", f"routes.yaml:1:1: error RT003 the config must be a map of keys, not a list; {NEEDS}"),
        ("\n a\n", f"routes.yaml:2:2: error RT003 the config must be a map of keys, not a single value; {NEEDS}"),
        ("!x {a: 1}", f"routes.yaml:1:1: error RT003 the config must be a map of keys, not a map with a tag; {NEEDS}"),
        ("a:\n\tb: 1\n", "routes.yaml:2:1: error RT002 a tab is used as indentation; indent with spaces"),
        ("a:\n  \tb: c: 1\n", "routes.yaml:2:3: error RT002 a tab is used as indentation; indent with spaces"),
        (
            "a: b: c",
            (
                "routes.yaml:1:5: error RT002 this is not YAML: mapping values are not allowed in this context; "
                "put text that has a colon and a space in it in quotes, or mend the indentation"
            ),
        ),
        (
            "a: @x",
            (
                "routes.yaml:1:4: error RT002 this is not YAML: while scanning for the next token begun on line 1, "
                "found character that cannot start any token; put text that begins with this character in quotes"
            ),
        ),
        (
            "a: *x",
            (
                "routes.yaml:1:4: error RT002 this is not YAML: found undefined alias; "
                "put text that begins with * in quotes, or define the anchor above"
            ),
        ),
        (
            "a: {b: 1",
            (
                "routes.yaml:2:1: error RT002 this is not YAML: while parsing a flow mapping begun on line 1, "
                f"did not find expected ',' or '}}'; {LOOK}"
            ),
        ),
        (
            "a: 1\n---\nb: 2\n",
            (
                "routes.yaml:2:1: error RT002 this is not YAML: expected a single document in the stream begun on "
                "line 1, "
                f"but found another document; {LOOK}"
            ),
        ),
        (
            "a: é\nb: \x07",
            (
                "routes.yaml:2:4: error RT002 the character U+0007 is not allowed in YAML; "
                'remove it, or write it as an escape in double quotes: "\\x07"'
            ),
        ),
        (
            "a: \x00",
            (
                "routes.yaml:1:4: error RT002 the character U+0000 is not allowed in YAML; "
                'remove it, or write it as an escape in double quotes: "\\x00"'
            ),
        ),
        ("a: \ud800", "routes.yaml:1:4: error RT002 the character U+D800 is not allowed in YAML; remove it"),
        (
            "[" * 1000,
            "routes.yaml:1:101: error RT006 more than 100 lists and maps inside each other; nest less deeply",
        ),
        (
            "- " * 100_000,
            "routes.yaml:1:201: error RT006 more than 100 lists and maps inside each other; nest less deeply",
        ),
        ("a: &a [*a]", "routes.yaml:1:4: error RT006 an alias is inside its own anchor; write the value out"),
        (
            "a: &a {<<: *a}",
            "routes.yaml:1:4: error RT006 an alias is inside its own anchor; write the value out",
        ),
    ],
)
def test_what_stops_reading(text: Any, finding: Any) -> None:
    """Each fault is one finding at its place, with a suggestion."""
    assert stopped(text) == finding


def test_brackets_that_a_parser_itself_refuses() -> None:
    """Libyaml 0.2.6 does from 1,001 on, and 0.2.5 does not: the place differs, the sentence does not."""
    place, _, sentence = stopped("[" * 100_000).partition(": ")

    assert place in ("routes.yaml:1:1001", "routes.yaml:1:101")
    assert sentence == "error RT006 more than 100 lists and maps inside each other; nest less deeply"


def test_aliases_may_not_blow_up_a_file() -> None:
    """Nested aliases are refused at the list that exceeds the limit."""
    lists = "".join(f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 9))

    assert stopped(f"x0: &x0 [{'1, ' * 10}]\n{lists}") == (
        "routes.yaml:6:5: error RT006 more than 1,000,000 keys and values; use fewer aliases, or split the config"
    )


@pytest.mark.parametrize(("aliases", "is_refused"), [(13, False), (14, True)])
def test_aliases_of_text_count(aliases: int, is_refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader counts the nodes that are no aliases; those of text are counted besides, in lists and maps."""
    monkeypatch.setattr(tree, "MAX_NODES", 40)
    keys = ", ".join(f"k{i}: *a" for i in range(10))
    text = f"a: &a x\nb: {{{keys}}}\nc: [{'*a, ' * aliases}]\n"

    if is_refused:
        assert stopped(text).startswith("routes.yaml:1:1: error RT006 more than 1,000,000 keys and values;")
    else:
        assert parse_text(text).data["c"] == ["x"] * aliases


def test_merges_may_not_blow_up_a_file() -> None:
    """A map that is merged repeatedly counts each time."""
    keys = ", ".join(f"k{i}: 1" for i in range(1000))

    assert stopped(f"a: &a {{{keys}}}\nb: &b [{'*a, ' * 400}]\nc: {{<<: *b}}\nd: {{<<: *b}}\ne: {{<<: *b}}\n") == (
        "routes.yaml:1:4: error RT006 more than 1,000,000 keys and values; use fewer aliases, or split the config"
    )


def test_aliases_may_not_nest_over_the_bound() -> None:
    """Each anchor is shallow, and the last one is deep by its aliases."""
    chain = "".join(f"a{i}: &a{i} {'[' * 60}{f'*a{i - 1}' if i else 1}{']' * 60}\n" for i in range(500))

    assert stopped(chain) == (
        "routes.yaml:2:28: error RT006 more than 100 lists and maps inside each other; nest less deeply"
    )


def test_data_is_plain() -> None:
    """All types of values are read, keys as text, without top-level `x-` keys."""
    source = parse_text("x-a: 1\non: {5: 3.10, no: [~, true, 'a', 1]}\nb: {x-c: ''}\n")

    assert (source.data, found(source)) == (
        {"on": {"5": Decimal("3.10"), "no": [None, True, "a", 1]}, "b": {"x-c": ""}},
        [],
    )


def test_merges_give_way_to_own_keys_and_to_earlier_merges() -> None:
    """`<<` takes a map or a list of maps, which may have merges themselves."""
    source = parse_text(
        "x-a: &a {p: 1, q: 1}\nx-b: &b {<<: *a, q: 2, r: 2}\n"
        "c: {p: 3, <<: [*a, *b], s: 3}\nd: {<<: *b, p: 4}\n'<<': 5\n"
    )

    assert (source.data, found(source)) == (
        {"c": {"p": 3, "q": 1, "r": 2, "s": 3}, "d": {"p": 4, "q": 2, "r": 2}, "<<": 5},
        [],
    )


def test_faults_that_do_not_stop_reading_are_collected() -> None:
    """All faults are reported at once, in the order of the file."""
    source = parse_text(
        "a: 1\nb: .nan\n? [1]\n: 2\na: 2\nc: !x\nd: !y {e: 1}\nf: {<<: 5}\ng: ${NONE}\nh: {i: 1, i: 2}\n",
        env={},
    )

    assert (found(source), source.data) == (
        [
            "routes.yaml:2:4: error RT007 .nan is not a number in JSON; write text in quotes, or a plain number",
            "routes.yaml:3:3: error RT007 a key must be text, not a list or a map; write text before the colon",
            "routes.yaml:5:1: error RT004 duplicate key 'a'; the first is on line 1; keep one of the two",
            "routes.yaml:6:4: error RT007 the tag !x is not supported; write text in quotes, or a plain number",
            "routes.yaml:7:4: error RT007 the tag !y is not supported; remove it",
            "routes.yaml:8:9: error RT007 '<<' takes a map, or a list of maps; name an anchor of a map: <<: *name",
            (
                "routes.yaml:9:4: error RT005 environment variable 'NONE' is not set; set it, or give it a default: "
                "${NONE:-…}"
            ),
            "routes.yaml:10:11: error RT004 duplicate key 'i'; the first is on line 10; keep one of the two",
        ],
        {
            "a": 1,
            "b": ".nan",
            "(key on line 3, column 3)": 2,
            "c": "!x",
            "d": {"e": 1},
            "f": {},
            "g": "unset_NONE",
            "h": {"i": 1},
        },
    )


def test_an_escape_can_be_a_part_of_a_reference() -> None:
    """What is read is the text that YAML makes of it."""
    assert parse_text(r'a: "\x24{B}"', {"B": "c"}).data == {"a": "c"}


def test_references_stay_without_an_environment() -> None:
    """References can be replaced later, at each start."""
    assert parse_text("a: ${B}\n").data == {"a": "${B}"}


LOCATED = """\
x-base: &base
  table: t
routes:
  one: {<<: *base, queue: ü, tests: [a, {b: 1}]}
  two: *base
  three:
    when:
  four: null
"""


@pytest.mark.parametrize(
    ("path", "key", "line", "column"),
    [
        ((), False, 1, 1),
        ((), True, 1, 1),
        (("routes",), True, 3, 1),
        (("routes",), False, 4, 3),
        (("routes", "one", "queue"), True, 4, 20),
        (("routes", "one", "queue"), False, 4, 27),
        (("routes", "one", "tests"), False, 4, 37),
        (("routes", "one", "tests", 1), False, 4, 41),
        (("routes", "one", "tests", 1), True, 4, 41),
        (("routes", "one", "tests", 1, "b"), False, 4, 45),
        (("routes", "one", "tests", 2), False, 4, 37),
        (("routes", "one", "table"), True, 2, 3),
        (("routes", "one", "table"), False, 2, 10),
        (("routes", "two", "table"), False, 2, 10),
        (("routes", "three", "when"), False, 7, 5),
        (("routes", "four"), False, 8, 9),
        (("routes", "one", "gone", "too"), False, 4, 8),
        (("routes", "one", "gone"), True, 4, 3),
        (("routes", "one", "queue", "x"), False, 4, 27),
        (("routes", 5), False, 4, 3),
    ],
)
def test_each_key_and_value_has_its_place(path: Any, key: Any, line: Any, column: Any) -> None:
    """Places are found through merges and aliases; a path that does not exist has its nearest parent's place."""
    assert parse_text(LOCATED).findings.locate(path, key) == Place("routes.yaml", line, column)


def test_a_file_is_read(tmp_path: Path) -> None:
    """A byte order mark, as some editors write it, is allowed."""
    file = tmp_path / "routes.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: ${B}\n")

    source = read_source(file, {"B": "c"})

    assert (source.file, source.folder, source.data, source.findings.locate(("a",), True)) == (
        str(file),
        tmp_path,
        {"a": "c"},
        Place(str(file), 1, 1),
    )


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (None, "{file}: error RT001 cannot read the config: no such file or directory; check the path of the config"),
        (b"a: 1\nb: '\xfc'\n", "{file}:2:5: error RT001 the config is not UTF-8 text from here on; save it as UTF-8"),
        (b"\xff\xfea\x00", "{file}:1:1: error RT001 the config is not UTF-8 text from here on; save it as UTF-8"),
        (
            b" " * (MAX_BYTES + 1),
            "{file}: error RT001 the config is too large; keep it under 16 MiB, with schemas in files of their own",
        ),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: Any, finding: Any) -> None:
    """The place of the finding is the file, or the first byte that is not text."""
    file = tmp_path / "routes.yaml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        read_source(file)

    assert str(caught.value) == finding.format(file=file)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    """The finding has the message of the operating system."""
    with pytest.raises(ConfigError) as caught:
        read_source(tmp_path)

    assert "RT001 cannot read the config: is a directory" in str(caught.value)


def test_routes_are_read_in_linear_time() -> None:
    """Twice as many routes take twice as many calls; 1,000 have 67,000 keys and values."""
    attributes = "".join(f"      a{i}: {{from: a.b, transform: [strip, {{truncate: 80}}]}}\n" for i in range(6))

    def calls(count: int) -> int:
        routes = "".join(f"  r{i}:\n    queue: q\n    table: t\n    item:\n{attributes}" for i in range(count))
        profile = Profile()
        source = profile.runcall(parse_text, f"version: 1\nroutes:\n{routes}")
        assert len(source.data["routes"]) == count
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(1000) <= 2.1 * calls(500)


@settings(deadline=None)
@given(st.text(alphabet="ab:-[]{},&*!<\"'#%@|>?\n\t ~.1\x07"))
def test_any_text_is_read_or_has_findings(text: Any) -> None:
    """Any text is read or raises ConfigError."""
    try:
        data = parse_text(text, {}, "any.yaml", pathlib.Path()).data
    except ConfigError as error:
        data = {"findings": error.findings}

    assert isinstance(data, dict)


def test_a_variable_that_is_not_set_may_be_a_warning() -> None:
    """A reference that is malformed stays an error."""
    source = parse_text("a: ${NONE}\nb: ${\n", env={}, unset="warning")

    assert [(finding.code.id, finding.code.severity) for finding in source.findings] == [
        ("RT005", "warning"),
        ("RT005", "error"),
    ]
