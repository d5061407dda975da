"""Where each stack was deployed to from a folder: a small file beside the config remembers its account and region.

So a deployment with the credentials of another account, or in another region, is noticed before it makes anything.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from router.errors import UsageError, refusing_file
from router.runtime.filesystem import replace_file

FILE_NAME = ".router-deployments.json"


class Place(Struct, frozen=True):
    """An account of AWS, and one of its regions."""

    account: str
    region: str

    def __str__(self) -> str:
        """The word that confirms it: `123456789012/eu-west-1`."""
        return f"{self.account}/{self.region}"


Places = Mapping[str, Place]
"""The place of each stack that was deployed from a folder, the last deployment last."""


def read_places(folder: Path) -> Places:
    """Return where the stacks of a folder were deployed to; raises UsageError for a file of something else."""
    path = folder / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Place])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError):
        raise UsageError(
            f"cannot read {path}, which says where the stacks of this folder were deployed to; if you know where, "
            "delete it: the next deployment writes it again"
        ) from None


def remember_place(folder: Path, stack: str, place: Place) -> None:
    """Note that a stack was deployed to a place; raises UsageError if the file cannot be written."""
    places = dict(read_places(folder))
    before = dict(places)
    places.pop(stack, None)
    places[stack] = place
    if list(before.items()) == list(places.items()):
        return
    path = folder / FILE_NAME
    with refusing_file(f"write {path}"):
        content = msgspec.json.format(msgspec.json.encode(places), indent=2)
        replace_file(path, content + b"\n")


def moved_from(places: Places, stack: str, place: Place) -> Place | None:
    """Return where a stack was deployed to before, if that is another place."""
    before = places.get(stack, place)
    return before if before != place else None


def new_stack_sentence(places: Places, stack: str, place: Place) -> str:
    """Return what is remarkable about a stack that was never deployed from a folder, or ""."""
    if stack in places or not places:
        return ""
    known = ", ".join(f"'{name}' ({each})" for name, each in places.items())
    return f"'{stack}' ({place}) was not deployed from this folder before; it has {known}"
