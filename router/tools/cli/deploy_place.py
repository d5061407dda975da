"""What `router deploy` asks before all else: whether the account, the region and the stack are those to deploy to."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.tools.cli.stack_run import ChangeOptions
from router.tools.cli.terminal import confirm, confirm_by_typing
from router.tools.deploy.deployed_places import (
    AccountRegion,
    describe_places,
    moved_from,
    read_places,
    remember_place,
)


class DeployedFolder(Struct, frozen=True):
    """The stacks that were deployed from a folder, and the one that is to be."""

    folder: Path
    options: ChangeOptions
    place: AccountRegion
    log: Callable[[str], None]

    def is_confirmed(self) -> bool:
        """Ask about a stack that was deployed to another place, or is new in this folder; raises UsageError."""
        options = self.options
        place = self.place
        name = options.stack
        places = read_places(self.folder)
        before = moved_from(places, name, place)
        # Sentences come before the questions: there may be nobody to answer.
        if before:
            word = str(place)
            self.log(
                f"From this folder the stack '{name}' was deployed to {before}; this is {word}."
            )
            if options.dry_run or word in options.confirmed:
                return True
            return confirm_by_typing(word, f"Deploy '{name}' there?", f"--yes --confirm {word}")
        if not places or name in places:
            return True
        self.log(
            f"The stack '{name}' was not deployed from this folder before, from which there are "
            f"{describe_places(places)}."
        )
        if options.dry_run or options.yes:
            return True
        return confirm(f"Go on with '{name}' in {place}?")

    def remember(self) -> None:
        """Note where the stack is; a folder that cannot be written to is no reason to fail after a deployment."""
        try:
            remember_place(self.folder, self.options.stack, self.place)
        except UsageError as error:
            self.log(f"where the stack was deployed to is not remembered: {error}")
