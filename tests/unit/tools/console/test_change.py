"""The comparison of two versions for the page, also of texts that are not saved."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.console import change
from router.tools.console.change import CompareVersions, compare_for_page
from router.tools.console.files import draft_of
from router.tools.console.workspace import ConsoleError, opened
from tests.support.console import Refused, call

CONFIG = """\
version: 1
queues: {q: {dead_letter: d}}
tables: {ttt: {key: {id: S}}}
routes:
  r:
    queue: q
    table: ttt
    schema: schema.json
    item: {id: id}
"""


def schema(*kinds: str) -> str:
    properties = {"id": {"type": "string", "minLength": 1}, "kind": {"enum": list(kinds)}}
    return json.dumps({"type": "object", "required": ["id", "kind"], "properties": properties}, indent=1)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config in a folder, and an older version of it in another one."""
    for name, kinds in (("old", ("a", "b")), ("new", ("a",))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "routes.yaml").write_text(CONFIG)
        (tmp_path / name / "schema.json").write_text(schema(*kinds))
    return tmp_path / "new" / "routes.yaml"


def compare(config: Path, **given: Any) -> dict[str, Any]:
    old = str(config.parents[1] / "old" / "routes.yaml")
    found: dict[str, Any] = compare_for_page(CompareVersions(config=str(config), old=old, **given))
    return found


def test_a_schema_that_takes_less(config: Path) -> None:
    """The message that breaks, and the lines of the schema side by side."""
    found = compare(config)

    ((group,), summary) = (found["groups"], found["summary"])
    (finding,) = group["findings"]
    (hunk,) = finding["hunks"]
    assert (summary, group["route"], group["verdict"]) == (
        "1 breaking; routes: 1 breaking, 0 the same",
        "r",
        "breaking",
    )
    assert (json.loads(finding["example"]["message"])["kind"], finding["example"]["before"]) == ("b", "written")
    assert [text for number, text, differs in hunk["old"] if differs and number] == ['    "a",', '    "b"']
    assert [text for number, text, differs in hunk["new"] if differs and number] == ['    "a"']
    assert len(hunk["old"]) == len(hunk["new"])


def test_texts_that_are_not_saved(config: Path) -> None:
    """They are the new version, and its places are those of the file."""
    unsaved = CONFIG.replace("{id: id}", "{id: id, sort: kind}")

    found = compare(config, unsaved={str(config): unsaved})

    ((group,), root) = (found["groups"], config.parent)
    assert found["new"] == "edited, not saved"
    hunks = [hunk for finding in group["findings"] for hunk in finding["hunks"]]
    assert [hunk["places"][1] for hunk in hunks if "sort" in str(hunk)] == [f"{root}/routes.yaml:9:26"]
    assert config.read_text() == CONFIG


def marked(found: dict[str, Any], side: str) -> list[tuple[int, str]]:
    """The lines of a column that are marked, with their numbers."""
    hunks = [hunk for group in found["groups"] for finding in group["findings"] for hunk in finding["hunks"]]
    return sorted({(number, text) for hunk in hunks for number, text, differs in hunk[side] if differs and number})


def test_lines_that_moved(config: Path) -> None:
    """Lines beside a change that have another number only are not marked."""
    (config.parents[1] / "old" / "schema.json").write_text(schema("a"))
    edited = CONFIG.replace("q\n    table", "q\n    # one\n    # two\n    table").replace(
        "{id: id}", "{id: id, sort: kind}"
    )

    found = compare(config, unsaved={str(config): edited})

    assert (marked(found, "old"), marked(found, "new")) == (
        [(9, "    item: {id: id}")],
        [(7, "    # one"), (8, "    # two"), (11, "    item: {id: id, sort: kind}")],
    )


def test_a_schema_in_one_line(config: Path) -> None:
    """It is shown formatted, as the other version is, so that what differs is a line."""
    for folder, kinds in (("old", ("a", "b")), ("new", ("a",))):
        described = {**json.loads(schema(*kinds)), "description": "d" * 80}
        text = json.dumps(described, separators=(",", ":"), indent=1 if folder == "old" else None)
        (config.parents[1] / folder / "schema.json").write_text(text)

    found = compare(config)

    (hunk,) = found["groups"][0]["findings"][0]["hunks"]
    assert (hunk["places"], marked(found, "old"), marked(found, "new")) == (
        ["schema.json, formatted", "schema.json, formatted"],
        [(14, '        "a",'), (15, '        "b"')],
        [(14, '        "a"')],
    )


def test_a_draft_is_refused_as_the_file_that_it_is_of(config: Path) -> None:
    """An error of a draft has no name of a temporary file."""
    with pytest.raises(ConsoleError) as error:
        compare(config, unsaved={str(config): CONFIG.replace("version: 1", "version: 2")})

    assert (error.value.code, error.value.status) == ("RT104", 422)
    assert f" {config}:1:10: error RT104" in str(error.value)


def test_a_draft_outside_of_the_folder(config: Path) -> None:
    """Nothing is written outside of the copy."""
    with pytest.raises(ConsoleError, match="is not in the folder of the config: save it first"):
        compare(config, unsaved={str(config.parents[1] / "old" / "routes.yaml"): ""})


@pytest.mark.parametrize("name", ["plugins/p.py", "a\0b.yaml", "schemas", ".", "x" * 5_000, "../old/routes.yaml"])
def test_texts_of_other_files(config: Path, name: str) -> None:
    """Only files that the page may edit have texts that are not saved: a plugin would run without being saved."""
    with opened(config, os.environ, "local") as workspace:
        workspace.files.add(str(config))
        refused = []
        for call_name in ("change/compare", "letters/rehearse"):
            with pytest.raises(Refused) as caught:
                call(workspace, call_name, unsaved={str(config): CONFIG, name: "import os"})
            refused.append(caught.value.args)

    assert refused == [("not_a_file", f"'{name[:200]}' is not a file of the config", 403)] * 2


@pytest.mark.parametrize("given", [{"old": "git:a\0b"}, {"new": "a\0b"}])
def test_a_version_that_has_no_name(config: Path, given: dict[str, str]) -> None:
    """It is an error of the user."""
    with opened(config, os.environ) as workspace, pytest.raises(Refused) as caught:
        call(workspace, "change/compare", **given)

    assert caught.value.args == ("usage", "the name of a version has no null character", 400)


def test_a_draft_of_a_folder_with_what_cannot_be_read(config: Path) -> None:
    """The copy has regular files of the folder: a FIFO is not waited for, a link out of the folder not followed."""
    os.mkfifo(config.with_name("pipe.json"))
    config.with_name("link.json").symlink_to(config.parents[1] / "old" / "schema.json")

    with draft_of(config, {str(config): "edited"}) as draft:
        names = sorted(file.name for file in draft.parent.iterdir())

    assert names == ["routes.yaml", "schema.json"]


def test_a_draft_is_a_copy(config: Path) -> None:
    """It has the other files of the config, and ends with its block."""
    with draft_of(config, {str(config): "edited"}) as draft:
        names = sorted(file.name for file in draft.parent.iterdir())
        texts = draft.read_text(), config.read_text()

    assert (names, texts, draft.exists()) == (["routes.yaml", "schema.json"], ("edited", CONFIG), False)


def test_a_version_that_is_not_there(config: Path) -> None:
    """It is an error of the user."""
    with pytest.raises(UsageError, match=r"there is no file none\.yaml"):
        compare(config, new="none.yaml")


@pytest.mark.parametrize("given", [CompareVersions("stack:flows"), CompareVersions("git:HEAD", "stack:flows")])
def test_a_stack_without_aws(config: Path, given: CompareVersions) -> None:
    """A console that shows files only asks no AWS."""
    with opened(config, os.environ) as workspace, pytest.raises(ConsoleError, match="this needs AWS"):
        change.compare(workspace, given)
