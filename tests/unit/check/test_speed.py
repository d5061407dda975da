"""A thousand routes are checked while one waits."""

import subprocess
import sys
from pathlib import Path

CHECK = """
import pathlib, sys, time
from tests.support.check import check
found = check(pathlib.Path(sys.argv[1]), {})
print(len(found), time.process_time() < 5)
"""
ROUTE = """  r{0}:
    queue: q{0}
    table: things
    when: "type == 'a{0}'"
    schema:
      type: object
      required: [id, n]
      properties: {{id: {{type: string, minLength: 1, maxLength: 100}}, n: {{type: number, minimum: {0}}}}}
    item:
      id: id
      a: {{from: x.y, transform: [strip, {{truncate: 80}}]}}
      b: {{meta: sent_at}}
      c: {{template: "U#{{id}}"}}
      d: {{hash: [id, n]}}
      e: {{ttl: 90d}}
      f: "length(id)"
      g: {{from: z, type: SS, default: [a]}}
      n: {{from: n, type: N}}
"""


def test_a_thousand_routes_are_checked_in_five_seconds(tmp_path: Path) -> None:
    """Each with a schema of its own, start-up included."""
    queues = "".join(f"  q{index}: {{dead_letter: dlq}}\n" for index in range(1000))
    routes = "".join(ROUTE.format(index) for index in range(1000))
    config = tmp_path / "routes.yaml"
    config.write_text(
        f"version: 1\ntables: {{things: {{key: {{id: S}}}}}}\nqueues:\n{queues}routes:\n{routes}", encoding="utf-8"
    )

    output = subprocess.run([sys.executable, "-c", CHECK, str(config)], capture_output=True, text=True, check=True)

    assert output.stdout == "0 True\n"
