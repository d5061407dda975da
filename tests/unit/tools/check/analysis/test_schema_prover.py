"""What a schema entails, if the library fails, or a draft asserts less than the router."""

import json
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from jsonschema_rs.canonical import UnsupportedOperand

from router.model import Place
from router.prover.budget import MAX_SECONDS, SHORT, BudgetSpent, ProofBudget
from router.prover.schema_prover import Answer, SchemaProver
from router.tools.check.analysis.proof_cache import MAX_BYTES, prover_of
from tests.support.config import Findings
from tests.support.program import SchemaStore

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"


def messages(schema: Any, budget: ProofBudget | None = None) -> SchemaProver | None:
    store = SchemaStore(Path("/nowhere"))
    store.compile(schema, Findings(lambda path, key: Place("x")), ("schema",))
    linked = store.linked(schema, ("schema",))
    assert linked
    return prover_of(linked, budget)


class PanicException(BaseException):
    """What the library raises if its own code fails."""


class Failing:
    """A schema that cannot be reasoned about."""

    draft = 20

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def covers(self, other: Any) -> Any:
        raise self.error

    intersect = covers

    def satisfiability(self) -> Any:
        raise self.error


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], SchemaProver]:
    def make(error: BaseException) -> SchemaProver:
        schema: Any = Failing(error)
        monkeypatch.setattr("router.prover.schema_prover.parsed", lambda draft, text: schema)
        return SchemaProver(schema)

    return make


@pytest.mark.parametrize("error", [UnsupportedOperand("too hard"), PanicException()])
def test_a_failure_of_the_library(failing: Callable[[BaseException], SchemaProver], error: BaseException) -> None:
    """The answer is unknown, and narrowing has no effect."""
    broken = failing(error)

    answers = {broken.present(("a",)), broken.allows({}), broken.narrow({"type": "object"}).present(("a",))}
    assert (answers, broken.impossible) == ({Answer.UNKNOWN}, False)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, AttributeError])
def test_other_exceptions(failing: Callable[[BaseException], SchemaProver], error: type[BaseException]) -> None:
    """An interrupt ends the program, and so does an error that is neither the library's nor a spent budget."""
    with pytest.raises(error):
        failing(error()).present(("a",))


@pytest.mark.parametrize("draft", [DRAFT_4, DRAFT_7, None])
@pytest.mark.parametrize("name", ["uuid", "duration", "iri", "idn-hostname", "relative-json-pointer", "date", "time"])
def test_formats(name: str, draft: str | None) -> None:
    """Empty text has none of these formats, also in the drafts that do not define them."""
    given = {"type": "object", "properties": {"a": {"type": "string", "format": name}}}
    known = messages(given if draft is None else {"$schema": draft, **given})

    assert known
    assert known.holds_at(("a",), {"minLength": 1}) is Answer.YES


@pytest.mark.parametrize(("format_", "answer"), [("json-pointer", Answer.NO), ("uri-reference", Answer.NO)])
def test_formats_of_empty_text(format_: str, answer: Answer) -> None:
    """Empty text has these formats."""
    known = messages({"type": "object", "properties": {"a": {"type": "string", "format": format_}}})

    assert known
    assert known.holds_at(("a",), {"minLength": 1}) is answer


def test_a_slow_schema() -> None:
    """Answers are cached; without time, others are unknown."""
    budget = ProofBudget()
    known = messages({"type": "object", "required": ["a", "b"]}, budget)
    assert known
    before = known.holds_at((), {"required": ["a"]})
    budget.seconds = 0

    after = [known.holds_at((), {"required": [name]}) for name in "ab"]

    assert (before, after, known.narrow({}).present(("a",))) == (
        Answer.YES,
        [Answer.YES, Answer.UNKNOWN],
        Answer.UNKNOWN,
    )


def test_a_budget_is_shared() -> None:
    """A search takes steps from it, and fails without any left; a share of it is taken away from the rest."""
    budget = ProofBudget(seconds=2, steps=10)
    share = budget.share(0.5)
    share.spend(5)

    with pytest.raises(BudgetSpent):
        share.spend()

    assert (budget.seconds, budget.steps, share.seconds) == (1, 5, 1)


@pytest.mark.timing
def test_time_is_that_of_the_processor() -> None:
    """A proof that waits, as on a busy machine, is not charged for that; a short one is not timed exactly."""
    waiting, short = ProofBudget(), ProofBudget()

    waiting.attempt(lambda: sleep(0.2))
    short.attempt(lambda: None)

    assert (waiting.seconds > MAX_SECONDS - 0.1, MAX_SECONDS - SHORT < short.seconds < MAX_SECONDS) == (True, True)


@pytest.mark.parametrize("predicate", [{"allOf": [{"anyOf": [{"required": [name]} for name in "abcdef"]}] * 9}])
def test_too_many_ways_to_satisfy(predicate: Any) -> None:
    """Neither a schema nor a predicate is made canonical that would take seconds and hundreds of MiB."""
    known = messages({"type": "object"})
    assert known

    assert (messages({"type": "object", **predicate}), known.entails(predicate)) == (None, Answer.UNKNOWN)


def test_a_large_schema() -> None:
    """Nothing is proved about it."""
    assert messages({"enum": ["x" * MAX_BYTES]}) is None


@pytest.mark.parametrize("draft", [DRAFT_4, DRAFT_7])
def test_an_embedded_schema_of_another_draft(draft: str) -> None:
    """The library reads its reference as one of the document, which would be so in the draft of that."""
    embedded = {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "$id": "https://a.example/e",
        "definitions": {"x": {}},
        "$ref": "#/definitions/x",
    }
    content = {"$schema": draft, "definitions": {"x": {"maxLength": 2}}, "properties": {"a": embedded}}

    assert messages(content) is None


def test_an_embedded_schema_of_the_same_draft() -> None:
    """It is proved, as is one with a property that is only named like the keyword."""
    embedded = {"$schema": DRAFT_7, "properties": {"$schema": {"type": "string"}}}
    known = messages({"$schema": DRAFT_7, "properties": {"a": embedded}})

    assert known
    assert known.holds_at(("a", "$schema"), {"type": "string"}) is Answer.YES


@pytest.mark.parametrize(
    ("draft", "answer"), [(DRAFT_7, Answer.NO), ("https://json-schema.org/draft/2019-09/schema", Answer.YES)]
)
def test_an_id_beside_a_reference(draft: str, answer: Answer) -> None:
    """Older drafts ignore it: the reference is relative to the document."""
    named = {"$id": "https://a.example/n", "definitions": {"x": {"type": "string"}}, "$ref": "#/definitions/x"}
    undecided = {"allOf": [{"allOf": [{"oneOf": [{"allOf": [{"enum": [[True]]}]}, {}]}]}]}
    known = messages({"$schema": draft, "properties": {"a": named}, "definitions": {"x": {}}, **undecided})

    assert known
    assert known.holds_at(("a",), {"type": "string"}) is answer


def test_numbers_are_exact() -> None:
    """Numbers are exact in schemas and in predicates."""
    known = messages(json.loads('{"type": "object", "properties": {"a": {"minimum": 1}}}'))

    assert known
    assert known.holds_at(("a",), {"minimum": 1}) is Answer.YES


EXCLUSIVE = {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False}


@pytest.mark.parametrize(
    ("draft", "schema", "answer"),
    [
        (DRAFT_4, {**EXCLUSIVE, "maximum": 1}, Answer.YES),
        (DRAFT_4, EXCLUSIVE, Answer.YES),
        (DRAFT_4, {**EXCLUSIVE, "exclusiveMaximum": True, "maximum": 1, "minimum": -3}, Answer.NO),
        (DRAFT_4, {**EXCLUSIVE, "exclusiveMinimum": False}, Answer.NO),
        (DRAFT_4, {"const": 5}, Answer.NO),
        (DRAFT_7, {"const": 5}, Answer.YES),
        (DRAFT_7, {"$ref": "#/definitions/five", "minimum": 0}, Answer.YES),
        (DRAFT_7, {"allOf": [{"$ref": "#/definitions/five"}], "dependencies": {"a": ["b"]}}, Answer.YES),
    ],
)
def test_older_drafts(draft: str, schema: Any, answer: Answer) -> None:
    """Keywords mean what they mean in the draft of the schema."""
    given = {
        "$schema": draft,
        "type": "object",
        "required": ["tree", "n"],
        "properties": {
            "tree": {"type": "object", "required": ["i"], "properties": {"i": {"type": "integer"}}},
            "n": schema,
        },
        "definitions": {"five": {"enum": [5]}},
    }

    known = messages(given)

    assert known
    assert known.holds_at(("n",), {"type": "number", "minimum": 1}) is answer


@pytest.mark.parametrize(
    ("more", "answer"), [({"enum": [6]}, Answer.YES), ({"enum": ["x"]}, Answer.NO), (True, Answer.NO)]
)
def test_lists_of_positions(more: Any, answer: Answer) -> None:
    """In older drafts `items` can be a list, one schema for each position."""
    items = {"type": "array", "minItems": 2, "items": [{"enum": [5]}], "additionalItems": more}
    given = {"$schema": DRAFT_7, "type": "object", "required": ["n"], "properties": {"n": items}}

    known = messages(given)

    assert known
    assert known.holds_at(("n", None), {"type": "number"}) is answer


def test_no_text() -> None:
    """A value that is always a number has no text outside of a pattern."""
    found = messages({"properties": {"a": {"allOf": [{"type": "integer"}, {"minimum": 1}]}}})

    assert found
    assert found.find_text(("a",), ["x"], "y") == (Answer.NO, "")
