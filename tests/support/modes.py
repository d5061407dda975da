"""What tests of other rooms use of `router.runtime.modes`."""

from collections.abc import Mapping

from router.runtime.modes import MODES

WRITES: Mapping[str, str] = {
    f"{mode.name}-versioned" if versioned else mode.name: f"{{mode: {mode.name}{', version: v' if versioned else ''}}}"
    for mode in MODES.values()
    for versioned in (False, True)
    if ("version" in mode.settings if versioned else "version" not in mode.required)
}
"""The settings `write:` of each mode, by a name: without and with the version `v`, as far as the mode takes it."""

__all__ = [
    "MODES",
    "WRITES",
]
