"""The patterns that every text of a schema matches: its own, those of its format, of its constants and of its length.

Perhaps other texts match them, too: what they exclude is proved, and what they allow is to be tried.
"""

from collections.abc import Mapping, Sequence

from router.check.analysis.budget import NotDecided
from router.check.analysis.patterns import escaped, find_outside
from router.check.analysis.predicates import Schema

NO_MATCH = r"[^\s\S]"
"""The pattern that no text matches."""
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
_OF_FORMATS: Mapping[str, str] = {
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]*$",
    "iri": "^[A-Za-z][A-Za-z0-9+.-]*:",
    "uri-reference": r"^[!#-;=?-\[\]_a-z~]*$",
    "iri-reference": r'^[^ <>"]*$',
    **dict.fromkeys(("email", "idn-email"), "@"),
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_TIME}",
    "duration": "^P(([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?|[0-9]+W)$",
    "hostname": "^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$",
    "ipv4": "^[0-9.]+$",
    "ipv6": "^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$",
    "json-pointer": "^(/|$)",
    "relative-json-pointer": r"^(0|[1-9][0-9]*)(#|(/[\s\S]*)?)$",
    "time": f"^{_TIME}",
    "uuid": "^[0-9A-Fa-f-]+$",
}
"""Patterns that all texts of a format match."""
_MOST_CONSTANTS = 20
_LONGEST = 40
"""Greater lengths are not made a pattern, which has a state for each character."""
_MOST_STEPS = 10_000


def patterns_in(schema: Schema) -> list[str]:
    """Return the patterns that every text of a subschema matches, by its own keywords."""
    found = distinctive_patterns(schema)
    values = schema.get("enum", ())
    if 0 < len(values) <= _MOST_CONSTANTS:
        found.append(one_of([f"^{escaped(value)}$" for value in values if isinstance(value, str)]))
    least = min(schema.get("minLength", 0), _LONGEST)
    return [*found, rf"^[\s\S]{{{least}}}"] if least else found


def one_of(patterns: Sequence[str]) -> str:
    """Return a pattern that a text matches which matches one of some."""
    return "|".join(f"({each})" for each in patterns) or NO_MATCH


def has_no_text(schemas: Sequence[Schema]) -> bool:
    """Whether it is proved, by patterns and formats, that no text satisfies some subschemas together."""
    patterns = dict.fromkeys(pattern for schema in schemas for pattern in distinctive_patterns(schema))
    try:
        return len(patterns) > 1 and find_outside([*patterns], NO_MATCH, _MOST_STEPS) is None
    except NotDecided:
        return False


def distinctive_patterns(schema: Schema) -> list[str]:
    """Return the pattern of a subschema, and that of its format."""
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    named = _OF_FORMATS.get(str(schema.get("format")))
    return [*own, named] if named else own
