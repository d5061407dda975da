"""Logical ids: what resources and parameters are called in a template.

An id is made of its kind and of the name in AWS, and of nothing else: it stays as it is when other flows come or go.
Letters and digits only, 255 at most:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
"""

import hashlib
import re
from typing import Literal

Kind = Literal["Queue", "Table", "Variable"]
"""None is the beginning of another, nor of what else there is (`Mapping…`, `AgeAlarm…`): no id is made twice."""
_PLAIN = re.compile(r"(?:[a-z][a-z0-9]*-)*(?!fifo\b)[a-z][a-z0-9]*(?:\.fifo)?")
_WORD = re.compile(r"[A-Za-z0-9]+")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_LONGEST = 160
"""Characters of a name that are kept."""


def logical_id(kind: Kind, name: str) -> str:
    """The id of a thing by its name, which may have `${…}` in it.

    Lower-case words with hyphens between them can be told from the id, so that two such names make two ids; any other
    name has a hash of it at the end.
    """
    # Of a name that is a variable and nothing else, the variable's name is better than none.
    found = _WORD.findall(_VARIABLE.sub("-", name)) or _WORD.findall(name)
    words = "".join(word[0].upper() + word[1:] for word in found)
    if _PLAIN.fullmatch(name) and len(words) <= _LONGEST:
        return f"{kind}{words}"
    return f"{kind}{words[:_LONGEST]}{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


def variable_id(name: str) -> str:
    """The id of the parameter for a variable of the environment: `STAGE_NAME` is `VariableStageName`."""
    usual = re.fullmatch(r"[A-Z0-9_]+", name)
    return logical_id("Variable", name.lower().replace("_", "-") if usual else f"_{name}")
