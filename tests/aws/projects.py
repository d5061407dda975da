"""A project whose stack the tests of this folder deploy: a config with a schema and a plugin, and its package.

The package is a small one whose handler does nothing; tests/e2e/test_deploy.py builds a real one.
"""

import json
import uuid
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.support.cli import app
from tests.support.dev import LocalAws
from tests.support.ops import precompile
from tests.support.program import COMPILED_NAME

Inside = Callable[..., AbstractContextManager[None]]
CONFIG = """\
version: 1
queues: {orders: {name: "${STAGE}-orders", dead_letter: "${STAGE}-orders-dlq"}}
tables: {orders: {name: "${STAGE}-orders", key: {id: S}}}
plugins: [plugins/marks.py]
routes: {orders: {queue: orders, table: orders, schema: orders.json, item: {id: id, total: total}}}
"""
PLUGIN = """\
from router import hookimpl


@hookimpl
def router_transform_item(item, message, route):
    return None
"""
HANDLER = """\
def handler(event, context):
    return {"batchItemFailures": []}
"""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 9}, "total": {"type": "number"}},
}


class StackProject:
    """A folder with a config, and the command line in it; its stack is called as its stage."""

    def __init__(self, folder: Path, inside: Inside, local: LocalAws) -> None:
        self.stack = f"s{uuid.uuid4().hex[:8]}"
        self.folder, self.config = folder, folder / "routes.yaml"
        self.package = folder / "lambda.zip"
        self._inside, self._local = inside, local
        (folder / "plugins").mkdir()
        self.write()

    def write(self, config: str = CONFIG, schema: Any = SCHEMA, plugin: str = PLUGIN) -> None:
        """Write the config with its schema and plugin, and the package of it."""
        self.config.write_text(config)
        (self.folder / "orders.json").write_text(json.dumps(schema))
        (self.folder / "plugins" / "marks.py").write_text(plugin)
        self.write_package(plugin)

    def write_package(self, plugin: str) -> None:
        """Write the package of the config."""
        with zipfile.ZipFile(self.package, "w") as archive:
            archive.writestr(COMPILED_NAME, precompile(self.config, {"STAGE": self.stack}))
            archive.writestr("router/__init__.py", "")
            archive.writestr("router/lambda_handler.py", HANDLER)
            archive.writestr("plugins/marks.py", plugin)

    def run(self, *words: str, **variables: str) -> Result:
        """Run a command as it is run in CI: not on a terminal."""
        with self._inside(self._local, **variables):
            return CliRunner().invoke(app, list(words))

    def deploy(self, *words: str) -> Result:
        """Deploy with the package that is there."""
        done = self.try_to_deploy("--yes", "--allow-breaking", *words)
        assert done.exit_code == 0, done.output
        return done

    def try_to_deploy(self, *words: str) -> Result:
        """Deploy with the package that is there, which may be refused."""
        given = ("--stack", self.stack, "-c", str(self.config), "--package", str(self.package))
        return self.run("deploy", *given, *words, STAGE=self.stack)
