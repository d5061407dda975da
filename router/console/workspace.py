"""What the views of the console work on: a config, its environment, and the AWS that it runs on."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from router.console.jobs import ConsoleError, JobProcess

Target = Literal["files", "local", "aws"]
"""What the console shows besides files: nothing, an embedded AWS, or the AWS of the environment."""


SECONDS = 60.0
"""The time limit of a check, and of reading the state of AWS; a check of 1,000 routes takes a tenth of it."""
MESSAGE_SECONDS = 20.0
"""The time limit of running a message, for which the page waits while somebody types."""


class Workspace(Struct, frozen=True):
    """The config, the variables of its references, and the AWS of a console.

    On `local` the environment leads SDKs to the embedded AWS. Unless `writes`, nothing in AWS is changed; on `local` it
    is always true. `messages` runs jobs for which the page waits while somebody types, `checks` jobs that may take
    seconds, and `live` jobs that call AWS. `worker` is the address of the pages of the worker on `local`.
    """

    config: Path
    env: Mapping[str, str]
    messages: JobProcess
    checks: JobProcess
    live: JobProcess
    target: Target = "files"
    writes: bool = False
    worker: str = ""
    files: set[str] = field(default_factory=set)
    """The names of the files that may be saved: those of the config, as far as the page has asked for them."""


@contextmanager
def opened(
    config: Path, env: Mapping[str, str], target: Target = "files", writes: bool = False, worker: str = ""
) -> Iterator[Workspace]:
    """Open a config; its processes end with the block."""
    with (
        closing(JobProcess(env, MESSAGE_SECONDS)) as messages,
        closing(JobProcess(env, SECONDS)) as checks,
        closing(JobProcess(env, SECONDS)) as live,
    ):
        yield Workspace(config, env, messages, checks, live, target, writes, worker)


def require_aws(workspace: Workspace) -> None:
    """Raise ConsoleError if the console shows files only."""
    if workspace.target == "files":
        raise ConsoleError("offline", "this needs AWS: start router console with --local or --aws", 409)


def require_writes(workspace: Workspace) -> None:
    """Raise ConsoleError if nothing in AWS may be changed."""
    require_aws(workspace)
    if not workspace.writes:
        raise ConsoleError("read_only", "AWS is read-only here: start router console with --aws --write", 403)
