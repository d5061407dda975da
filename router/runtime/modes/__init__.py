"""The write modes, a module each: everything that the router knows about a mode is in its `MODE`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from router.runtime.discovery import import_modules
from router.runtime.engine.writes import Mode, Setting

DEFAULT = "put"
"""The mode of a route that names none."""


def names_taking(setting: Setting) -> str:
    """Return the names of the modes that take a setting, for descriptions: "`put`, `delete`"."""
    return ", ".join(f"`{mode.name}`" for mode in MODES.values() if setting in mode.settings)


def _load() -> dict[str, Mode]:
    modes: list[Mode] = [module.MODE for module in import_modules(__name__, __path__)]
    return {
        mode.name: mode
        for mode in sorted(modes, key=lambda mode: (mode.name != DEFAULT, mode.name))
    }


MODES: Mapping[str, Mode] = _load()
"""The modes by name, the default first."""
if TYPE_CHECKING:
    ModeName = str
else:
    ModeName = Literal[tuple(MODES)]
    """The type of `mode` in the config, from which the published schema gets the names of the modes."""
