"""Formats are asserted in every draft."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from router.runtime.program.schemas.documents import ASSERTED_SINCE, DRAFTS, SchemaDocument
from router.runtime.program.schemas.links import missing_formats
from router.runtime.program.schemas.references import Location, Locations

GOOD_AND_BAD = {
    "date": ("2020-02-29", "2021-02-29"),
    "date-time": ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00"),
    "duration": ("P1DT2H", "P1Y2W"),
    "email": ("a@example.com", "@example.com"),
    "hostname": ("a.example", "a_b"),
    "idn-email": ("ä@example.com", "@"),
    "idn-hostname": ("ä.example", "-x-"),
    "ipv4": ("127.0.0.1", "127.0.0.01"),
    "ipv6": ("::1", "::1%eth0"),
    "iri": ("http://ä.example/", "ä"),
    "iri-reference": ("ä", "\\\\ä"),
    "json-pointer": ("/a/b", "a/b"),
    "regex": ("a+", "("),
    "relative-json-pointer": ("0/a", "/a"),
    "time": ("08:30:06Z", "08:30:06"),
    "uri": ("urn:x:y", "x y"),
    "uri-reference": ("a/b", "\\\\a"),
    "uri-template": ("/{a}", "/{a"),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
}


@pytest.mark.parametrize(("uri", "draft"), DRAFTS.items())
@pytest.mark.parametrize("name", GOOD_AND_BAD)
def test_asserted(uri: Any, draft: Any, name: Any) -> None:
    """A format takes the good and refuses the bad, and lets pass what is no text."""
    schema = {"$schema": uri, "format": name}
    validator = jsonschema_rs.validator_for(schema, formats=missing_formats(draft), validate_formats=True)

    assert [validator.is_valid(value) for value in (*GOOD_AND_BAD[name], 1)] == [True, False, True]


@pytest.mark.parametrize(("uri", "draft"), DRAFTS.items())
@pytest.mark.parametrize("name", GOOD_AND_BAD)
def test_since(uri: Any, draft: Any, name: Any) -> None:
    """The table says in which drafts the library asserts a format by itself."""
    validator = jsonschema_rs.validator_for({"$schema": uri, "format": name}, validate_formats=True)

    assert validator.is_valid(GOOD_AND_BAD[name][1]) == (draft < ASSERTED_SINCE[name])


def test_a_reference_at_a_place_that_is_no_subschema() -> None:
    """It is relative to the document, as one under a keyword that the draft does not have."""
    definitions = {"a": {"$ref": "#/x/b"}, "b": {"type": "string"}}
    content = {"$ref": "#/x/a", "x": definitions}
    document = SchemaDocument("s", "https://config.invalid/s.json", Path(), content, 2020)
    locations = Locations([document])

    (first,) = locations.referred(Location.of(document))
    (second,) = locations.referred(first)

    assert (first.path, second.path, second.content) == (("x", "a"), ("x", "b"), {"type": "string"})
