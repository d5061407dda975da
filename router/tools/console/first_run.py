"""The call of the first view, which is shown while there is no config: it makes a project from messages."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from router.tools.console.api import Call
from router.tools.console.letters import run_command
from router.tools.console.workspace import ConsoleError, Workspace


class FirstRoute(Struct, frozen=True):
    """Messages as JSON or JSON lines, the queue that they are on, and the field that is the key, or ""."""

    samples: str
    queue: str
    key: str = ""


def make_project(workspace: Workspace, given: FirstRoute) -> Any:
    """Make a project as `router new` does, and return what that prints; raises ConsoleError."""
    if workspace.config.exists():
        raise ConsoleError("conflict", f"there is a {workspace.config.name} already", 409)
    with TemporaryDirectory() as folder:
        samples = Path(folder, "samples.jsonl")
        samples.write_text(given.samples, encoding="utf-8", errors="surrogatepass")
        words = ["new", f"--config={workspace.config}", f"--queue={given.queue}"]
        words += [f"--key={given.key}"] if given.key else []
        return run_command(workspace, [*words, "--yes", "--json", "--", str(samples)]).report


CALLS = (Call("first_run/new", FirstRoute, make_project),)
