"""What the tests of `router.tools.change` share: two versions of a config, and their comparison."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.tools.change.compare import compare_versions
from router.tools.change.report import DiffReport
from router.tools.change.versions import ConfigVersion, open_version

TABLES = {"things": {"key": {"id": "S"}}}
ROUTE = {"queue": "things", "table": "things", "item": {"id": "id"}}
_ENCODER = msgspec.json.Encoder(decimal_format="number")

Open = Callable[..., ConfigVersion]
Diff = Callable[..., DiffReport]
DiffTexts = Callable[[str, str], DiffReport]


def config_of(routes: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    """Return a config in which each route has the queue, table and mapping of `ROUTE` unless it says otherwise."""
    given = {name: {**ROUTE, **route} for name, route in routes.items()}
    return {"version": 1, "tables": TABLES, "routes": given, **sections}


@pytest.fixture
def open_config(tmp_path: Path) -> Iterator[Open]:
    """Return a function that writes a config, as JSON, into a folder of its own, and opens it."""
    with ExitStack() as stack:

        def run(config: Mapping[str, Any], folder: str = "one") -> ConfigVersion:
            file = tmp_path / folder / "routes.yaml"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(_ENCODER.encode(config))
            return open_version(str(file), file, {"ROUTER_REDACT_KEY": "k" * 32}, stack)

        yield run


@pytest.fixture
def diff(open_config: Open) -> Diff:
    """Return a function that compares two configs."""
    return lambda old, new: compare_versions(open_config(old, "old"), open_config(new, "new"))


@pytest.fixture
def diff_texts(tmp_path: Path) -> Iterator[DiffTexts]:
    """Return a function that compares two configs in YAML."""
    with ExitStack() as stack:

        def run(old: str, new: str) -> DiffReport:
            files = [tmp_path / f"{name}.yaml" for name in ("old", "new")]
            for file, text in zip(files, (old, new), strict=True):
                file.write_text(text)
            before, after = (open_version(str(file), file, {}, stack) for file in files)
            return compare_versions(before, after)

        yield run
