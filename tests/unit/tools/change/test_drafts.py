"""What must not be called compatible: a keyword or a format that a draft or the library understands otherwise."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.tools.change.conftest import Diff, config_of

DRAFT_4 = {"$schema": "http://json-schema.org/draft-04/schema#"}
DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}
DRAFT_2020 = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
ID = {"id": {"type": "string", "minLength": 1, "maxLength": 40}}
LONG = {"id": {"$ref": "#/definitions/id", "minLength": 9}}


def schema(draft: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """A schema of messages with an id, or with other properties."""
    return {**draft, "type": "object", "properties": ID, "required": ["id"], **more}


def tree(**text: Any) -> dict[str, Any]:
    """A schema that refers to itself, which the library does not compare as a whole."""
    properties = {**ID, "nodes": {"items": {"$ref": "#"}}, "text": text}
    return schema(DRAFT_7, properties=properties)


def verdict(diff: Diff, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    (route,) = diff(config_of({"main": old}), config_of({"main": new})).routes
    return route.verdict


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Beside $ref, draft 7 ignores all.
        (
            schema(DRAFT_7, properties=LONG, definitions=ID),
            schema(DRAFT_2020, properties=LONG, definitions=ID),
        ),
        # Draft 4 has no 'const'; draft 7 has no 'dependentRequired'.
        (
            schema(DRAFT_4, properties={**ID, "kind": {"const": "a"}}),
            schema(DRAFT_7, properties={**ID, "kind": {"const": "a"}}),
        ),
        (
            schema(DRAFT_7, properties={**ID, "inner": {"dependentRequired": {"a": ["b"]}}}),
            schema(DRAFT_2020, properties={**ID, "inner": {"dependentRequired": {"a": ["b"]}}}),
        ),
        # The router asserts each format in all drafts; the library asserts 'uuid' from draft 2019-09 on.
        (schema(DRAFT_7), schema(DRAFT_7, properties={"id": {**ID["id"], "format": "uuid"}})),
        (schema(DRAFT_2020), schema(DRAFT_7, properties={"id": {**ID["id"], "format": "uuid"}})),
        (tree(maxLength=5), tree(format="uuid")),
        (tree(multipleOf=2), tree(multipleOf=4)),
    ],
)
def test_a_schema_that_takes_less(diff: Diff, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Neither is proved."""
    assert verdict(diff, {"schema": old}, {"schema": new}) != "compatible"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (schema(DRAFT_7), schema(DRAFT_2020)),
        (schema(DRAFT_2020), schema(DRAFT_7, title="Another")),
        (schema(DRAFT_7, definitions=ID), schema(DRAFT_2020, definitions=ID, minProperties=1)),
        (tree(multipleOf=4), tree(multipleOf=2)),
    ],
)
def test_a_schema_that_takes_all(diff: Diff, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """In another draft, or with a reference to itself."""
    assert verdict(diff, {"schema": old}, {"schema": new}) == "compatible"


def test_a_first_schema(diff: Diff) -> None:
    """It may refuse messages, also where the library knows nothing of it."""
    assert verdict(diff, {}, {"schema": tree(type="string")}) != "compatible"


@pytest.mark.parametrize(
    "more",
    [
        {"for_each": "list"},
        {"write": {"mode": "newest", "version": "n"}, "item": {"id": "id", "n": "n"}},
    ],
)
def test_messages_that_are_written_in_another_way(diff: Diff, more: Mapping[str, Any]) -> None:
    """A message without the list, or without the version, is not written any more."""
    known = {"schema": schema(DRAFT_2020, properties={**ID, "list": {}, "n": {}})}

    assert verdict(diff, {**known, "item": {"id": "id", "n": "n"}}, {**known, **more}) != "compatible"
