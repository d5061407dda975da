"""What the router says of messages is what the official JSON-Schema-Test-Suite says, but for a list of exceptions."""

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from router.model import Place
from tests.support.config import Findings
from tests.support.program import SchemaStore

SERVER = "http://localhost:1234/"
"""Where the suite thinks that its remote schemas are."""
DRAFTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
}
OWN_META_SCHEMA = {
    "vocabulary.json: schema that uses custom metaschema with with no validation vocabulary",
    "vocabulary.json: ignore unrecognized optional vocabulary",
}
REFUSED = {
    "draft2020-12": OWN_META_SCHEMA,
    "draft2019-09": OWN_META_SCHEMA,
    # The remote schema names no draft, so it is read as 2020-12, in which nothing refers to an `$id` of `#foo`.
    "draft7": {"refRemote.json: Location-independent identifier in remote ref"},
}
"""The groups of tests of a draft whose schema the router refuses, as docs/reliability.md says."""
ASSERTED = {("draft2020-12", "format.json"), ("draft2019-09", "format.json")}
"""Files that say that `format` asserts nothing; here it does."""
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


@pytest.fixture
def folder(suite: Path, tmp_path: Path) -> Path:
    """A config's folder, with the suite's remote schemas in it as if it were their server."""
    shutil.copytree(suite / "remotes", tmp_path / "folder")
    return tmp_path / "folder"


def groups(suite: Path, draft: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The required tests of a draft: each file with its groups, numbers exact."""
    for file in sorted((suite / "tests" / draft).glob("*.json")):
        for group in _DECODER.decode(file.read_bytes()):
            yield file.name, group


def compiled(folder: Path, schema: Any, draft: str) -> Any:
    """The check of a schema as the router makes it: inline, or where it refers to others as a file of the folder."""
    if isinstance(schema, dict):
        schema = {"$schema": DRAFTS[draft], **schema}
    findings = Findings(lambda path, key: Place("routes.yaml"))
    check = SchemaStore(folder).compile(schema, findings, ("routes", "r", "schema"))
    if check is not None or not isinstance(schema, dict):
        return check
    if "$id" not in schema:
        # Then it is published beside the remote schemas. In draft 7, nothing counts beside a $ref.
        schema = {"$schema": schema["$schema"], "allOf": [schema]} if draft == "draft7" and "$ref" in schema else schema
        schema = {"$id": f"{SERVER}root.json", **schema}
    if not str(schema["$id"]).startswith(SERVER):
        return None
    file = folder / (urlsplit(schema["$id"]).path.strip("/") or "root.json")
    if file.is_dir():
        file /= "root.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(schema, default=float), encoding="utf-8")
    try:
        return SchemaStore(folder).compile(file.relative_to(folder).as_posix(), findings, ("routes", "r", "schema"))
    finally:
        file.unlink()


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_verdicts_of_the_suite(suite: Path, folder: Path, draft: str) -> None:
    """Every required test that is not excepted has the suite's verdict, and every exception is still one."""
    refused, wrong, right = set(), [], 0
    for file, group in groups(suite, draft):
        check = compiled(folder, group["schema"], draft)
        if check is None:
            refused.add(f"{file}: {group['description']}")
            continue
        for test in group["tests"]:
            if (check(test["data"]) is None) == test["valid"] or (draft, file) in ASSERTED:
                right += 1
            else:
                wrong.append((file, group["description"], test["description"]))

    assert (wrong, refused, right > 850) == ([], REFUSED[draft], True)


@pytest.mark.parametrize("draft", ["draft2020-12"])
def test_formats_are_asserted(suite: Path, folder: Path, draft: str) -> None:
    """Where the suite says "only an annotation", the router refuses; elsewhere in that file it agrees."""
    differing = [
        test["description"]
        for file, group in groups(suite, draft)
        if file == "format.json"
        for test in group["tests"]
        if (compiled(folder, group["schema"], draft)(test["data"]) is None) != test["valid"]
    ]

    assert (len(differing), [text for text in differing if "only an annotation" not in text]) == (19, [])
