"""What `router deploy` says on ministack of the step from the routes that run to those that are to run."""

import json
from pathlib import Path

import pytest

from tests.aws.projects import CONFIG, SCHEMA, Inside, StackProject
from tests.support.dev import LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")
STRICTER = {**SCHEMA, "required": ["id", "total"]}
LOOSER = {"type": "object", "properties": SCHEMA["properties"], "required": ["id"], "minProperties": 1}
REFUSES = "RT901 it no longer takes some messages: fails 'required' at /required: 'total' is missing"


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is deployed."""
    made = StackProject(tmp_path, inside, guarded)
    made.deploy()
    return made


def test_verdicts_are_shown(project: StackProject) -> None:
    """A verdict for each route that changes, what breaks, and how to see all."""
    project.write(schema=STRICTER)

    done = project.try_to_deploy("--dry-run")

    assert (done.exit_code, done.stdout.splitlines()[-3:]) == (
        0,
        [
            "breaking  orders",
            f"  breaking {REFUSES}",
            f"1 breaking; routes: 1 breaking, 0 the same; 'router diff stack:{project.stack}' shows all",
        ],
    )


def test_json(project: StackProject) -> None:
    """The JSON has the whole comparison."""
    project.write(schema=STRICTER)

    done = project.try_to_deploy("--dry-run", "--json")

    shown = json.loads(done.stdout)
    (route,) = shown["diff"]["routes"]
    assert (shown["not_compared"], shown["diff"]["breaks"], route["route"], route["verdict"]) == (
        "",
        True,
        "orders",
        "breaking",
    )


def test_breaking_change(project: StackProject) -> None:
    """Where nobody is asked, a change that breaks something has to be allowed."""
    project.write(schema=STRICTER)

    refused = project.try_to_deploy("--yes")
    done = project.try_to_deploy("--yes", "--allow-breaking")

    sentence = f"refused with --yes and without --allow-breaking: route 'orders': {REFUSES}"
    assert (refused.exit_code, refused.stderr.splitlines()[-1], done.exit_code) == (1, sentence, 0), done.output


def test_ignored_change(project: StackProject) -> None:
    """A change that the configuration ignores, with a reason, was agreed on."""
    reason = 'ignore: [{code: RT901, at: routes.orders, reason: "all senders have it"}]\n'
    project.write(CONFIG + reason, schema=STRICTER)

    done = project.try_to_deploy("--yes")

    assert done.exit_code == 0, done.output


def test_compatible_change(project: StackProject) -> None:
    """Nothing needs to be allowed for it."""
    project.write(schema=LOOSER)

    done = project.try_to_deploy("--yes")

    assert (done.exit_code, "compatible  orders" in done.stdout.splitlines()) == (0, True), done.output


def test_nobody_to_ask(project: StackProject) -> None:
    """Without --yes, and without a terminal, nothing is changed."""
    project.write(schema=STRICTER)

    done = project.try_to_deploy("--allow-breaking")

    asks = "cannot ask for confirmation: standard input is not a terminal; --yes --allow-breaking continues"
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, f"router: {asks} without asking")
