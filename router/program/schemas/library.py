"""Imports jsonschema-rs without what it would import for its own version's sake."""

import sys
from importlib import import_module
from types import ModuleType


def import_library(name: str = "jsonschema_rs") -> None:
    """Import jsonschema-rs, once, for all who then do so as usual.

    To say when it was built, it asks the standard library to parse a date as mails have it. Alone that is three times
    the work of the rest of its import, and a twentieth of a cold start; here the date stays as it is written.
    """
    if name in sys.modules or "email.utils" in sys.modules:
        return
    stand_in = ModuleType("email.utils")
    stand_in.__dict__["parsedate_to_datetime"] = str
    sys.modules["email.utils"] = stand_in
    try:
        import_module(name)
    finally:
        del sys.modules["email.utils"]
