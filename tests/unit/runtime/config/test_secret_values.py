"""What is masked of a secret: whole, as a part, quoted, escaped and cut; and which variables hold one."""

import html
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest

from router.runtime.config.findings import quote as quote_shortened
from router.runtime.config.secret_values import SecretValues, is_secret, names_secret


def masking(**values: str) -> SecretValues:
    """The values of these variables."""
    secrets = SecretValues()
    for name, value in values.items():
        secrets.add(value, f"${{{name}}}")
    return secrets


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "token", "ApiKey", "CLIENT_SECRET", "SENTRY_DSN", "DB_PWD", "ROUTER_REDACT_KEY", "SECRET_ID"],
)
def test_names_of_secrets(name: str) -> None:
    """Part of the name says so, whatever its case."""
    assert names_secret(name)


@pytest.mark.parametrize(
    "name", ["STAGE", "TABLE", "KMS_KEY_ID", "KMS_KEY", "SIGNING_KEY_ARN", "SECRET_NAME", "SORT_KEY", "TOPIC_ARN"]
)
def test_other_names(name: str) -> None:
    """What identifies a key or a secret is none."""
    assert not names_secret(name)


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("postgres://me:hunter22@db/x", True),
        ("ghp_" + "a1" * 18, True),
        ("arn:aws:sqs:eu-west-1:123456789012:q", False),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", False),
    ],
)
def test_values_that_look_like_secrets(value: str, secret: bool) -> None:
    """Whatever the name of the variable is."""
    assert is_secret("ENDPOINT", value) is secret


SECRET = 'it\'s "top"\\secret\n1/€ <a&b>'


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        repr(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(repr(SECRET)),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        html.escape(SECRET),
        f"a{SECRET}b",
        SECRET.upper(),
        json.dumps(json.dumps({"a": SECRET})),
        json.dumps(json.dumps([json.dumps(SECRET)], ensure_ascii=False)),
        html.escape(json.dumps(json.dumps(SECRET))),
        repr(json.dumps(SECRET)),
        repr(repr(SECRET)),
        quote(json.dumps(SECRET)),
        ascii(SECRET),
        repr(SECRET.encode()),
        SECRET.encode("ascii", "xmlcharrefreplace").decode(),
        shlex.quote(SECRET),
        SECRET.replace("\n", "\r\n"),
        SECRET.replace("\n", " "),
        SECRET.replace(" ", "\n       "),
    ],
)
def test_each_form(shown: str) -> None:
    """A value in another notation is the same secret."""
    masked = masking(X_TOKEN=SECRET).mask(f"before {shown} after")

    assert ("${X_TOKEN}" in masked, "top" in masked.lower(), masked[:7], masked[-6:]) == (
        True,
        False,
        "before ",
        " after",
    )


def test_white_space_around_a_value() -> None:
    """A file that a value is read from often ends with a line feed, which a sentence has not."""
    assert masking(X_TOKEN=" correct horse\n").mask("no correct horse here") == "no ${X_TOKEN} here"


@pytest.mark.parametrize("end", ["\\", '"', "'", "%"])
def test_a_value_in_json_that_ends_with_a_sign(end: str) -> None:
    """What is around the value stays, and so does the JSON."""
    value = f"top secret{end}"

    for text in (value, f'a {value}" b', f"{value}\n", json.dumps({"a": value})):
        masked = masking(X_TOKEN=value).mask(json.dumps({"a": text}))
        assert json.loads(masked)["a"].partition("${X_TOKEN}")[1] == "${X_TOKEN}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("'name-verysecretvalue4711'", "'name-${X_TOKEN}'"),
        (quote_shortened("name-" * 10 + "verysecretvalue4711"), "'" + "name-" * 10 + "${X_TOKEN}…'"),
        ("…tvalue4711 is long", "…${X_TOKEN} is long"),
        ("VERYSECRETVALUE4711", "${X_TOKEN}"),
        ("very…", "${X_TOKEN}…"),
        ("ver…", "ver…"),
    ],
)
def test_cut_values(text: str, masked: str) -> None:
    """What is left of a value that a sentence cuts is masked, too."""
    assert masking(X_TOKEN="verysecretvalue4711").mask(text) == masked


@pytest.mark.parametrize(
    ("value", "text", "masked"),
    [
        ("arn:aws:sqs:eu-west-1:123456789012:pay4711", "queue 'pay4711' of 123456789012", "queue '${X}' of ${X}"),
        ("postgres://u:hunter22@db.example.com/x", "no host 'hunter22'", "no host '${X}'"),
        ("postgres://u:hunter22@db.example.com/x", "postgres has an example", "postgres has an example"),
    ],
)
def test_parts(value: str, text: str, masked: str) -> None:
    """Parts of letters and digits are masked; words are not, which sentences have."""
    assert masking(X=value).mask(text) == masked


@pytest.mark.parametrize(
    ("value", "text", "masked"),
    [
        ("a", "a queue 'a' of \"a\"", "a queue '${X}' of \"${X}\""),
        ("a", r"{\"b\": \"a\"}", r"{\"b\": \"${X}\"}"),
        ("a", "&quot;a&quot;", "&quot;${X}&quot;"),
        ('a"b', json.dumps(json.dumps('a"b')), r'"\"${X}\""'),
        ("dev", "the device dev-1 of dev", "the device ${X}-1 of ${X}"),
        ("tests", "router test runs tests, contests", "router test runs ${X}, contests"),
        ("orders", "reorders", "re${X}"),
    ],
)
def test_short_values(value: str, text: str, masked: str) -> None:
    """A value of less than six characters is masked as a word, one of one or two in quotes."""
    assert masking(X=value).mask(text) == masked


def test_a_text_with_a_short_value() -> None:
    """The text of the config that a value is part of is masked as a whole."""
    secrets = masking(X_PIN="12")
    secrets.add("orders12x", "orders${X_PIN}x")

    assert secrets.mask("no queue 'orders12x'") == "no queue 'orders${X_PIN}x'"


def test_json_stays_json() -> None:
    """A number that is masked becomes a text; a key of a report is no value."""
    text = json.dumps({"pin": 123456, "all": [123456, 7], "message": "message"})

    assert json.loads(masking(X_PIN="123456", Y_PASSWORD="message").mask(text)) == {
        "pin": "${X_PIN}",
        "all": ["${X_PIN}", 7],
        "message": "${Y_PASSWORD}",
    }


def test_masking_twice() -> None:
    """A reference stays as it is, also if its name has a value in it."""
    secrets = masking(DB_PASSWORD="PASSWORD")

    assert secrets.mask(secrets.mask("'password'")) == "'${DB_PASSWORD}'"


def test_a_value_in_braces() -> None:
    """What looks like a reference, and is none, is masked."""
    assert masking(X_TOKEN="topsecret").mask("${topsecret}") == "${${X_TOKEN}}"


def test_as_references() -> None:
    """What is written into a config refers to the variables; what is literal stays so."""
    secrets = masking(X_TOKEN="topsecret", Y_PIN="12")

    assert [
        secrets.refer(text, lambda each: each.replace("${", "$${")) for text in ("a-topsecret-${b", "12", "x12")
    ] == [
        "a-${X_TOKEN}-$${b",
        "${Y_PIN}",
        "x12",
    ]
