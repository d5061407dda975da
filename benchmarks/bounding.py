"""Measures what bounding the nesting takes of reading an event: `python benchmarks/bounding.py`; prints JSON, seconds.

The event is like GitHub's `issues.opened`: 9 KB of flat objects, full of URIs with templates, whose braces are
brackets in texts. Of each figure it is the least of several repetitions, which take turns.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ways import BRACKETS, WHOLE

REPETITIONS, TIMES = 25, 20
_HUB = "https://api.github.com"
_OF_A_USER = (
    *("followers", "following{/other_user}", "gists{/gist_id}", "starred{/owner}{/repo}", "subscriptions"),
    *("organizations", "repos", "events{/privacy}", "received_events"),
)
_OF_A_REPOSITORY = (
    *("forks", "keys{/key_id}", "collaborators{/collaborator}", "teams", "hooks", "issues/events{/number}", "events"),
    *("assignees{/user}", "branches{/branch}", "tags", "git/blobs{/sha}", "git/tags{/sha}", "git/refs{/sha}"),
    *("git/trees{/sha}", "statuses/{sha}", "languages", "stargazers", "contributors", "subscribers", "subscription"),
    *("commits{/sha}", "git/commits{/sha}", "comments{/number}", "issues/comments{/number}", "contents/{+path}"),
    *("compare/{base}...{head}", "merges", "{archive_format}{/ref}", "downloads", "issues{/number}", "pulls{/number}"),
    *(
        "milestones{/number}",
        "notifications{?since,all,participating}",
        "labels{/name}",
        "releases{/id}",
        "deployments",
    ),
)


def main() -> None:
    """Measure, and print the figures."""
    from router.runtime.engine.decode import bound_memory, bound_nesting, decode_json
    from router.runtime.program.load import load_program

    text = json.dumps(event(), separators=(",", ":"))
    route = {"queue": "events", "table": "events", "schema": schema_of(event())}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "routes.yaml"
        tables = {"events": {"key": {"id": "S"}}}
        path.write_text(
            json.dumps({"version": 1, "tables": tables, "routes": {"events": route | {"item": {"id": "action"}}}})
        )
        validate = load_program(path, {}).engine.queues["events"].routes[0].validate
    assert validate

    def whole() -> None:
        bound_nesting(text)
        bound_memory(text)
        validate(decode_json(text))

    print(json.dumps({BRACKETS: least(lambda: bound_nesting(text)), WHOLE: least(whole)}))


def event() -> dict[str, Any]:
    """Return the event."""
    owner = _user("Codertocat", 21031067)
    own = f"{_HUB}/repos/Codertocat/Hello-World"
    label = {"id": 1362934389, "node_id": "MDU6TGFiZWwxMzYyOTM0Mzg5", "name": "bug", "color": "d73a4a", "default": True}
    milestone = {"url": f"{own}/milestones/1", "number": 1, "title": "v1.0", "creator": owner, "state": "closed"}
    urls = {f"{path.partition('{')[0]}_url": f"{own}/{path}" for path in _OF_A_REPOSITORY}
    return {
        "action": "opened",
        "issue": {
            "url": f"{own}/issues/1",
            "labels_url": f"{own}/issues/1/labels{{/name}}",
            "comments_url": f"{own}/issues/1/comments",
            "id": 444500041,
            "node_id": "MDU6SXNzdWU0NDQ1MDAwNDE=",
            "number": 1,
            "title": "Spelling error in the README file",
            "user": owner,
            "labels": [label],
            "state": "open",
            "locked": False,
            "assignee": owner,
            "assignees": [owner],
            "milestone": milestone,
            "created_at": "2019-05-15T15:20:18Z",
            "author_association": "OWNER",
            "body": "It looks like you accidentally spelled 'commit' with two 't's.",
        },
        "repository": {"id": 186853002, "name": "Hello-World", "private": False, "owner": owner, **urls},
        "sender": owner,
    }


def _user(name: str, number: int) -> dict[str, Any]:
    urls = {f"{path.partition('{')[0]}_url": f"{_HUB}/users/{name}/{path}" for path in _OF_A_USER}
    more = {"node_id": "MDQ6VXNlcjIxMDMxMDY3", "avatar_url": f"https://avatars.example.com/u/{number}?v=4"}
    return {"login": name, "id": number, **more, "type": "User", "site_admin": False, **urls}


def schema_of(value: Any) -> dict[str, Any]:
    """Return a schema as GitHub's: the type of each part, which texts are URIs, and that there is no other part."""
    if isinstance(value, dict):
        parts = {name: schema_of(each) for name, each in value.items()}
        return {"type": "object", "required": [*value], "properties": parts, "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array", "items": schema_of(value[0])}
    if isinstance(value, str) and value.startswith(_HUB):
        return {"type": "string", "format": "uri-template" if "{" in value else "uri"}
    return {"type": {str: "string", bool: "boolean", int: "integer"}[type(value)]}


def least(act: Callable[[], object]) -> float:
    """Return the least processor seconds of a call."""
    found = float("inf")
    for _ in range(REPETITIONS):
        began = time.process_time()
        for _ in range(TIMES):
            act()
        found = min(found, time.process_time() - began)
    return found / TIMES


if __name__ == "__main__":
    main()
