"""Which packages a target needs: pip decides markers by the machine that it runs on, so what it got is looked over."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from router.errors import UsageError
from router.ops.requirements import DISTRIBUTION, PROVIDED, Asked, applies
from router.ops.targets import Target
from router.ops.wheels import Wheel, download, requires


class Closure(Struct, frozen=True):
    """The wheels that a target needs, and the names of what is asked for that Lambda has.

    `floating` are those wheels whose version nothing fixes: another day may bring another one.
    """

    wheels: tuple[Wheel, ...]
    provided: tuple[str, ...]
    floating: tuple[Wheel, ...] = ()


class Reached(Struct, frozen=True):
    """What is reached from requirements: names of packages, what is missing of them, what Lambda has."""

    names: frozenset[NormalizedName]
    missing: tuple[Requirement, ...]
    provided: tuple[str, ...]


def resolve(asked: Asked, pins: Sequence[Wheel], target: Target, folder: Path) -> Closure:
    """Download what plugins ask for with all that it requires on the target, beside the router's own wheels.

    Raises UsageError where something is asked for in another version than the router's.
    """
    more: list[str] = []
    limits = _constraints(asked, pins, folder)
    while True:
        wheels = download([*asked.lines, *more, *limits], target, folder / f"plugins-{len(more)}", dependencies=True)
        reached = reach(asked.roots, {wheel.name: wheel for wheel in (*wheels, *pins)}, target)
        missing = [str(requirement) for requirement in reached.missing]
        if not missing:
            break
        more += missing
    own = {wheel.name: wheel for wheel in pins}
    for wheel in wheels:
        if wheel.name in own and wheel.name in reached.names:
            _compare(own[wheel.name], wheel)
    needed = tuple(wheel for wheel in wheels if wheel.name in reached.names and wheel.name not in own)
    return Closure(
        wheels=needed,
        provided=tuple(dict.fromkeys([*asked.provided, *reached.provided])),
        floating=tuple(wheel for wheel in needed if wheel.name not in asked.pinned),
    )


def _compare(own: Wheel, other: Wheel) -> None:
    """Raise UsageError unless what plugins bring is the very package that the router runs with."""
    name = own.name
    if own.version != other.version:
        raise UsageError(
            f"the plugins' requirements bring {name} {other.version}, and the router here runs with {own.version}; a "
            f"package has one of them: install {name}=={other.version} here, run the tests, and build again"
        )
    if own.sha256 != other.sha256:
        raise UsageError(f"{own.file.name} of {name} came with two contents; look at the indexes that pip uses")


def _constraints(asked: Asked, pins: Sequence[Wheel], folder: Path) -> list[str]:
    """The router's own versions as limits, unless pip would ask for their hashes too."""
    if asked.hashed:
        return []
    limits = folder / "limits.txt"
    limits.write_text("".join(f"{wheel.name}=={wheel.version}\n" for wheel in pins), encoding="utf-8")
    return [f"-c {limits}"]


def reach(roots: Sequence[Requirement], wheels: Mapping[NormalizedName, Wheel], target: Target) -> Reached:
    """Follow requirements through wheels, by the markers of the target; what Lambda has is not followed."""
    missing: dict[str, Requirement] = {}
    provided: list[str] = []
    seen: set[tuple[NormalizedName, str]] = set()
    pending = list(roots)
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if name == DISTRIBUTION:
            continue
        if name in PROVIDED:
            provided.append(name)
            continue
        if name not in wheels:
            missing[str(_bare(requirement))] = _bare(requirement)
            continue
        new = {(name, extra) for extra in ("", *requirement.extras)} - seen
        seen |= new
        needs = requires(wheels[name]) if new else []
        pending += [need for need in needs if any(applies(need, target, extra) for _, extra in new)]
    names = frozenset(name for name, _ in seen)
    return Reached(names, tuple(missing[text] for text in sorted(missing)), tuple(sorted(set(provided))))


def _bare(requirement: Requirement) -> Requirement:
    bare = Requirement(str(requirement))
    bare.marker = None
    return bare
