"""Recorded messages decide where nothing is proved, and they are not shown unless that is requested."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from router.tools.change.compare import compare_versions
from router.tools.change.recording import RecordedMessage, Recording, RecordingHead, Recordings
from router.tools.change.report import DiffReport
from tests.unit.tools.change.conftest import Open, config_of

SECRET = "4111-jane@example.com"
MESSAGE = {"id": SECRET, "mail": SECRET}
HINT = "a recorded message shows it: --values prints that"
PLUGIN = """
from router import Reject, hookimpl

@hookimpl
def router_transform_item(item):
    EDIT
    return item
"""
REJECTS = f"if item['id'] == '{SECRET}': raise ValueError('no')"
Run = Callable[..., DiffReport]


def recorded(*messages: Any, queue: str = "things", values: bool = False) -> Recordings:
    head = RecordingHead(queue=queue, config="")
    return Recordings((Recording(head, tuple(RecordedMessage(each, "written") for each in messages)),), values)


@pytest.fixture
def run(open_config: Open, tmp_path: Path) -> Run:
    """Return a function that compares two versions with a plugin, whose code is given for each."""

    def compare(old: str, new: str, recordings: Recordings, routes: tuple[Any, Any] = ({}, {})) -> DiffReport:
        versions = []
        for folder, edit, route in zip(("old", "new"), (old, new), routes, strict=True):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "own.py").write_text(PLUGIN.replace("EDIT", edit))
            item = {"id": "id", "mail": "mail"}
            config = config_of({"main": {"item": item, "schema": True, **route}}, plugins=["./own.py"])
            versions.append(open_config(config, folder))
        before, after = versions
        return compare_versions(before, after, recordings=recordings)

    return compare


def codes(report: DiffReport) -> set[str]:
    return {each.change.code.id for each in report.findings if each.change.code.id < "RT930"}


def finding(report: DiffReport, code: str) -> Any:
    (found,) = (each.change for each in report.findings if each.change.code.id == code)
    return found


@pytest.mark.parametrize("values", [False, True])
def test_a_recorded_message_that_is_refused(run: Run, values: bool) -> None:
    """It breaks the route, which no made message does; what it is, is shown with `values` only."""
    report = run("pass", REJECTS, recorded({"id": "other"}, MESSAGE, values=values))

    (route,) = report.routes
    lost = finding(report, "RT901")
    assert lost.sentence.startswith("it no longer takes some messages: ")
    assert (route.verdict, lost.before, lost.after.partition(" ")[0]) == ("breaking", "written", "retry")
    assert lost.suggestion == ("" if values else HINT)
    assert (lost.path, lost.old_path) == (("routes", "main", "plugins"),) * 2
    shown = {"id": SECRET} if values else UNSET
    # What the refusal does not need is left out.
    assert (route.counterexample, lost.example) == (shown, shown)
    assert values or SECRET not in repr((route, [each for each in report.findings if each.change is lost]))


def test_a_recorded_message_that_is_newly_taken(run: Run) -> None:
    """It is a risk."""
    report = run(REJECTS, "pass", recorded(MESSAGE))

    gained = finding(report, "RT903")
    assert gained.sentence.startswith(
        "it takes messages that it did not take: the old config ended such a message with: "
    )
    assert (gained.example, gained.suggestion, gained.before.partition(" ")[0], gained.after) == (
        UNSET,
        HINT,
        "retry",
        "written",
    )


def test_messages_of_another_queue(run: Run) -> None:
    """They are none of the route."""
    report = run("pass", REJECTS, recorded(MESSAGE, queue="others"))

    assert (report.routes[0].verdict, codes(report)) == ("unknown", {"RT902", "RT910"})
    undecided = finding(report, "RT902")
    assert (undecided.path, undecided.old_path) == (("routes", "main", "plugins"),) * 2


def test_a_recorded_message_with_a_difference_that_made_ones_have(run: Run) -> None:
    """What else differs is found, too."""
    edit = f"item['x'] = 1; item.update({{'y': 2}} if item['id'] == '{SECRET}' else {{}})"

    report = run("pass", edit, recorded(MESSAGE), ({"tests": [{"message": {"id": "t", "mail": "m"}}]},) * 2)

    found = [each.change for each in report.findings if each.change.code.id == "RT920"]
    assert [each.sentence for each in found] == [
        f"a message has another result: attribute '{name}': added" for name in "xy"
    ]
    assert [(each.path, each.old_path) for each in found] == [(("routes", "main", "item", name),) * 2 for name in "xy"]


def test_a_recorded_message_with_another_outcome(run: Run) -> None:
    """It is of no attribute."""
    report = run(REJECTS.replace("ValueError", "Reject"), REJECTS, recorded(MESSAGE))

    found = finding(report, "RT920")
    assert found.sentence == "a message has another result: rejected → retry"
    assert (found.path, found.old_path) == (("routes", "main", "item"),) * 2


def test_messages_of_a_queue_with_a_new_name(open_config: Open) -> None:
    """Recorded with the name of before, or of now."""
    route = {"item": {"id": "id", "n": "n"}}
    old = open_config(config_of({"main": {**route, "queue": "before"}}), "old")
    new = open_config(config_of({"main": {"item": {"id": "id", "n": {"value": 1}}, "queue": "after"}}), "new")

    for queue in ("before", "after"):
        report = compare_versions(old, new, recordings=recorded({"id": "i", "n": SECRET}, queue=queue, values=True))
        found = finding(report, "RT914")
        assert (found.example, found.before, found.after) == ({"id": "i", "n": SECRET}, f'"{SECRET}"', "1")


@pytest.mark.parametrize("values", [False, True])
def test_a_recorded_message_with_another_item(run: Run, values: bool) -> None:
    """Nothing of it is shown without `values`: neither the message nor the values of its items."""
    edit = f"item.update({{'mail': 'x'}} if item['id'] == '{SECRET}' else {{}})"

    report = run("pass", edit, recorded(MESSAGE, values=values))

    found = finding(report, "RT920")
    assert found.sentence == "a message has another result: attribute 'mail': value"
    if values:
        assert (found.example, found.before, found.after) == (MESSAGE, f'"{SECRET}"', '"x"')
    else:
        assert (found.example, found.before, found.after) == (UNSET, "", "")
        assert SECRET not in repr(report.findings)


def test_a_made_message_is_shown_first(run: Run) -> None:
    """A difference that a made message has is not reported once more for a recorded one."""
    edit = "item.update(mail='x')"

    report = run("pass", edit, recorded(MESSAGE), ({"tests": [{"message": {"id": "t", "mail": "m"}}]},) * 2)

    found = finding(report, "RT920")
    assert (found.example, found.before, found.after) == ({"id": "t", "mail": "m"}, '"m"', '"x"')


def test_what_is_decided_without_them(open_config: Open) -> None:
    """A verdict with a made message, or a proof, stays; the made message is shown."""
    schemas: Mapping[str, Any] = {
        name: {"type": "object", "properties": {"id": {"type": "string", "minLength": 1, "maxLength": most}},
               "required": ["id"]}
        for name, most in (("narrow", 30), ("wide", 40))
    }  # fmt: skip
    narrow, wide = (open_config(config_of({"main": {"schema": schemas[name]}}), name) for name in schemas)
    messages = recorded({"id": "r" * 35})

    breaking, compatible = (
        compare_versions(before, after, recordings=messages) for before, after in ((wide, narrow), (narrow, wide))
    )

    assert (breaking.routes[0].verdict, compatible.routes[0].verdict) == ("breaking", "compatible")
    shown = finding(breaking, "RT901")
    assert (len(shown.example["id"]) > 30, "r" in shown.example["id"], shown.suggestion) == (True, False, "")
