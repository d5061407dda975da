"""Tests of router.tools.cli.check_report."""

import json

import pytest

from router.tools.cli.check_report import show_seen
from router.tools.cli.report import as_json
from tests.support.aws import (
    Decision,
    DeployedFunction,
    DeployedIndex,
    DeployedMapping,
    DeployedQueue,
    DeployedState,
    DeployedTable,
    DeployedTtl,
    Unanswered,
)
from tests.support.check import OutageSurvival

ARN = "arn:aws:sqs:eu-west-1:1:orders"
FUNCTION = "arn:aws:lambda:eu-west-1:1:function:router:live"


def denied(action: str) -> Unanswered:
    return Unanswered(action, "of what", "AccessDenied")


INDEXES = (DeployedIndex("by_day", (("day", "N"), ("at", "S"))), DeployedIndex("by_state", (("state", "S"),)))
SEEN = DeployedState(
    {
        "orders": DeployedTable("a", "ACTIVE", (("id", "S"),), DeployedTtl("ENABLED", "gone"), 5, 7, INDEXES),
        "lines": DeployedTable("b", "ACTIVE", (("id", "S"), ("n", "N")), denied("dynamodb:DescribeTimeToLive")),
        "[red]": denied("dynamodb:DescribeTable"),
    },
    {
        "orders": DeployedQueue(ARN, False, 360, 345_600, 262_144, f"{ARN}-dlq", 5),
        "orders-dlq": DeployedQueue(f"{ARN}-dlq", False, 30, 1_209_600, 262_144),
        f"{ARN}-dlq": DeployedQueue(f"{ARN}-dlq", False, 30, 1_209_600, 262_144),
        "users.fifo": DeployedQueue(f"{ARN}.fifo", True, 30, 90, 1_024),
        "absent": denied("sqs:GetQueueUrl"),
    },
    {
        "orders": (
            DeployedMapping("1", FUNCTION, "Enabled", 100, 2, True, 10, 1),
            DeployedMapping("2", "other", "Disabled", 10, 0, False),
        ),
        "users": denied("lambda:ListEventSourceMappings"),
    },
    {
        FUNCTION: DeployedFunction(FUNCTION, 60, "arn:role", 50),
        "unbound": DeployedFunction("unbound", 3, "arn:role"),
        "unknown": DeployedFunction("unknown", 3, "arn:role", denied("lambda:GetFunctionConcurrency")),
        "other": denied("lambda:GetFunctionConfiguration"),
    },
    "arn:role",
    (
        Decision(ARN, ("sqs:A", "sqs:B"), ("sqs:B",)),
        denied("iam:SimulatePrincipalPolicy"),
    ),
)
SHOWN = """\
tables
table|status|key|time to live|capacity|indexes
orders|ACTIVE|id S|ENABLED gone|7 write, 5 read|by_day (day N, at S); by_state (state S)
lines|ACTIVE|id S, n N|dynamodb:DescribeTimeToLive: AccessDenied|on demand|none
[red]|dynamodb:DescribeTable: AccessDenied||||
queues
queue|kind|visibility|retention|largest message|receives|then to
orders|standard|360 s|4 days|262144 bytes|5|orders-dlq
orders-dlq|standard|30 s|14 days|262144 bytes|unlimited|none
orders.fifo|FIFO|30 s|90 s|1024 bytes|unlimited|none
absent|sqs:GetQueueUrl: AccessDenied|||||
event source mappings
queue|function|state|batch|window|reports failures|concurrency|filters
orders|router:live|Enabled|100|2 s|yes|10|1
orders|other|Disabled|10|0 s|no|no maximum|none
users|lambda:ListEventSourceMappings: AccessDenied||||||
functions
function|timeout|reserved concurrency|role
router:live|60 s|50|arn:role
unbound|3 s|none|arn:role
unknown|3 s|lambda:GetFunctionConcurrency: AccessDenied|arn:role
other|lambda:GetFunctionConfiguration: AccessDenied||
permissions of arn:role
resource|may|may not
arn:aws:sqs:eu-west-1:1:orders|A|B
of what|iam:SimulatePrincipalPolicy: AccessDenied|
outages
queue|is to survive|survives|survives crashes
orders|12 h|11 h 45 min|1 min
"""
"""What is shown of `SEEN`, without frames and with `|` between cells."""


OUTAGES = [OutageSurvival("orders", 43_200, 42_330, 60)]


def cells(text: str) -> str:
    """A table's text without its frames."""
    lines = [line for line in text.splitlines() if line[0] not in "┏┡└"]
    rows = ["|".join(cell.strip() for cell in line.strip("┃│").split("┃" if "┃" in line else "│")) for line in lines]
    return "".join(f"{row}\n" for row in rows)


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """All that was seen, a row each, a queue of two references once; what was not answered says why."""
    show_seen(SEEN, OUTAGES)

    assert cells(capsys.readouterr().out) == SHOWN


def test_little(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no table of what there is none of."""
    show_seen(DeployedState(principal=denied("sts:GetCallerIdentity")))

    assert capsys.readouterr() == ("", "")


def test_nobody_looked(capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to show."""
    show_seen(None)

    assert capsys.readouterr() == ("", "")


def test_json() -> None:
    """The findings and what was seen are one document; each value says what it is."""
    document = json.loads(
        as_json([], more={"live": DeployedState({"t": denied("dynamodb:DescribeTable")}), "outages": OUTAGES})
    )

    unanswered = {
        "type": "Unanswered",
        "action": "dynamodb:DescribeTable",
        "resource": "of what",
        "code": "AccessDenied",
    }
    assert document == {
        "findings": [],
        "claims": [],
        "live": {
            "tables": {"t": unanswered},
            "queues": {},
            "mappings": {},
            "functions": {},
            "principal": "",
            "decisions": [],
            "subscriptions": {},
        },
        "outages": [{"queue": "orders", "outlast": 43200, "survives": 42330, "survives_crashes": 60}],
    }


def test_json_of_nothing() -> None:
    """Where nobody looked there is null."""
    assert json.loads(as_json([], more={"live": None, "outages": ()})) == {
        "findings": [],
        "claims": [],
        "live": None,
        "outages": [],
    }
