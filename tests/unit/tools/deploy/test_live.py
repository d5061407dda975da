"""The comparison of a config with the deployed resources."""

from pathlib import Path

from router.tools.deploy.live import LiveComparison
from tests.support.program import load

CONFIG = """\
version: 1
tables: {users: {key: {id: S}}}
routes: {users: {queue: users, table: users}}
"""


def test_a_config_with_errors(tmp_path: Path) -> None:
    """A config with errors is not compared, which is a finding; AWS is not called."""
    (tmp_path / "routes.yaml").write_text(
        "queues: {users: {dead_letter: letters}}\n" + CONFIG.replace("table: users}", "table: user}"), encoding="utf-8"
    )
    loaded = load(tmp_path / "routes.yaml", {})
    comparison = LiveComparison()

    comparison(loaded)

    assert ([f"{each.code.id} {each.sentence}; {each.suggestion}" for each in loaded.findings], comparison.seen) == (
        [
            "RT756 nothing is compared with AWS; fix the errors first",
            "RT201 unknown table 'user'; did you mean 'users'?",
        ],
        None,
    )
