"""Twenty configs, from one route to a thousand, each with another part of what a stack can have, made by a seed."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal

from msgspec import Struct

Json = dict[str, Any]
ACCOUNT = "000000000000"
KEYS = [f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{number}234abcd-12ab-34cd-56ef-1234567890ab" for number in range(3)]
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms"
OWNERS: Json = {"owner": "shop", "owners": {"shop": {"alarm_topic": TOPIC}}, "tags": {"cost-center": "42"}}
TAG = ("--tag", "stage=test")
RIGHTS = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
SENDERS = [f"arn:aws:sns:us-east-1:{ACCOUNT}:orders", "arn:aws:s3:::uploads", f"arn:aws:iam::{ACCOUNT}:role/shop"]
INDEXES: Json = {
    "by_city": {"key": {"city": "S", "v": "N"}, "projection": ["total"]},
    "by_total": {"key": {"total": "N"}, "projection": "keys"},
}
PATCH: Json = {
    "Function": {
        "Properties": {"TracingConfig": {"Mode": "Active"}, "LoggingConfig": {"ApplicationLogLevel": "DEBUG"}}
    },
    "AWS::DynamoDB::Table": {"Properties": {"StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"}}},
}
NO_SCALING: Json = {f"AWS::ApplicationAutoScaling::{each}": None for each in ("ScalableTarget", "ScalingPolicy")}
"""The local AWS knows nothing of what scales tasks."""
WRITES: Sequence[Json] = (
    {"mode": "put"},
    {"mode": "insert"},
    {"mode": "newest", "version": "v"},
    {"mode": "update"},
    {"mode": "update", "version": "v"},
)
MORE_WRITES: Sequence[Json] = ({"mode": "update", "add": ["v"], "once": "t0"}, {"mode": "delete", "version": "v"})
SCHEMA: Json = {
    "type": "object",
    "required": ["kind", "id", "v"],
    "properties": {
        "kind": {"type": "string", "maxLength": 9},
        "id": {"type": "string", "minLength": 1, "maxLength": 20},
        "v": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
        "city": {"type": "string", "minLength": 1, "maxLength": 40},
        "total": {"type": "number", "minimum": 0, "maximum": 1_000_000, "multipleOf": 0.01},
    },
}


class Case(Struct, frozen=True):
    """What a config has: how many routes, queues and tables, and settings of each queue, of each table, and of all."""

    name: str
    routes: int = 2
    queues: int = 1
    tables: int = 1
    queue: Json = {}
    table: Json = {}
    more: Json = {}
    letters: Json = {}
    patch: Json = {}
    writes: Sequence[Json] = WRITES
    words: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    end: Literal["", ".fifo"] = ""
    has_worker: bool = False
    has_canary: bool = False


CASES = (
    Case("tiny", routes=1),
    Case("FIFO", 4, 2, 2, {"atomic": True}, end=".fifo"),
    Case("write modes, time to live", 21, 3, 3, table={"ttl": "gone"}, writes=(*WRITES, *MORE_WRITES)),
    Case("many queues", 24, 24, 24),
    Case("shared tables", 16, 8, 2),
    Case("indexes", 4, 2, 2, table={"indexes": INDEXES}),
    Case("senders", 3, 3, 1, {"senders": SENDERS}),
    Case("owners", more=OWNERS, tags={"owner": "shop", "cost-center": "42"}),
    Case("tags, boundary", words=(*TAG, "--permissions-boundary", BOUNDARY), tags={"stage": "test"}),
    Case("worker", 6, 3, 2, has_worker=True, patch=NO_SCALING),
    Case("worker, FIFO", 8, 4, 4, end=".fifo", has_worker=True, patch=NO_SCALING),
    Case("KMS keys", 4, 2, 2, {"kms_key": KEYS[0]}, {"kms_key": KEYS[1]}, letters={"kms_key": KEYS[2]}),
    Case("network", more={"function": {"vpc": {"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"]}}}),
    Case("metrics of routes", 6, 2, 2, more={"telemetry": {"metrics": "route"}}),
    Case("canary", has_canary=True),
    Case("dead-letter queues", 4, 4, 1, letters={"retention": "10d", "deletion_policy": "retain"}),
    Case("patch", patch=PATCH),
    Case("100 routes", 100, 25, 20),
    Case("300 routes", 300, 40, 30),
    Case("1,000 routes", 1_000, 40, 40),
)


def make_config(case: Case, seed: int) -> Json:
    """Return the config of a case."""
    random = Random(f"{seed} {case.name}")
    queues: Json = {}
    for number in range(case.queues):
        queues[f"q{number}"] = _queue(f"q{number}", case, random)
        if case.letters:
            queues[f"l{number}"] = {"name": f"${{STAGE:-dev}}-q{number}-dlq{case.end}", **case.letters}
            queues[f"q{number}"]["dead_letter"] = f"l{number}"
    tables = {f"t{number}": _table(f"t{number}", case) for number in range(case.tables)}
    routes = {}
    for number in range(case.routes):
        table = number if number < case.tables else random.randrange(case.tables)
        routes[f"r{number}"] = _route(f"r{number}", f"q{number % case.queues}", f"t{table}", random.choice(case.writes))
    return {"version": 1, "queues": queues, "tables": tables, "routes": routes, **case.more}


def _queue(name: str, case: Case, random: Random) -> Json:
    mapping: Json = {"batch_size": random.randint(2, 10)}
    if not case.end:
        mapping = {"batch_size": random.randint(11, 500), "window": f"{random.randint(1, 2)}s"}
    return {
        "name": f"${{STAGE:-dev}}-{name}{case.end}",
        "dead_letter": f"${{STAGE:-dev}}-{name}-dlq{case.end}",
        "match": "first",
        "retention": f"{random.randint(1, 4)}d",
        "max_receive_count": random.randint(10, 20),
        "lambda": mapping,
        **case.queue,
    }


def _table(name: str, case: Case) -> Json:
    return {"name": f"${{STAGE:-dev}}-{name}", "key": {"id": "S"}, **case.table}


def _route(name: str, queue: str, table: str, write: Json) -> Json:
    item: Json = {"id": {"template": f"{name}#{{id}}"}, "v": "v"}
    if write["mode"] != "delete":
        item |= {"city": "city", "total": "total", "gone": {"ttl": "90d"}}
    where = {"queue": queue, "table": table, "when": f"kind == '{name}'", "schema": "orders.json"}
    return {**where, "item": item, "write": write}


def change_config(config: Mapping[str, Any], case: Case) -> Json:
    """Return a config with one flow more, a longer retention of the first queue, and more memory of the function."""
    first = {**config["queues"]["q0"], "retention": "6d"}
    names = {"name": f"${{STAGE:-dev}}-new{case.end}", "dead_letter": f"${{STAGE:-dev}}-new-dlq{case.end}"}
    return {
        **config,
        "queues": {**config["queues"], "q0": first, "new": {**first, **names}},
        "tables": {**config["tables"], "new": _table("new", case)},
        "routes": {**config["routes"], "new": _route("new", "new", "new", WRITES[0])},
        "function": {**config.get("function", {}), "memory": 640},
    }


def messages(config: Mapping[str, Any], id_: str, version: int = 1) -> dict[str, list[Json]]:
    """Return a message of each route, by queue."""
    found: dict[str, list[Json]] = {}
    for name, route in config["routes"].items():
        message = {"kind": name, "id": id_, "v": version, "city": "Pune", "total": 9.99}
        found.setdefault(route["queue"], []).append(message)
    return found
