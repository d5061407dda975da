"""Probes the new version of a function at the moment at which its stack waits for that."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from router.codes import NOT_PROBED
from router.tools.control_plane.clients import AwsCallError, connect_invoker
from router.tools.control_plane.stacks import StackEvent, Stacks
from router.tools.deploy.probe import ANSWER_SECONDS, ProbeResult, probe_new_version
from router.tools.deploy.template.alias import probe_id
from router.tools.deploy.template.resources import FUNCTION

_WAITS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
"""The statuses of a resource that is new, in a new stack and in one that is updated; AWS has the first for both."""


class VersionProbe:
    """The probe of one change of a stack; `result` is None if the stack did not wait for one (yet)."""

    def __init__(self, stacks: Stacks, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._stacks = stacks
        self._template = new
        # A version that stays was tried.
        self._id = probe_id(new) if probe_id(new) != probe_id(old) else ""
        self.result: ProbeResult | None = None

    @property
    def is_due(self) -> bool:
        """Whether the stack may still have to wait for a signal."""
        return bool(self._id) and self.result is None

    def follow(
        self, events: Iterator[StackEvent], stack_id: str, log: Callable[[str], None]
    ) -> Iterator[StackEvent]:
        """Yield the events of a stack; when it waits for the new version, invoke that and signal the result."""
        for event in events:
            yield event
            if self.is_due and event.logical_id == self._id and event.status in _WAITS:
                self.result = self._probe(stack_id, log)

    def _probe(self, stack_id: str, log: Callable[[str], None]) -> ProbeResult:
        seconds = (
            int(self._template["Resources"][FUNCTION]["Properties"]["Timeout"]) + ANSWER_SECONDS
        )
        try:
            result = probe_new_version(
                self._stacks, connect_invoker(seconds), stack_id, self._template
            )
        except AwsCallError as error:
            log(
                f"the stack waits in vain for the result of its new version, and is rolled back then: {error}"
            )
            return ProbeResult(
                f"{NOT_PROBED.id} the result could not be signalled to the stack: {error}"
            )
        if result.paused:
            log(
                "the reserved concurrency of the function is 0: it is not known whether the new version starts"
            )
        elif not result.failure:
            log("the new version of the function starts: it answered an invocation without records")
        return result
