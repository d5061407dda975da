"""The runbooks: each command of a section runs in the state that the section is about."""

import json
import re
import shlex
import uuid
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from router import codes
from router.model import Code, Outcome, Record
from router.runtime.aws.calls import Duration, boottime
from router.runtime.aws.connect import connect
from tests.aws.projects import Inside
from tests.support.cli import app
from tests.support.deliver import FixedDeadline, StartLimit, send_dead_letters
from tests.support.dev import LocalAws, local_aws
from tests.support.program import load_program

pytestmark = pytest.mark.usefixtures("kept_clients")
_PAGE = (Path(__file__).parents[2] / "docs" / "runbooks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (RT\d+: .*?)\n(.*?)(?=^## |\Z)", _PAGE, re.MULTILINE | re.DOTALL))
PAGES = {title[:5]: text for title, text in SECTIONS.items()}
OUTCOMES = {each.id: each for each in vars(codes).values() if isinstance(each, Code) and each.id.startswith("RT8")}
CONFIG = """
version: 1
queues: {orders: {name: PREFIX-orders, dead_letter: PREFIX-dlq}}
tables: {orders: {name: PREFIX-orders, key: {id: S}}}
routes:
  orders:
    queue: orders
    table: orders
    item: {id: id}
    tests: [{name: an order, message: {id: a}, item: {id: a}}]
"""


class Night:
    """A queue, its dead-letter queue and a table; and the command line in the folder of their config."""

    def __init__(self, folder: Path, inside: Inside, server: LocalAws, sqs: Any, dynamodb: Any) -> None:
        self.prefix = f"n{uuid.uuid4().hex[:8]}"
        self.folder, self._inside, self._server = folder, inside, server
        self.sqs, self.dynamodb = sqs, dynamodb
        (folder / "routes.yaml").write_text(CONFIG.replace("PREFIX", self.prefix))
        for queue in ("dlq", "orders"):
            sqs.create_queue(QueueName=f"{self.prefix}-{queue}")
        dynamodb.create_table(
            TableName=f"{self.prefix}-orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def url(self, queue: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=f"{self.prefix}-{queue}")["QueueUrl"])

    def reject(self, code: Code) -> None:
        """Send a dead letter as the router does, of a message that the config takes by now."""
        record = Record("original", "handle", '{"id": "a"}', {"SenderId": "AIDA", "SentTimestamp": "1767323045678"})
        outcome = Outcome("rejected", code.id, code.title, "orders")
        limit = StartLimit(FixedDeadline(boottime() + 60), boottime(), [Duration()])
        with self._inside(self._server):
            queue = load_program(self.folder / "routes.yaml", {}).engine.queues["orders"]
            assert send_dead_letters(connect(4).queues, queue, [(record, outcome)], limit, boottime) == {}

    def begin(self, code: str) -> None:
        """Bring about what the page of a code is about."""
        if f"dlq list --code {code}" in PAGES[code]:
            self.reject(OUTCOMES[code])
            return
        # It waits on its queue, and SQS has moved another one.
        for queue in ("orders", "dlq"):
            self.sqs.send_message(QueueUrl=self.url(queue), MessageBody='{"id": "a"}')
        if code == codes.CONFIGURATION_ERROR.id:
            self.dynamodb.delete_table(TableName=f"{self.prefix}-orders")
        if code == codes.NO_DEAD_LETTER.id:
            self.sqs.delete_queue(QueueUrl=self.url("dlq"))

    def mend(self, code: str) -> None:
        """Do what the page says, before letters are redriven."""
        if code == codes.NO_DEAD_LETTER.id:
            self.sqs.create_queue(QueueName=f"{self.prefix}-dlq")

    def run(self, line: str) -> Result:
        """Run a command, which is about the message of this night."""
        _, *words = shlex.split(line.replace("$ID", "original"))
        with self._inside(self._server):
            return CliRunner().invoke(app, words)


def commands(text: str) -> list[str]:
    """Return the commands of a part of a page."""
    blocks = re.findall(r"```bash\n(.+?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def night(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    inside: Inside,
    server: LocalAws,
    sqs: Any,
    dynamodb: Any,
) -> Night:
    monkeypatch.chdir(tmp_path)
    return Night(tmp_path, inside, server, sqs, dynamodb)


def test_there_is_a_section_for_each_code() -> None:
    """It has the title of the code, and says when to redrive."""
    assert [*SECTIONS] == [f"{code}: {OUTCOMES[code].title}" for code in sorted(OUTCOMES)]
    assert [code for code, text in PAGES.items() if "Redrive: " not in text] == []


# One server: the clients that are kept know no other.
@pytest.mark.parametrize("server", [local_aws], ids=["ministack"], indirect=True)
@pytest.mark.parametrize("code", sorted(PAGES))
def test_the_commands_of_a_section(night: Night, code: str) -> None:
    """They run, and end as commands that find something do; what is redriven is written, and no letter any more."""
    night.begin(code)

    ended: dict[str, Result] = {}
    for line in commands(PAGES[code]):
        if line.startswith("router dlq"):
            night.mend(code)
        ended[line] = night.run(line)

    assert [(line, done.output) for line, done in ended.items() if done.exit_code not in (0, 1)] == []
    crashed = [done.exception for done in ended.values() if not isinstance(done.exception, SystemExit | None)]
    assert (bool(ended), crashed) == (True, [])
    if any(" redrive " in line for line in ended):
        stored = night.dynamodb.get_item(TableName=f"{night.prefix}-orders", Key={"id": {"S": "a"}})
        attributes = night.sqs.get_queue_attributes(QueueUrl=night.url("dlq"), AttributeNames=["All"])["Attributes"]
        assert (stored.get("Item"), attributes["ApproximateNumberOfMessages"]) == ({"id": {"S": "a"}}, "0")


def test_explain_prints_the_section_of_a_code() -> None:
    """So that whoever has a code finds what to do."""
    done = CliRunner().invoke(app, ["check", "--explain", "rt806"])

    assert PAGES["RT806"].strip() in done.output


@pytest.mark.parametrize("server", [local_aws], ids=["ministack"], indirect=True)
def test_dead_letters_by_sender(night: Night) -> None:
    """For people and programs; an empty queue has none."""
    empty = night.run("router dlq list --by sender")
    night.reject(codes.INVALID)

    shown, as_json = (night.run(f"router dlq list --by sender{option}") for option in ("", " --json"))

    assert (empty.exit_code, empty.stdout) == (0, f"{night.prefix}-dlq: no message that is visible and selected\n")
    assert shown.stdout.splitlines()[0] == f"{night.prefix}-dlq: 1 message by sender"
    assert (shown.exit_code, "AIDA" in shown.stdout) == (1, True)
    (queue,) = json.loads(as_json.stdout)
    assert (queue["messages"], queue["by"][0]["sender"], queue["by"][0]["example"]) == (1, "AIDA", "original")
