"""No message contradicts a verdict: random pairs of configs, and messages that know nothing of the proofs."""

import random
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest

from router.prover.sampling import Sampler
from router.tools.change.edits import edits
from router.tools.change.routes import RouteVersion, routes_of
from router.tools.change.running import record_of, run
from tests.support.program import Location
from tests.unit.tools.change.conftest import Diff, Open, config_of

NAMES = ("a", "b", "c", "kind", "list", "inner")
TEXTS = ("", "x", "AB12", "2026-01-02", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "zz" * 20, "order", "device")
VALUES: tuple[Any, ...] = (
    *TEXTS,
    0,
    1,
    -1,
    5,
    10,
    11,
    2.5,
    True,
    False,
    None,
    [],
    {},
    ["x"],
    [1, 1],
    {"a": 1},
    [{"a": "x"}],
)
WHENS = (
    None,
    "kind == 'order'",
    "kind != 'order'",
    "a",
    "contains(['order', 'device'], kind)",
    "length(list) > `1`",
    "b > `3`",
)
Schema = dict[str, Any]


def scalar(dice: random.Random) -> Schema:
    """A schema of one value."""
    choices: list[Schema] = [
        {"type": "string"},
        {"type": "string", "minLength": dice.randint(0, 3), "maxLength": dice.randint(3, 12)},
        {"type": "string", "pattern": dice.choice(["^[A-Z]{2}[0-9]+$", "^x", "[0-9]$", "^(a|b)+$"])},
        {"type": "string", "format": dice.choice(["date", "uuid", "email"])},
        {"type": "integer", "minimum": dice.randint(-1, 2)},
        {"type": "number", "maximum": dice.randint(3, 12)},
        {"enum": dice.sample(["order", "device", "x", 1, None], dice.randint(1, 4))},
        {"type": ["string", "null"]},
        {"type": "boolean"},
        {"const": dice.choice(["order", 1])},
        {},
    ]
    return dice.choice(choices)


def value_schema(dice: random.Random, depth: int = 0) -> Schema:
    """A schema of a value of any type."""
    pick = dice.random()
    if depth > 1 or pick < 0.55:
        return scalar(dice)
    if pick < 0.7:
        return {"type": "array", "items": value_schema(dice, depth + 1), "maxItems": dice.randint(1, 5)}
    if pick < 0.8:
        return {dice.choice(["anyOf", "oneOf", "allOf"]): [scalar(dice), value_schema(dice, depth + 1)]}
    if pick < 0.85:
        return {"not": scalar(dice)}
    return object_schema(dice, depth + 1)


def object_schema(dice: random.Random, depth: int = 0) -> Schema:
    """A schema of an object."""
    names = dice.sample(NAMES, dice.randint(1, 4))
    schema: Schema = {"type": "object", "properties": {name: value_schema(dice, depth + 1) for name in names}}
    if dice.random() < 0.5:
        schema["required"] = dice.sample(names, dice.randint(1, len(names)))
    if dice.random() < 0.2:
        schema["additionalProperties"] = dice.choice([False, {"type": "string"}])
    if dice.random() < 0.15:
        schema["if"] = {"properties": {"kind": {"const": "order"}}, "required": ["kind"]}
        schema["then"] = {"required": [dice.choice(NAMES)]}
    if dice.random() < 0.15:
        schema["patternProperties"] = {"^[ab]$": scalar(dice)}
    return schema


def root_schema(dice: random.Random) -> Schema:
    """A schema of messages with the key of their table; some are in an older draft, or refer to themselves."""
    schema = object_schema(dice)
    schema["properties"]["id"] = {"type": "string", "minLength": 1, "maxLength": 40}
    schema["required"] = [*schema.get("required", []), "id"]
    if isinstance(schema.get("additionalProperties"), dict) and dice.random() < 0.5:
        schema["additionalProperties"] = {"$ref": "#"}
    if dice.random() < 0.2:
        schema["properties"]["inner"] = {"type": "array", "items": {"$ref": "#"}}
    if dice.random() < 0.3:
        schema = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    return schema


def edited(schema: Schema, dice: random.Random) -> Schema:
    """The schema with one plausible edit, or another schema."""
    new = deepcopy(schema)
    properties = new["properties"]
    name = dice.choice(list(properties))
    match dice.randint(0, 7):
        case 0:
            new["required"] = sorted({*new["required"], name})
        case 1:
            new["required"] = [each for each in new["required"] if each == "id" or dice.random() < 0.5]
        case 2:
            properties[dice.choice(NAMES)] = value_schema(dice)
        case 3 if name != "id":
            del properties[name]
        case 4:
            properties[name] = {**properties[name], **scalar(dice)}
        case 5:
            new["additionalProperties"] = dice.choice([False, True, {"type": "string"}])
        case 6:
            draft = {"$schema": new.pop("$schema")} if "$schema" in new else {}
            other = root_schema(dice)
            other.pop("$schema", None)
            new = {**draft, "anyOf": [new, other], "properties": {}, "required": []}
        case _:
            new = root_schema(dice)
    return new


def pair_of(dice: random.Random) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Two versions of a config, each with a route `first` before the route `main`."""
    schema = root_schema(dice)
    routes: list[dict[str, Any]] = []
    whens, earlier = dice.choice(WHENS), dice.choice(WHENS)
    for version in (0, 1):
        route = {"schema": schema if not version or dice.random() < 0.3 else edited(schema, dice)}
        if version and dice.random() < 0.3:
            whens = dice.choice(WHENS)
        if version and dice.random() < 0.3:
            earlier = dice.choice(WHENS)
        item: dict[str, Any] = {"id": "id"}
        if version and dice.random() < 0.4:
            item["copy"] = dice.choice(
                ["b", {"from": "a", "type": "S"}, {"from": "a", "missing": "error"}, {"value": 1}]
            )
        routes.append({"main": {**route, "item": item, **({"when": whens} if whens else {})}})
        if earlier:
            routes[-1] = {"first": {"when": earlier, "item": {"id": "id"}}, **routes[-1]}
    match = dice.choice(["first", "all"])
    configs = [config_of(each, queues={"things": {"match": match, "dead_letter": "dead"}}) for each in routes]
    return configs[0], configs[1]


def blind(dice: random.Random, depth: int = 0) -> Any:
    """A message that no schema has seen."""
    names = dice.sample(NAMES, dice.randint(0, len(NAMES)))
    made = {
        name: blind(dice, depth + 1) if depth < 1 and dice.random() < 0.15 else dice.choice(VALUES) for name in names
    }
    return {**made, "id": dice.choice(["i", "i", "i", "", 5])}


def messages_for(route: RouteVersion, dice: random.Random, count: int) -> Iterator[Any]:
    """Messages that the route may take: such as its schema allows, these with one edit, and any others."""
    assert route.schema is not None
    root = Location(route.schema.root, (), route.schema.root.content)
    sampler = Sampler(route.schema.locations, seed=dice.randint(0, 10**6))
    made = list(sampler.values(root, count // 4))
    yield from made
    changed = [each for message in made[:: max(1, len(made) // 4)] for each in edits(message, VALUES, NAMES)]
    yield from dice.sample(changed, min(len(changed), count // 2))
    yield from (blind(dice) for _ in range(count // 4))


@pytest.mark.parametrize("seed", range(60))
def test_no_message_contradicts_a_verdict(seed: int, diff: Diff, open_config: Open) -> None:
    """Of a compatible route, the new version takes what the old one takes; each counterexample is one."""
    dice = random.Random(seed)
    configs = pair_of(dice)
    report = next((each for each in diff(*configs).routes if each.route == "main"), None)
    old, new = (routes_of(open_config(config, f"again{index}"))["main"] for index, config in enumerate(configs))
    verdict = "compatible" if report is None else report.verdict
    contradicting: Callable[[Any], bool] = lambda message: is_lost(message, old, new)  # noqa: E731

    found = [message for message in messages_for(old, dice, 2000) if contradicting(message)]

    if verdict == "compatible":
        assert found == []
    refused = [each.change.example for each in (report.findings if report else ()) if each.change.code.id == "RT901"]
    assert (verdict == "breaking", all(map(contradicting, refused))) == (bool(refused), True)


def is_lost(message: Any, old: RouteVersion, new: RouteVersion) -> bool:
    """Whether the old version takes a message, and the new one does not."""
    record = record_of(old, message)
    return record is not None and run(old, record).taken and not run(new, record).taken
