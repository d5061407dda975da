"""The floors of the figures: what the router may cost at most, relative to something else measured in the same run."""

from typing import NamedTuple


class Floor(NamedTuple):
    """A row: the suite that measures it, the case, the ratio of a program to a peer, and its greatest value."""

    suite: str
    case: str
    program: str
    peer: str
    limit: float

    @property
    def ratio_of(self) -> str:
        """Which ratio it is, in words; one to a second is a time."""
        if self.peer == SECOND:
            return self.program
        return f"{TITLES.get(self.program, self.program)} to {TITLES.get(self.peer, self.peer)}"


ROUTER, BATCH_WRITER, PUT_ITEM, POWERTOOLS = "router", "batch_writer", "put_item", "powertools"
NOTHING, TABLE, LOOP, NODE, RUST = "nothing", "boto3_table", "loop", "node", "rust"
CALL, WRITE, RECEIVER, SECOND = "one call", "one write", "one receiver", "one second"
TITLES = {
    BATCH_WRITER: "jsonschema, batch_writer",
    PUT_ITEM: "jsonschema, put_item",
    POWERTOOLS: "Powertools, put_item",
    NOTHING: "an empty function",
    TABLE: "import boto3 and one Table",
    LOOP: "boto3 loop",
    NODE: "Node, sqs-consumer, ajv",
    RUST: "Rust, hyper",
}
"""The names of programs in tables, where they are not the names themselves."""

SMALL, MEDIUM, LARGE, NESTED = "1,000 small", "1,000 medium", "40 large", "1,000 nested"
PUT, MESSAGE_HOOK, ITEM_HOOK, LETTER = "put", "message hook", "item hook", "dead letter"
INSERT, NEWEST, UPDATE = "insert", "newest", "update"
TWO, MANY = "2 routes", "2,000 routes"
WAYS = "a small message"
WALL, WAITING = "1,000 small, 8 ms a call", "waiting, 1,000 small, 8 ms a call"
FIRST = "first answer, 10 small, 5 ms a call, TLS"
COLD = "cold start, with a client for TLS"
DRAIN = "a queue emptied, 8 ms a call"
STORED, CALLS, IDLE = "from sent to stored, 100 a second", "calls, 100 a second", "calls, an idle queue"
SAMPLE, OWN, ONE_QUEUE, HELP = "check: the sample", "check: 1,000 schemas", "check: one queue", "--help"
UNITS = (CALL, WRITE, SECOND)
"""The peers that are constants."""
COUNTED = (CALLS, IDLE)
"""The cases whose figures are calls; the others are seconds."""

FLOORS = (
    Floor("handlers", SMALL, ROUTER, BATCH_WRITER, 1 / 18),
    Floor("handlers", MEDIUM, ROUTER, BATCH_WRITER, 1 / 25),
    Floor("handlers", LARGE, ROUTER, BATCH_WRITER, 1 / 40),
    Floor("handlers", NESTED, ROUTER, BATCH_WRITER, 1 / 26),
    Floor("function", WALL, ROUTER, BATCH_WRITER, 1 / 22),
    Floor("function", WAITING, ROUTER, CALL, 1.5),
    Floor("function", FIRST, ROUTER, NOTHING, 3.0),
    Floor("cold", COLD, ROUTER, TABLE, 1 / 3),
    Floor("drain", DRAIN, ROUTER, LOOP, 1 / 22),
    Floor("drain", DRAIN, ROUTER, NODE, 1 / 6),
    Floor("latency", STORED, ROUTER, WRITE, 1.8),
    Floor("latency", IDLE, ROUTER, RECEIVER, 1.1),
    Floor("latency", CALLS, ROUTER, RECEIVER, 1.25),
    Floor("ways", WAYS, MANY, TWO, 1.7),
    Floor("ways", WAYS, MESSAGE_HOOK, PUT, 1.5),
    Floor("ways", WAYS, ITEM_HOOK, PUT, 1.5),
    Floor("ways", WAYS, LETTER, PUT, 5),
    Floor("ways", WAYS, INSERT, PUT, 10),
    Floor("ways", WAYS, NEWEST, PUT, 10),
    Floor("ways", WAYS, UPDATE, PUT, 10),
    Floor("check", SAMPLE, ROUTER, TABLE, 0.5),
    Floor("check", OWN, ROUTER, TABLE, 8),
    Floor("check", ONE_QUEUE, MANY, "1,000 routes", 2.2),
    Floor("check", HELP, "the slowest command", SECOND, 0.1),
)
