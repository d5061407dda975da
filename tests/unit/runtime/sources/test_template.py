"""Templates: text with expressions in braces."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.runtime.sources.template import split_template

MESSAGE = {"id": "1", "device": {"model": "iPhoneX"}, "n": 7, "price": 1.50, "yes": True, "list": [1], "none": None}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{id}", "1"),
        ("USER#{id}#{device.model}", "USER#1#iPhoneX"),
        ("{ id }{id}", "11"),
        ("{n}/{price}/{yes}", "7/1.5/true"),
        ("{{", "{"),
        ("{{id}}", "{id}"),
        ("{{{id}}}", "{1}"),
        ("a}}b", "a}b"),
        ("{ {a: id}.a }", "1"),
        ("{'}'}{id}", "}1"),
        ("{join('\"', [id, id])}", '1"1'),
        ("{'it\\'s }'}", "it's }"),
        ("{'\\\\'}{id}", "\\\\1"),
        ('{`"{"`}', "{"),
        ("{list[0]}", "1"),
    ],
)
def test_templates(attribute: Any, template: str, text: str) -> None:
    """Expressions are put in as text, numbers in plain notation; doubled braces are braces."""
    assert attribute({"template": template}).send(MESSAGE) == [{"id": "1", "a": text}]


@pytest.mark.parametrize("template", ["{nowhere}", "USER#{none}", "{id}{device.nowhere}"])
def test_a_missing_part(attribute: Any, template: str) -> None:
    """Makes the attribute missing, and not half a text."""
    assert attribute({"template": template, "missing": "null"}).send(MESSAGE) == [{"id": "1", "a": None}]


@pytest.mark.parametrize("template", ["{list}", "{device}"])
def test_a_part_that_is_no_scalar(attribute: Any, template: str) -> None:
    """Is rejected."""
    assert attribute({"template": template}).send(MESSAGE) == (
        "rejected",
        "RT807",
        "attribute 'a' is no text, number or boolean",
        "",
    )


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{id", "the brace at character 1 is not closed"),
        ("a{{b{id", "the brace at character 5 is not closed"),
        ("{'}", "the brace at character 1 is not closed"),
        ("{ {a: id}", "the brace at character 1 is not closed"),
        ("id}", "the closing brace at character 3 has no opening brace"),
        ("{id}}", "the closing brace at character 5 has no opening brace"),
    ],
)
def test_what_is_no_template(attribute: Any, template: str, reason: str) -> None:
    """Is found at load, with the place in the text."""
    assert attribute({"template": template}).sentences == [
        f"RT405 '{template}' is not a template: {reason}; a brace itself is written '{{{{' or '}}}}'"
    ]


def test_an_empty_expression(attribute: Any) -> None:
    """Is no expression."""
    assert attribute({"template": "a{}b"}).sentences == ["RT401 '' is not a JMESPath expression: it is empty"]


@settings(deadline=None)
@given(st.text("a{}'\\`\" "))
def test_any_text_doubled_is_itself(text: str) -> None:
    """Braces can always be written, by doubling them."""
    doubled = text.replace("{", "{{").replace("}", "}}")

    assert "".join(piece for _, piece in split_template(doubled)) == text
