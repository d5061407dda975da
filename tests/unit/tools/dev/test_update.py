"""`router test --update`: which parts of the file change."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from router.tools.dev.run_tests import Suite
from router.tools.dev.update import update
from router.tools.dev.yaml_edit import YamlFile

Write = Callable[[str], Path]
SCHEMA = "    schema: {type: object, required: [id]}\n"


def updated(file: Path, outcomes: bool = False, **env: str) -> tuple[str, list[str]]:
    """Return the text of the file after an update, and why tests were not changed."""
    suite = Suite(file, env)
    done = update(suite, suite.run(), outcomes)
    return file.read_text(encoding="utf-8"), [each.kept for each in done if each.kept]


BLOCK = """\
    tests:
      # before
      - name: one   # two
        message: {id: "1", n: 1.50, s: 'x', l: [a, b], m: {k: v}}
        item: # the item
          id: "1"     # the id
          n: 2.50 # the number
          gone: 1
          s: 'y'   # the text

          l:
            - a # first
            - c # second
            - d
          m: {k: w, j: x}
        # after
      - name: two
        message: {id: "2"}
"""
BLOCK_AFTER = """\
    tests:
      # before
      - name: one   # two
        message: {id: "1", n: 1.50, s: 'x', l: [a, b], m: {k: v}}
        item: # the item
          id: "1"     # the id
          n: 1.5 # the number
          s: 'x'   # the text

          l:
            - a # first
            - b # second
          m: {k: v}
        # after
      - name: two
        message: {id: "2"}
        item: {id: '2'}
"""


def test_an_item_in_block_style(write: Write) -> None:
    """Comments, order and equal values stay; a test without expectations gets its item."""
    text, kept = updated(write(BLOCK))

    assert (text.partition("things\n")[2], kept) == (BLOCK_AFTER, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{message: {id: a}, item: {id: b}}", "{message: {id: a}, item: {id: a}}"),
        ("{message: {id: a}, item_contains: {id: b, x: 1}}", "{message: {id: a}, item_contains: {id: a}}"),
        ("{message: {id: a}, items: []}", "{message: {id: a}, items: [{id: a}]}"),
        ("{message: {id: a}}", "{message: {id: a}, item: {id: a}}"),
        ("{message: {id: a}, }", "{message: {id: a}, item: {id: a}, }"),
        (
            '{message: {id: "$${X"}, item: {id: b}}',
            '{message: {id: "$${X"}, item: {id: "$${X"}}'.replace('{id: "$${X"}}', "{id: '$${X'}}"),
        ),
        (
            "{message: {id: a, b: true, n: 1e3}, item: {id: a}}",
            "{message: {id: a, b: true, n: 1e3}, item: {id: a, b: true, n: 1000}}",
        ),
        ("{message: {id: a, x: null}, item: {id: a}}", "{message: {id: a, x: null}, item: {id: a, x: null}}"),
        ("{message: {id: 'no'}, item: {id: x}}", "{message: {id: 'no'}, item: {id: no}}"),
        ("{message: {}, outcome: rejected, code: RT801}", "{message: {}, outcome: rejected, code: RT806}"),
        (
            "{message: {}, outcome: rejected, reason: x}",
            """{message: {}, outcome: rejected, reason: "fails 'required' at /required: 'id' is missing"}""",
        ),
        ("{message: {}, outcome: rejected}", "{message: {}, outcome: rejected}"),
        (
            "{message: {id: a}, write: {PutItem: {}}}",
            (
                "{message: {id: a}, write: {BatchWriteItem: "
                "{RequestItems: {things: [{PutRequest: {Item: {id: {S: a}}}}]}}}}"
            ),
        ),
    ],
)
def test_in_flow_style(write: Write, before: str, after: str) -> None:
    """Only values that differ change."""
    text, kept = updated(write(f"{SCHEMA}    tests:\n      - {before}\n"))

    assert (text.partition("tests:\n      - ")[2], kept) == (f"{after}\n", [])


def test_variables_stay(write: Write) -> None:
    """A reference stays where its value is right, with the test's own variables."""
    test = "{message: {id: '${A}', n: 1}, env: {A: x}, item: {id: '${A}', n: 2}}"

    text, _ = updated(write(f"    tests:\n      - {test}\n"), A="y")

    assert text.partition("tests:\n      - ")[2] == test.replace("n: 2", "n: 1") + "\n"


ALIAS = "    tests:\n      - {message: &m {id: a}, item: &i {id: b}}\n      - {message: *m, item: *i}\n"
OUTCOME = "its outcome is 'rejected', not 'written'; --update-outcomes changes that too"


@pytest.mark.parametrize(
    ("tests", "kept"),
    [
        ("    tests:\n      - {message: {}}\n", [OUTCOME]),
        (ALIAS, ["its 'item' is an anchor or alias; change it by hand"] * 2),
        ("    tests:\n      - {file: no.json}\n", ["it could not run"]),
        ("    for_each: l\n    item: {id: element}\n    tests:\n      - {message: {id: a, l: [a, b]}, item: {id: a}}\n",
         ["its route writes 2 items; 'item' is for one: use 'items'"]),
        ("    for_each: l\n    item: {id: element}\n    tests:\n      - {message: {id: a, l: [a, b]}, write: {x: 1}}\n",
         ["its route makes 2 requests; 'write' is for one"]),
    ],
)  # fmt: skip
def test_what_is_kept(write: Write, tests: str, kept: list[str]) -> None:
    """A test that cannot be changed safely is kept, with the reason."""
    file = write(SCHEMA + tests)
    before = file.read_text(encoding="utf-8")

    assert updated(file) == (before, kept)


def test_another_route_wrote_it(write: Write) -> None:
    """A message that its route does not take is kept, with the reason."""
    file = write("    when: no\n    tests:\n      - {message: {id: a}}\n  s: {queue: q, table: things}\n")

    assert updated(file)[1] == [
        "its message is not written by this route; change its message or its expectations by hand"
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{message: {}}", "{message: {}, outcome: rejected, code: RT806}"),
        ("{message: {}, item: {id: a}}", "{message: {}, outcome: rejected, code: RT806}"),
        (
            "{message: {id: a}, outcome: rejected, code: RT801}",
            "{message: {id: a}}",
        ),
        ("name: x\n        message: {id: a}\n        outcome: rejected\n        code: RT801 # c",
         "name: x\n        message: {id: a}"),
        ("message: {}\n        item:\n          id: a\n        name: x",
         "message: {}\n        name: x\n        outcome: rejected\n        code: RT806"),
    ],
)  # fmt: skip
def test_outcomes(write: Write, before: str, after: str) -> None:
    """On request, it changes the outcome too, and removes expectations that contradict it."""
    text, kept = updated(write(f"{SCHEMA}    tests:\n      - {before}\n"), outcomes=True)

    assert (text.partition("tests:\n      - ")[2].replace(" # c", ""), kept) == (f"{after}\n", [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{message: {id: a}}", "{message: {id: a}, items: []}"),
        ("{message: {id: a}, items: []}", "{message: {id: a}, items: []}"),
        ("{message: {id: a}, item: {id: a}}", "{message: {id: a}, items: []}"),
        ("{message: {id: a}, items: [{id: a}]}", "{message: {id: a}, items: []}"),
        ("{message: {id: a}, outcome: rejected, code: RT806}", "{message: {id: a}, items: []}"),
    ],
)
def test_outcomes_of_a_route_that_writes_nothing(write: Write, before: str, after: str) -> None:
    """On request, a test whose message only other routes write expects no items, and passes."""
    file = write(f"    when: no\n    tests:\n      - {before}\n  s: {{queue: q, table: things}}\n")

    text, kept = updated(file, outcomes=True)

    assert (text.partition("tests:\n      - ")[2].partition("\n")[0], kept) == (after, [])
    assert all(verdict.passed for verdict in Suite(file, {}).run())


def test_ends_of_lines_stay(tmp_path: Path, write: Write) -> None:
    """A byte order mark and Windows line endings stay."""
    file = write("    tests:\n      - message: {id: a}\n        item: {id: b}\n      - message: {id: c}\n")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    expected = file.read_bytes().replace(b"id: b", b"id: a") + b"        item: {id: c}\r\n"

    updated(file)

    assert file.read_bytes() == expected


TEXTS = st.sampled_from(["a", "no", "1", "x: y", "it's", "", "#c", "${X}", "é\n"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-9, 9),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inside, max_size=3),
    max_leaves=12,
)
MAPS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@given(old=MAPS, new=MAPS, flow=st.sampled_from([True, False, None]))
def test_each_change_can_be_written(old: dict[str, Any], new: dict[str, Any], flow: bool | None) -> None:
    """A map in any style is changed to any other, and nothing else of the file changes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "file.yaml")
        tests = {"tests": [{"message": 1, **old}, {"message": 2}]}
        path.write_text(yaml.dump(tests, default_flow_style=flow, sort_keys=False), encoding="utf-8")
        file = YamlFile(path)

        file.change(("tests", 0), {"message": 1, **new})

        file.save()
        assert YamlFile(path).data(("tests",)) == [{"message": 1, **new}, {"message": 2}]
