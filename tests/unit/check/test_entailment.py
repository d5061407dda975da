"""What a schema guarantees, where the library cannot say, or a draft asserts less than the router."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.check.entailment import MAX_BYTES, Answer, Facts, facts_of, facts_of_anything
from router.config.findings import Findings
from router.model import Place
from router.program.schemas.compile import SchemaStore

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"


def facts(schema: Any) -> Facts | None:
    store = SchemaStore(Path("/nowhere"))
    store.compile(schema, Findings(lambda path, key: Place("x")), ("schema",))
    linked = store.linked(schema, ("schema",))
    assert linked
    return facts_of(linked)


class PanicException(BaseException):
    """What the library raises where its own code fails."""


class Failing:
    """A schema that cannot be reasoned about."""

    draft = 20

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def covers(self, other: Any) -> Any:
        raise self.error

    intersect = covers

    def satisfiability(self) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [ValueError, PanicException])
def test_what_the_library_fails_at(error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is unknown; and narrowing then narrows nothing."""
    monkeypatch.setattr("router.check.entailment._claim", lambda draft, text: Failing(error))
    known: Any = Failing(error)
    broken = Facts(known)

    answers = {broken.present(("a",)), broken.allow({}), broken.narrow({"type": "object"}).present(("a",))}
    assert (answers, broken.impossible) == ({Answer.UNKNOWN}, False)


def test_other_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's interrupt is swallowed."""
    monkeypatch.setattr("router.check.entailment._claim", lambda draft, text: Failing(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        facts_of_anything().present(("a",))


@pytest.mark.parametrize("draft", [DRAFT_4, DRAFT_7, None])
@pytest.mark.parametrize("name", ["uuid", "duration", "iri", "idn-hostname", "relative-json-pointer", "date", "time"])
def test_formats(name: str, draft: str | None) -> None:
    """What none of these formats takes is empty text, in the drafts that do not know them too."""
    given = {"type": "object", "properties": {"a": {"type": "string", "format": name}}}
    known = facts(given if draft is None else {"$schema": draft, **given})

    assert known
    assert known.holds_at(("a",), {"minLength": 1}) is Answer.YES


@pytest.mark.parametrize(("format_", "answer"), [("json-pointer", Answer.NO), ("uri-reference", Answer.NO)])
def test_formats_of_empty_text(format_: str, answer: Answer) -> None:
    """Some take it."""
    known = facts({"type": "object", "properties": {"a": {"type": "string", "format": format_}}})

    assert known
    assert known.holds_at(("a",), {"minLength": 1}) is answer


def test_a_slow_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out stays; the rest is unknown."""
    known = facts({"type": "object", "required": ["a", "b"]})
    assert known
    before = known.holds_at((), {"required": ["a"]})
    monkeypatch.setattr("router.check.entailment.PATIENCE", 0.0)

    after = [known.holds_at((), {"required": [name]}) for name in "ab"]

    assert (before, after, known.narrow({}).present(("a",))) == (
        Answer.YES,
        [Answer.YES, Answer.UNKNOWN],
        Answer.UNKNOWN,
    )


def test_a_large_schema() -> None:
    """Is not reasoned about."""
    assert facts({"enum": ["x" * MAX_BYTES]}) is None


def test_numbers_are_exact() -> None:
    """In a schema and in what is asked of it."""
    known = facts(json.loads('{"type": "object", "properties": {"a": {"minimum": 1}}}'))

    assert known
    assert known.holds_at(("a",), {"minimum": 1}) is Answer.YES
