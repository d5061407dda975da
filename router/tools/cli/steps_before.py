"""The changes of a stack that have to be done before the one that was shown."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from router.errors import UsageError
from router.tools.control_plane.artifacts import Artifacts
from router.tools.control_plane.clients import ServiceClient
from router.tools.control_plane.stacks import Stack, Stacks
from router.tools.deploy.changes import TemplateVersion
from router.tools.deploy.deployment import Deployment
from router.tools.deploy.index_updates import IndexUpdate, wait_until_active
from router.tools.deploy.stack import PreparedChange, create_change_set, discard
from router.tools.deploy.stack_versions import aliased


class StepsBefore:
    """Makes the changes before the last one: of indexes, and of what the event source mappings call.

    `before` is the template that the last change finds; None if there is nothing to do before it.
    """

    def __init__(
        self,
        stacks: Stacks,
        artifacts: Artifacts,
        dynamodb: ServiceClient,
        console: Console,
        log: Callable[[str], None],
    ) -> None:
        self.before: Mapping[str, Any] | None = None
        self._stacks = stacks
        self._artifacts = artifacts
        self._dynamodb = dynamodb
        self._console = console
        self._log = log
        self._done = "nothing was changed"

    def make(
        self,
        stack: Stack | None,
        old: TemplateVersion,
        updates: Sequence[IndexUpdate],
        aliases: Sequence[PreparedChange],
    ) -> Iterator[PreparedChange]:
        """Yield the changes, each when the one before it is done; `aliases` is the one for an alias, if there is one.

        A deployment that is interrupted between two of them goes on where it was, as the template of the stack tells.
        """
        if not stack or not updates:
            yield from aliases
            return
        self.before = old.body
        for update in updates[:-1]:
            self._wait_for_indexes(updates)
            self._log(f"a step before the change: {update.in_words}")
            yield self._propose(stack, update.body, "only steps before the change were made")
        self._wait_for_indexes(updates)
        if aliases:
            yield self.propose_alias(stack, TemplateVersion(self.before, old.values))

    def _wait_for_indexes(self, updates: Sequence[IndexUpdate]) -> None:
        """Wait until DynamoDB has done what was begun with the indexes of the tables."""
        actions = [action for update in updates for action in update.actions]
        with self._console.status("waiting for the indexes") as status:
            try:
                wait_until_active(self._dynamodb, actions, status.update)
            except KeyboardInterrupt:
                self._log(
                    "DynamoDB goes on with its indexes; deploy again to make the other changes"
                )
                raise

    def propose_alias(self, stack: Stack, old: TemplateVersion) -> PreparedChange:
        """Return the change that lets the mappings of a stack call an alias of what runs.

        In one step, the function would have its new code while its mappings still call the newest code.
        """
        done = "its mappings call an alias now, and nothing else was changed"
        return self._propose(stack, aliased(old.body, stack.parameters), done)

    def _propose(self, stack: Stack, template: Mapping[str, Any], done: str) -> PreparedChange:
        """Return a change of the template only; `done` is what is done then."""
        body = json.dumps(template, separators=(",", ":"))
        kept = dict.fromkeys(stack.parameters)
        step = Deployment(stack.name, body, kept, {}, {}, None).upload_template(self._artifacts)
        prepared = create_change_set(self._stacks, stack.name, step, kept)
        if self.before is not None:
            self.check(prepared)
        self.before = json.loads(body)
        self._done = done
        return prepared

    def check(self, prepared: PreparedChange) -> PreparedChange:
        """Return a change after those before it; raises UsageError if somebody else changed the stack."""
        # A later change makes this change set obsolete.
        if self._stacks.template(prepared.stack_id) != self.before:
            discard(self._stacks, prepared)
            raise UsageError(
                f"another deployment has changed the stack '{prepared.stack}' meanwhile; {self._done}: deploy again"
            )
        return prepared
