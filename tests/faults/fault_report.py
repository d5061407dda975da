"""The page that a soak leaves: what is injected, what must hold, and what came of the last run."""

import os
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from tests.faults.fault_proxy import TOLD

_PAGE = """\
# Reliability

Written by `make soak`; edit `tests/faults/fault_report.py` instead of this page.

Between the program and the AWS that it works on stands a proxy. By a seeded plan it breaks a share of all calls, to
tables and queues alike. The program is the real one, as a process: `router worker`, or the Lambda handler. Behind the
proxy is a local server (see [Local AWS](local-aws.md)), so this proves what the router does, not what AWS does.

## What is injected

{injected}

Where it is said that the server has done the work, the client cannot know that: it asks again, and the second request
must have no second effect. Time-outs are shortened to 1 second for tables and 2 for queues, so that a test can wait for
them, and a write is tried only twice, so that messages are left for another delivery now and then. Besides, the worker
is ended in the middle of its work, with SIGKILL or SIGTERM, and started again.

## What must hold

In each run messages go to six queues, one for each way of writing: `put`, `insert`, `newest`, `update` with `add` and
`append` under `once`, `atomic`, and FIFO with two routes. A twentieth of them can never succeed. In the end, with empty
queues:

- Nothing is lost: each message is in its table, or, if it cannot succeed, in the dead-letter queue. A second letter
  after a lost answer is allowed, a missing one is not, and no other message may be there.
- Each table has exactly the items of a model: the first `insert`, the greatest `version`, each sum right, each appended
  element there once, each order with all of its lines.
- `newest` never goes backwards. The table is looked at the whole time.
- FIFO: the first write of each message began after the one before it in its group was confirmed, as the proxy saw it;
  and where each message replaces the item of the one before, the last one is there in the end.
- No message of the `put` queue was deleted by the worker before the proxy had passed on a whole answer that confirms
  its write or its dead letter.
- After SIGTERM the exit code is 0, and no `put` and no counted message was sent to its table twice: a message whose
  work had begun does not come again. (One that was received while the worker stopped is released untouched.)

The Lambda function gets its messages in batches of ten, and those that it reports as failed again, until none is left.

## The last run

{result}

## Run it

`make test` has the short forms, with fixed seeds: `tests/faults/`. The long form writes this page:

```console
$ make soak
$ make soak MESSAGES=20000 MINUTES=30 SEED=7
```

`MESSAGES` is for each run of the table. `MINUTES` bounds the whole: a run that has had its share of the time begins no
new wave. It exits with 1, and leaves this page alone, if anything above does not hold.
"""


class Run(NamedTuple):
    """What a run came to."""

    name: str
    messages: int
    calls: int
    faults: Counter[str]
    restarts: int
    lost: int
    twice: int


def page(runs: Sequence[Run], seed: int) -> str:
    """The whole page."""
    return _PAGE.format(injected="\n".join(f"- {told}" for told in TOLD.values()), result=_result(runs, seed))


def _result(runs: Sequence[Run], seed: int) -> str:
    faults = sum((run.faults for run in runs), Counter[str]())
    rows = [
        (
            run.name,
            *map(_number, (run.messages, run.calls, run.faults.total(), run.restarts, run.lost, run.twice)),
        )
        for run in [*runs, _total(runs)]
    ]
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    return "\n\n".join(
        (
            f"{datetime.now(UTC):%Y-%m-%d}, {machine}, seed {seed}.",
            _table(("run", "messages", "calls", "faults injected", "restarts", "lost", "duplicated effects"), rows),
            _table(("fault", "injected"), [(told, _number(faults[kind])) for kind, told in TOLD.items()]),
        )
    )


def _total(runs: Sequence[Run]) -> Run:
    return Run(
        "all",
        sum(run.messages for run in runs),
        sum(run.calls for run in runs),
        sum((run.faults for run in runs), Counter[str]()),
        sum(run.restarts for run in runs),
        sum(run.lost for run in runs),
        sum(run.twice for run in runs),
    )


def _number(number: int) -> str:
    return f"{number:,}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
