"""The page of a code: an address that a tool can open, or none."""

import json
from email.message import Message

import pytest

from router.model import Code, Finding, Place
from router.tools.cli import code_pages
from router.tools.cli.code_pages import page_of
from router.tools.cli.report import as_sarif
from tests.support.check import known_codes

RT101 = known_codes()["RT101"]
SITE = "https://acme.example/router/"


def publish(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    """Give the distribution these addresses."""
    metadata = Message()
    for url in urls:
        metadata["Project-URL"] = url
    monkeypatch.setattr(code_pages, "metadata", lambda name: metadata)


@pytest.mark.parametrize(
    ("urls", "page"),
    [
        ([f"Changelog, {SITE}x", f"Documentation, {SITE}"], f"{SITE}codes/RT101.html"),
        (["Documentation, https://OWNER.example/router/"], ""),
        ([], ""),
    ],
)
def test_the_page_of_a_code(monkeypatch: pytest.MonkeyPatch, urls: list[str], page: str) -> None:
    """On the site of whoever published the distribution."""
    publish(monkeypatch, *urls)

    assert page_of(RT101) == page


def test_the_code_of_a_plugin_has_no_page() -> None:
    """Its author has one, perhaps."""
    assert page_of(Code("ACME1", "t", "Why.")) == ""


@pytest.mark.parametrize(("urls", "uri"), [([f"Documentation, {SITE}"], f"{SITE}codes/RT101.html"), ([], None)])
def test_sarif_has_an_address_or_none(monkeypatch: pytest.MonkeyPatch, urls: list[str], uri: str | None) -> None:
    """A path in a repository that the reader of the report may not have is no address."""
    publish(monkeypatch, *urls)

    (run,) = json.loads(as_sarif([Finding(RT101, "x", Place("routes.yaml", 1, 1))]))["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule.get("helpUri") == uri
