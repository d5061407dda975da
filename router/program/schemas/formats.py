"""Formats of JSON Schema: which there are, and validators for the drafts that lack one."""

import functools
from collections.abc import Callable, Mapping

FormatCheck = Callable[[object], bool]

ASSERTED_SINCE: Mapping[str, int] = {
    "date": 4,
    "date-time": 4,
    "email": 4,
    "hostname": 4,
    "idn-email": 4,
    "ipv4": 4,
    "ipv6": 4,
    "regex": 4,
    "time": 4,
    "uri": 4,
    "json-pointer": 6,
    "uri-reference": 6,
    "uri-template": 6,
    "idn-hostname": 7,
    "iri": 7,
    "iri-reference": 7,
    "relative-json-pointer": 7,
    "duration": 2019,
    "uuid": 2019,
}
"""The formats that are checked, and the first draft in which jsonschema-rs does so by itself."""


@functools.cache
def missing_formats(draft: int) -> dict[str, FormatCheck]:
    """Validators for the formats that jsonschema-rs does not assert in `draft`: those of its latest draft."""
    from jsonschema_rs import Draft202012Validator  # up to 50 ms that a config without schemas is spared

    return {
        name: Draft202012Validator({"format": name}, validate_formats=True, offline=True).is_valid
        for name, since in ASSERTED_SINCE.items()
        if since > draft
    }
