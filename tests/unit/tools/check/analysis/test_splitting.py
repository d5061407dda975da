"""Schemas are taken apart by properties where these decide alone, and routes share what is proved of equal parts."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from router.model import Place
from router.prover.budget import ProofBudget
from router.prover.inference import of_path
from router.prover.predicates import Schema, Steps, there
from router.prover.scalars import validator_of
from router.prover.schema_prover import Answer, SchemaProver
from router.prover.splitting import PropertySchema, split_by_property
from router.tools.check.analysis.proof_cache import SEVERAL, SharedParts, approximate_prover_of, prover_of_part
from tests.support.config import Findings
from tests.support.program import SchemaStore

FindPart = Callable[[PropertySchema], Any]
TEXT = {"type": "string", "minLength": 1, "maxLength": 9}
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def parts() -> FindPart:
    """What finds parts, and keeps them."""
    return cache(prover_of_part)


def messages(
    schema: Schema, find: FindPart, when: Schema | None = None, *, exact: bool = True, seconds: float = 3.0
) -> SchemaProver:
    store = SchemaStore(Path("/nowhere"))
    store.compile({"type": "object", **schema}, Findings(lambda path, key: Place("x")), ("schema",))
    linked = store.linked({}, ("schema",))
    assert linked
    found = approximate_prover_of(linked, ProofBudget(seconds), split_by_property(linked, find))
    return found if when is None else found.narrow(when, exact, validator_of(when))


def shared(one: SchemaProver, other: SchemaProver, steps: Steps) -> bool:
    """Whether two schemas have the same part, which is not all of one."""
    return one.about(steps)[0] is other.about(steps)[0] is not one


def test_schemas_share_equal_parts() -> None:
    """Whatever else they say."""
    find = parts()
    one = messages({"required": ["id"], "properties": {"id": TEXT, "n": {"minimum": 1}}}, find)
    other = messages({"required": ["m", "id"], "properties": {"m": {}, "id": TEXT}, "title": "other"}, find)

    found = [shared(one, other, steps) for steps in [("id",), ("x",), ("n",), ("m",), (), (None,)]]

    assert found == [True, True, False, False, False, False]


CONTENTS = [
    pytest.param({"required": ["id"], "properties": {"id": TEXT}}, id="a required text"),
    pytest.param({"properties": {"id": TEXT}}, id="an optional text"),
    pytest.param({"properties": {"id": {"type": ["array", "null"], "items": TEXT}}}, id="a list or null"),
    pytest.param({"additionalProperties": False, "properties": {"b": {}}}, id="nothing else"),
    pytest.param({"additionalProperties": {"type": "integer"}}, id="numbers"),
    pytest.param({"$schema": DRAFT_4, "properties": {"id": {"minimum": 3, "exclusiveMinimum": True}}}, id="draft 4"),
    pytest.param({"$schema": DRAFT_7, "properties": {"id": {"type": "object", "required": ["a"]}}}, id="draft 7"),
    pytest.param({"properties": {"id": {"enum": ["a", 1, None]}}}, id="constants"),
]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("steps", [("id",), ("id", None), ("id", "a")])
def test_a_part_decides_what_the_whole_does(content: Schema, steps: Steps) -> None:
    """Of each value that is inferred."""
    apart = messages(content, parts())
    whole = messages({**content, "minProperties": 0}, parts())  # which is not taken apart

    found = of_path(apart, steps), apart.absent(steps), apart.about(steps)[0] is apart

    assert found == (of_path(whole, steps), whole.absent(steps), False)
    assert whole.about(steps) == (whole, steps)


WHOLE = [
    pytest.param({"minProperties": 2}, id="minProperties"),
    pytest.param({"patternProperties": {"^i": {"maxLength": 3}}}, id="patternProperties"),
    pytest.param({"dependentRequired": {"a": ["id"]}}, id="dependentRequired"),
    pytest.param({"allOf": [{"required": ["a"]}]}, id="allOf"),
    pytest.param({"type": ["object", "null"]}, id="another type"),
    pytest.param({"properties": {"id": {"$ref": "#/properties/a"}, "a": TEXT}}, id="a reference"),
    pytest.param({"required": ["a"], "properties": {"a": {"not": {}}}}, id="no message"),
]


@pytest.mark.parametrize("content", WHOLE)
def test_other_schemas_are_not_taken_apart(content: Schema) -> None:
    """Where a property does not decide alone, or no message has the others."""
    found = messages({"properties": {"id": TEXT}, **content}, parts())

    assert found.about(("id",)) == (found, ("id",))


PREDICATES = [
    pytest.param(there(["type"], {"enum": ["a"]}), True, id="another property"),
    pytest.param({"not": there(["type"], {"enum": ["a"]})}, True, id="the opposite"),
    pytest.param({"allOf": [there(["a"], {}), there(["b"], {})]}, True, id="both of two others"),
    pytest.param({"anyOf": [there(["a"], {"minLength": 1}), there(["a"], {"minimum": 1})]}, True, id="one of two"),
    pytest.param({"anyOf": [there(["a"], {}), there(["id"], {})]}, False, id="either of two"),
    pytest.param({"not": {"allOf": [there(["a"], {}), {"minProperties": 2}]}}, False, id="other keywords"),
    pytest.param({"allOf": [there(["a"], {}), {"minProperties": 2}]}, False, id="other keywords beside"),
    pytest.param({"type": ["object", "null"]}, False, id="another type"),
    pytest.param({}, False, id="nothing"),
]


@pytest.mark.parametrize(("predicate", "expected"), PREDICATES)
def test_conditions_about_other_properties_leave_parts_as_they_are(predicate: Schema, expected: bool) -> None:
    """If each is about one property."""
    find = parts()
    content = {"properties": {"id": TEXT}}

    found = shared(messages(content, find, predicate), messages(content, find), ("id",))

    assert found is expected


def test_a_condition_about_a_property_is_one_of_its_part() -> None:
    """The part is another one than without it."""
    find = parts()
    content = {"properties": {"id": {"type": ["string", "null"]}}}
    narrowed = messages(content, find, there(["id"], {"enum": ["a", "b"]}))

    found = narrowed.present(("id",)), messages(content, find).present(("id",))

    assert found == (Answer.YES, Answer.NO)


CONDITIONS = [
    pytest.param(there(["id"], {"type": "string"}), id="a value"),
    pytest.param({"not": there(["id"], {"type": "null"})}, id="not a value"),
    pytest.param({"type": "object", "required": ["id"]}, id="any value"),
    pytest.param({"allOf": [there(["id"], {"minLength": 2}), there(["id"], {"maxLength": 3})]}, id="both of two"),
    pytest.param({"not": {"anyOf": [there(["id"], {"const": 1}), there(["id"], {"const": None})]}}, id="none of two"),
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_part_decides_what_the_whole_does_under_a_condition(condition: Schema) -> None:
    """Whatever the property is called."""
    content = {"properties": {"id": {"type": ["string", "integer", "null"], "maxLength": 9}}}
    apart = messages(content, parts(), condition)
    whole = messages({**content, "minProperties": 0}, parts(), condition)

    found = of_path(apart, ("id",)), apart.absent(("id",)), apart.about(("id",))[0] is apart

    assert found == (of_path(whole, ("id",)), whole.absent(("id",)), False)


def test_equal_parts_of_other_names_are_one() -> None:
    """With their conditions; what is inferred of a value names its path."""
    find = parts()
    one = messages({"required": ["id"], "properties": {"id": TEXT}}, find, there(["id"], {"minLength": 2}))
    other = messages({"required": ["key"], "properties": {"key": TEXT}}, find, there(["key"], {"minLength": 2}))

    found = of_path(one, ("id", "a")), of_path(other, ("key", "a"))

    assert one.about(("id",))[0] is other.about(("key",))[0]
    assert [each.origin for each in found] == [("id", "a"), ("key", "a")]
    assert [each.elements for each in found] == [("id", "a", None), ("key", "a", None)]


def test_a_condition_that_is_not_exact_keeps_the_whole() -> None:
    """No message need have the values that the part allows."""
    found = messages({"properties": {"id": TEXT}}, parts(), there(["a"], {}), exact=False)

    assert found.about(("id",)) == (found, ("id",))


def test_a_part_is_proved_in_the_time_of_who_asks() -> None:
    """Without time, nothing is asked of parts."""
    find = parts()
    content = {"required": ["id"], "properties": {"id": TEXT}}
    spent, other = messages(content, find, seconds=0.0), messages(content, find)

    found = spent.about(("id",))[0] is spent, spent.present(("id",)), other.present(("id",))

    assert found == (True, Answer.UNKNOWN, Answer.YES)


class Ending(ProofBudget):
    """A budget that ends after so many proofs."""

    def __init__(self, proofs: int) -> None:
        super().__init__()
        self.proofs = proofs

    def attempt(self, prove: Callable[[], Any]) -> Any:
        self.proofs -= 1
        found = super().attempt(prove)
        self.seconds = self.seconds if self.proofs > 0 else 0.0
        return found


@pytest.mark.parametrize("content", CONTENTS)
def test_what_time_did_not_suffice_for_is_proved_later(content: Schema) -> None:
    """By a schema that has time left: what is proved of it does not depend on others."""
    alone = of_path(messages(content, parts()), ("id",))
    found = []
    for proofs in range(2, 12):
        find = parts()
        short, other = messages(content, find), messages(content, find)
        short._budget = Ending(proofs)
        of_path(short, ("id",))
        found.append(of_path(other, ("id",)))

    assert found == [alone] * len(found)


def test_what_is_proved_stays_so_without_time() -> None:
    """As it does where a schema is not taken apart."""
    short = messages({"required": ["id"], "properties": {"id": TEXT}}, parts())
    before = short.present(("id",)), of_path(short, ("id",))
    short._budget = ProofBudget(0.0)

    assert (short.present(("id",)), of_path(short, ("id",))) == before


def test_what_no_message_was_found_for_is_sought_later() -> None:
    """By a schema that has time left to search."""
    find = parts()
    content = {"properties": {"id": {"type": "string", "allOf": [{"pattern": each} for each in ("a$", "^b", "c")]}}}
    short, other, alone = messages(content, find), messages(content, find), messages(content, parts())
    short._search = ProofBudget(0.0)

    found = of_path(short, ("id",)) == of_path(alone, ("id",)), of_path(other, ("id",)) == of_path(alone, ("id",))

    assert found == (False, True)


def test_a_part_is_proved_apart_if_several_ask() -> None:
    """Before, the whole tells what is asked."""
    find = SharedParts().find
    part = PropertySchema(2020, b'{"type":"object"}', b"{}")

    found = [find(part) for _ in range(SEVERAL + 1)]

    assert (found[: SEVERAL - 1], found[SEVERAL - 1] is found[SEVERAL] is not None) == ([None] * (SEVERAL - 1), True)


@pytest.mark.parametrize(
    ("schema", "little"),
    [
        ({"properties": {"id": TEXT}}, True),
        ({"properties": {"id": {"type": "string", "minLength": 99}}}, True),
        ({"properties": {"id": {"type": "string", "minLength": 100}}}, False),
        ({"properties": {"id": {"pattern": "^a{9999}$"}}}, False),
        ({"properties": {"id": {"minItems": 2}}}, False),
        ({"properties": {"id": {"minProperties": 2}}}, False),
        ({"properties": {"id": {"enum": ["x" * 5000]}}}, False),
    ],
)
def test_messages_that_need_little_room(schema: Schema, little: bool) -> None:
    """A schema that demands long values leaves less for others."""
    found = messages(schema, parts()).parts

    assert found
    assert found.demands_little is little
