"""Where each stack was deployed to from a folder: a small file beside the config remembers its account and region.

So a deployment with the credentials of another account, or in another region, is noticed before it makes anything.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from router.errors import UsageError, refusing_file
from router.tools.deploy.file_writing import replace_file

FILE_NAME = ".router-deployments.json"


class AccountRegion(Struct, frozen=True):
    """An account of AWS, and one of its regions."""

    account: str
    region: str

    def __str__(self) -> str:
        """The word that confirms it: `123456789012/eu-west-1`."""
        return f"{self.account}/{self.region}"


StackPlaces = Mapping[str, AccountRegion]
"""The place of the last deployment of each stack that was deployed from a folder."""


def read_places(folder: Path) -> StackPlaces:
    """Return where the stacks of a folder were deployed to; raises UsageError for a file of something else."""
    path = folder / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, AccountRegion])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError):
        raise UsageError(
            f"cannot read {path}, which says where the stacks of this folder were deployed to; if you know where, "
            "delete it: the next deployment writes it again"
        ) from None


def remember_place(folder: Path, stack: str, place: AccountRegion) -> None:
    """Note that a stack was deployed to a place; raises UsageError if the file cannot be written."""
    before = read_places(folder)
    if before.get(stack) == place:
        return
    path = folder / FILE_NAME
    content = msgspec.json.format(msgspec.json.encode({**before, stack: place}), indent=2)
    with refusing_file(f"write {path}"):
        replace_file(path, content + b"\n")


def moved_from(places: StackPlaces, stack: str, place: AccountRegion) -> AccountRegion | None:
    """Return where a stack was deployed to before, if that is another place."""
    before = places.get(stack, place)
    return before if before != place else None


def describe_places(places: StackPlaces) -> str:
    """Return the stacks of a folder in words, each with its place."""
    return ", ".join(f"'{name}' in {place}" for name, place in places.items())
