"""The probe of a change of a stack: when it is made, and what is said if its result cannot be signalled."""

from datetime import UTC, datetime
from typing import Any

import pytest

from router.tools.cli import version_probe
from router.tools.cli.version_probe import VersionProbe
from tests.support.aws import AwsCallError, StackEvent, StackResource
from tests.support.ops import probe

FUNCTION = {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 3}}


def template(digest: str) -> dict[str, Any]:
    """A template whose stack waits for a version."""
    return {"Resources": {"Function": FUNCTION, f"FunctionVersion{digest}": {}, f"FunctionProbe{digest}": {}}}


def event(logical_id: str, status: str = "CREATE_IN_PROGRESS") -> StackEvent:
    """An event of a stack."""
    return StackEvent("e", datetime.now(UTC), logical_id, "", "AWS::CloudFormation::WaitCondition", status)


class FakeStacks:
    """One stack, which refuses a number of signals."""

    def __init__(self, refused: int, code: str) -> None:
        self.signals: list[tuple[str, bool]] = []
        self._refused, self._code = refused, code

    def resources(self, stack_id: str) -> tuple[StackResource, ...]:
        """What the stack has."""
        version = {"logical_id": "FunctionVersionb", "physical_id": "arn:v", "type": "AWS::Lambda::Version"}
        return (StackResource(**version, status="CREATE_COMPLETE"),)

    def signal(self, stack_id: str, logical_id: str, *, succeeded: bool) -> None:
        """Take a signal, or refuse it."""
        if self._refused:
            self._refused -= 1
            raise AwsCallError("refused", self._code)
        self.signals.append((logical_id, succeeded))


class FakeFunction:
    """A function that starts."""

    def __init__(self) -> None:
        self.invoked: list[str] = []

    def invoke(self, function: str, payload: bytes) -> tuple[bool, bytes]:
        """Answer an invocation without records."""
        self.invoked.append(function)
        return False, b'{"batchItemFailures":[]}'


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> FakeFunction:
    """A function that starts; nothing waits between two tries."""
    made = FakeFunction()
    monkeypatch.setattr(version_probe, "connect_invoker", lambda seconds: made)
    monkeypatch.setattr(probe, "PAUSE", 0)
    return made


def run(stacks: FakeStacks, old: str, *events: StackEvent) -> tuple[VersionProbe, list[str]]:
    """Follow events of a change to the version b; the probe, and what was logged."""
    logged: list[str] = []
    made = VersionProbe(stacks, template(old), template("b"))  # type: ignore[arg-type]
    assert list(made.follow(iter(events), "stack", logged.append)) == list(events)
    return made, logged


def test_once(function: FakeFunction) -> None:
    """When the stack begins to wait, and not again."""
    stacks = FakeStacks(0, "")
    events = [
        event("Function"),
        event("FunctionProbeb"),
        event("FunctionProbeb"),
        event("FunctionProbeb", "X_COMPLETE"),
    ]

    made, logged = run(stacks, "a", *events)

    assert (function.invoked, stacks.signals, made.is_due) == (["arn:v"], [("FunctionProbeb", True)], False)
    assert logged == ["the new version of the function starts: it answered an invocation without records"]


def test_a_version_that_stays(function: FakeFunction) -> None:
    """It was tried when it came."""
    made, logged = run(FakeStacks(0, ""), "b", event("FunctionProbeb"))

    assert (function.invoked, logged, made.is_due, made.result) == ([], [], False, None)


def test_a_signal_that_comes_too_early(function: FakeFunction) -> None:
    """It is sent again; the function is invoked once."""
    stacks = FakeStacks(2, "ValidationError")

    run(stacks, "a", event("FunctionProbeb"))

    assert (function.invoked, stacks.signals) == (["arn:v"], [("FunctionProbeb", True)])


def test_who_may_not_signal(function: FakeFunction) -> None:
    """The stack returns to what it was, since it gets no signal: that is said at once."""
    made, logged = run(FakeStacks(1, "AccessDenied"), "a", event("FunctionProbeb"))

    assert logged == ["the stack waits in vain for the result of its new version, and is rolled back then: refused"]
    assert made.result
    assert made.result.failure == "RT795 the result could not be signalled to the stack: refused"
