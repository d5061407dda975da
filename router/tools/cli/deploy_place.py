"""What `router deploy` asks before all else: whether the account, the region and the stack are those to deploy to."""

from collections.abc import Callable
from pathlib import Path

from router.errors import UsageError
from router.tools.cli.stack_run import ChangeOptions
from router.tools.cli.terminal import confirm, confirm_by_typing
from router.tools.deploy.deployed_places import (
    AccountRegion,
    StackPlaces,
    describe_places,
    moved_from,
    read_places,
    remember_place,
)


class DeployedFolder:
    """The stacks that were deployed from a folder, and the one that is to be."""

    def __init__(
        self, folder: Path, options: ChangeOptions, place: AccountRegion, log: Callable[[str], None]
    ) -> None:
        self._folder, self._options, self._place, self._log = folder, options, place, log

    def is_confirmed(self) -> bool:
        """Ask about a stack that was deployed to another place, or is new in this folder; raises UsageError."""
        places = read_places(self._folder)
        before = moved_from(places, self._options.stack, self._place)
        if before:
            return self._is_move_confirmed(before)
        if places and self._options.stack not in places:
            return self._is_stack_confirmed(places)
        return True

    def remember(self) -> None:
        """Note where the stack is; a folder that cannot be written to is no reason to fail after a deployment."""
        try:
            remember_place(self._folder, self._options.stack, self._place)
        except UsageError as error:
            self._log(f"where the stack was deployed to is not remembered: {error}")

    def _is_move_confirmed(self, before: AccountRegion) -> bool:
        name, word = self._options.stack, str(self._place)
        sentence = f"From this folder the stack '{name}' was deployed to {before}; this is {word}."
        # Before the question, which may have nobody to answer it.
        self._log(sentence)
        if self._options.dry_run or word in self._options.confirmed:
            return True
        return confirm_by_typing(word, f"Deploy '{name}' there?", f"--yes --confirm {word}")

    def _is_stack_confirmed(self, places: StackPlaces) -> bool:
        name = self._options.stack
        sentence = (
            f"The stack '{name}' was not deployed from this folder before, "
            f"from which there are {describe_places(places)}."
        )
        self._log(sentence)
        if self._options.dry_run or self._options.yes:
            return True
        return confirm(f"Go on with '{name}' in {self._place}?")
