"""Parts of schemas about which no validator is asked."""

from decimal import Decimal
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.check.plain_schemas import _PLAIN, is_plain

VALIDATORS: dict[int, Any] = {
    6: jsonschema.Draft6Validator,
    7: jsonschema.Draft7Validator,
    2019: jsonschema.Draft201909Validator,
    2020: jsonschema.Draft202012Validator,
}
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["", "string", "x", 0, 1, -1, True, False, None, 1.5, {}, [], [{}], [True], [1]]),
    st.lists(st.sampled_from(["string", "null", "x"]), max_size=3),
    st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([{}, True, 1, []]), max_size=2),
)
PARTS = st.dictionaries(st.sampled_from(sorted({*_PLAIN, "$id", "dependentRequired"})), VALUES, max_size=4)


@given(PARTS, st.sampled_from(sorted(VALIDATORS)))
def test_both_validators_take_what_is_plain(part: dict[str, Any], draft: int) -> None:
    """By the schema of its draft, so that there is nothing to ask."""
    uri = VALIDATORS[draft].META_SCHEMA["$schema"]
    part = {name: value for name, value in part.items() if name != "$schema"}
    plain = is_plain(part, draft)

    taken = jsonschema_rs.meta.is_valid({"$schema": uri, **part}) and VALIDATORS[draft](
        VALIDATORS[draft].META_SCHEMA
    ).is_valid(part)

    assert taken or not plain


@pytest.mark.parametrize(
    ("part", "draft", "plain"),
    [
        ({"type": "object", "required": ["a"], "properties": {"a": True}, "additionalProperties": False}, 2020, True),
        ({"type": ["string", "null"], "minLength": 1, "pattern": "^a", "format": "date", "examples": ["a"]}, 7, True),
        ({"items": {}, "uniqueItems": True, "minItems": 1, "anyOf": [{}, True], "$defs": {}}, 2019, True),
        ({"enum": ["a", "b"], "const": 1, "default": None, "minimum": Decimal("0.5"), "maximum": 2}, 6, True),
        ({"type": "object"}, 4, False),
        ({"type": "objekt"}, 2020, False),
        ({"type": []}, 2020, False),
        ({"enum": []}, 2020, False),
        ({"enum": ["a", "a"]}, 2020, False),
        ({"minLength": True}, 2020, False),
        ({"items": [{}]}, 2020, False),
        ({"$id": "a"}, 2020, False),
    ],
)
def test_what_is_plain(part: dict[str, Any], draft: int, plain: bool) -> None:
    """The keywords that most schemas are made of, with values that each draft from 6 on allows."""
    assert is_plain(part, draft) is plain
