"""`router graph` as a user starts it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]
HEAD = "version: 1\ntables: {things: {key: {id: S}}}\nroutes:\n"


def test_formats(router: Run, repo: Path) -> None:
    """Mermaid by default; a picture if asked for."""
    mermaid = router("graph", cwd=repo)
    svg = router("graph", "--format", "svg", cwd=repo)

    assert (mermaid.stdout.splitlines()[0], svg.stdout[:4]) == ("flowchart LR", "<svg")


def test_a_thousand_routes(router: Run, tmp_path: Path) -> None:
    """They are grouped into a picture that can be read; a pattern selects what is drawn in full."""
    routes = "".join(
        f"  team{number % 20}-{number}: {{queue: q{number % 20}, table: things}}\n" for number in range(1000)
    )
    (tmp_path / "routes.yaml").write_text(HEAD + routes)

    whole = json.loads(router("graph", "--format", "json").stdout)
    one = json.loads(router("graph", "--format", "json", "--select", "team7-*", "--group", "none").stdout)

    assert [len(each["nodes"]) for each in (whole, one)] == [20 + 20 + 1, 1 + 50 + 1]


def test_a_file(router: Run, tmp_path: Path) -> None:
    """The output may be a file; variables need not be set."""
    config = f"{HEAD}  r: {{queue: q, table: things}}\n".replace("{key", "{name: '${NAME}', key")
    (tmp_path / "routes.yaml").write_text(config)

    done = router("graph", "--format", "mermaid", "-o", "flows.md")

    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "flows.md").read_text().startswith("flowchart LR\n")


def test_errors_of_the_user(router: Run, tmp_path: Path) -> None:
    """A pattern that nothing matches, and a config with errors."""
    (tmp_path / "routes.yaml").write_text(f"{HEAD}  r: {{queue: q, table: things}}\n")
    none = router("graph", "--select", "x*")
    (tmp_path / "routes.yaml").write_text(f"{HEAD}  r: {{queue: q}}\n")
    wrong = router("graph")

    assert (none.returncode, none.stderr) == (2, "router: no queue, route or table has a name such as 'x*'\n")
    assert (wrong.returncode, "RT10" in wrong.stderr) == (2, True)
