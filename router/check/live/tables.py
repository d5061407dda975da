"""Rules about the tables that are deployed.

The states of tables, indexes and of a time to live: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
API_TableDescription.html and API_TimeToLiveDescription.html.
"""

from collections.abc import Iterable, Iterator

from router.aws.deployed import KeyAttributes, TableFacts, TtlFacts, Unanswered
from router.check.live.deployed import Deployment
from router.check.rule import Found
from router.config import spec
from router.model import Code

NO_TABLE = Code("RT701", "no such table", "Every write to it fails; the worker stops reading its queues.")
NOT_ACTIVE = Code(
    "RT702",
    "a table that is not active",
    "A table that is being made or deleted, is archived, or has lost its encryption key takes no writes.",
)
OTHER_KEY = Code(
    "RT703",
    "a table with another key",
    "DynamoDB refuses every item whose key attributes are not those of the table, in name and type. A table's key "
    "never changes: either the config is wrong, or the table must be made anew.",
)
OTHER_TTL = Code(
    "RT704",
    "a time to live that is off, or reads another attribute",
    "Items would never expire, although the config says when.",
)
UNASKED_TTL = Code(
    "RT705",
    "a time to live that the config does not know",
    "DynamoDB deletes items whose attribute of that name is a number of seconds in the past.",
    severity="warning",
)
PROVISIONED = Code(
    "RT706",
    "provisioned capacity",
    "What exceeds it for long is throttled; the messages are retried, and the queue grows meanwhile.",
    severity="info",
)
WRITABLE = ("ACTIVE", "UPDATING")
"""The states in which a table takes writes; UPDATING is that of a new index or capacity."""


def check_tables(deployment: Deployment) -> Iterator[Found]:
    """Each table is there, takes writes, and has the key and time to live of the config."""
    for name, table in deployment.config.tables.items():
        facts = deployment.seen.tables.get(name)
        reference = table.name or name
        if isinstance(facts, TableFacts):
            yield from _check_state(name, reference, facts)
            yield from _check_key(name, reference, table, facts)
            yield from _check_ttl(name, reference, table, facts.ttl)
        elif facts is not None and facts.absent:
            yield Found(
                NO_TABLE,
                f"there is no table '{reference}' in this region",
                ("tables", name),
                "make it, or check its name, the region and the profile",
                key=True,
            )


def _check_state(name: str, reference: str, facts: TableFacts) -> Iterator[Found]:
    path = ("tables", name)
    if facts.status not in WRITABLE:
        yield Found(NOT_ACTIVE, f"table '{reference}' is {facts.status}, not ACTIVE", path, key=True)
    if facts.provisioned:
        sentence = (
            f"table '{reference}' has provisioned capacity: {facts.write_units} write units, {facts.read_units} read"
        )
        advice = "an item of 1 KB takes a write unit a second, and another for each index; on-demand takes what comes"
        yield Found(PROVISIONED, sentence, path, advice, key=True)


def _check_key(name: str, reference: str, table: spec.Table, facts: TableFacts) -> Iterator[Found]:
    expected = tuple(table.key.items())
    if facts.key != expected:
        yield Found(
            OTHER_KEY,
            f"the key of table '{reference}' is {_shown(facts.key)}, not {_shown(expected)}",
            ("tables", name, "key"),
            f"write 'key: {{{_shown(facts.key)}}}', or make the table anew",
        )


def _check_ttl(name: str, reference: str, table: spec.Table, ttl: TtlFacts | Unanswered) -> Iterator[Found]:
    if isinstance(ttl, Unanswered):
        return
    if table.ttl and not ttl.on:
        sentence = f"the time to live of table '{reference}' is {ttl.status}, not on for '{table.ttl}'"
        yield Found(OTHER_TTL, sentence, ("tables", name, "ttl"), f"turn it on for '{table.ttl}'")
    elif table.ttl and ttl.attribute != table.ttl:
        sentence = f"the time to live of table '{reference}' reads '{ttl.attribute}', not '{table.ttl}'"
        yield Found(OTHER_TTL, sentence, ("tables", name, "ttl"), "let both name the same attribute")
    elif ttl.on and not table.ttl:
        sentence = f"the time to live of table '{reference}' is on and reads '{ttl.attribute}'"
        yield Found(UNASKED_TTL, sentence, ("tables", name), f"add 'ttl: {ttl.attribute}', or turn it off", key=True)


def _shown(key: KeyAttributes | Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{attribute}: {kind}" for attribute, kind in key)
