"""Makes configs at random from the documentation alone: docs/config.md, mapping.md and writes.md.

Every transform is used, with arguments in and out of what the page says, and every source, type and write mode.
"""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from msgspec import Struct

from tests.soundness.cases import TrialConfig, expression
from tests.soundness.documented_schemas import NUMBERS, TEXTS, SchemaMaker, Shape, misspelt
from tests.soundness.instances import Steps
from tests.soundness.spelled import Spelled

TYPES = ("B", "BOOL", "BS", "L", "M", "N", "NS", "S", "SS", "json")
_FOR_TEXT = ("lower", "upper", "strip", "prefix", "suffix", "replace", "split", "truncate", "url_decode", "sha256",
             "base64_decode", "base64_encode", "parse_json", "to_number", "to_bool",
             "to_epoch", "to_epoch_ns", "lookup")  # fmt: skip
_FOR_NUMBER = ("round", "scale", "to_text", "to_iso", "to_number", "to_bool", "lookup")
_FOR_LIST = ("first", "last", "join", "sort", "unique")
_FOR_MAP = ("dynamodb_item", "dynamodb_value")
_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "text": _FOR_TEXT,
    "number": _FOR_NUMBER,
    "boolean": ("to_text", "to_bool"),
    "list": _FOR_LIST,
    "object": _FOR_MAP,
}
TRANSFORMS = tuple(dict.fromkeys((*_FOR_TEXT, *_FOR_NUMBER, *_FOR_LIST, *_FOR_MAP)))
_RESULTS: Mapping[str, str] = {
    **dict.fromkeys(("split", "sort", "unique"), "list"),
    **dict.fromkeys(("to_number", "to_epoch", "to_epoch_ns", "round", "scale"), "number"),
    **dict.fromkeys(("parse_json", "first", "last", "lookup", "dynamodb_value"), "mixed"),
    "to_bool": "boolean",
    "dynamodb_item": "object",
    "base64_decode": "binary",
}
"""What a transform returns, if it is not a text."""
_MODES = ("half_even", "half_up", "half_down", "up", "down", "ceiling", "floor")
_MAPS: tuple[dict[str, Any], ...] = (
    {"IN": "India", "DE": "Germany"},
    {"1": "one", "1.5": "more", "true": "yes", "": "nothing"},
    {"a": 1, "b": Spelled("2.0"), "x": None, "1": Spelled("9" * 39)},
    {"yes": True, "no": False, "drama": ["d"]},
)
_DURATIONS = ("0s", "1s", "30m", "90d", "52w", "9999w", "999999999s")


class Place(Struct, frozen=True):
    """A place of the message: its steps, the value at it, and the expression for it."""

    steps: Steps
    shape: Shape
    text: str


class DocumentedConfig(Struct, frozen=True):
    """A config, the shape of its messages, and the schema that was intended, if its own has a typing error."""

    case: TrialConfig
    shape: Shape
    intended: Any = None


def places_of(shape: Shape, steps: Steps = (), limit: int = 4) -> Iterator[tuple[Steps, Shape]]:
    """Yield the places of names in a shape."""
    for name, inside in shape.properties.items() if len(steps) < limit else ():
        yield (*steps, name), inside
        yield from places_of(inside, (*steps, name), limit)


def documented_config(label: str, chance: Random) -> DocumentedConfig:
    """Return a config at random."""
    shape = SchemaMaker(chance).root()
    schema = {**shape.schema}
    if chance.random() < 0.15:
        schema["$schema"] = "http://json-schema.org/draft-07/schema#"
        schema.pop("dependentRequired", None)
    intended = None
    if chance.random() < 0.12 and (wrong := misspelt(schema, chance)) is not None:
        schema, intended = wrong, schema
    route, table, paths = _RouteMaker(chance, shape).made()
    return DocumentedConfig(TrialConfig(label, schema, table, route, tuple(paths)), shape, intended)


class _RouteMaker:
    """Makes a route over a shape; `paths` are those that it reads."""

    def __init__(self, chance: Random, shape: Shape) -> None:
        self._chance = chance
        self._shape = shape
        self._places = [Place(steps, inside, expression(steps)) for steps, inside in places_of(shape)]
        self._paths: dict[Steps, None] = {}

    def made(self) -> tuple[dict[str, Any], dict[str, Any], list[Steps]]:
        """Return the settings of the route and of its table, and the paths that are read."""
        chance = self._chance
        table: dict[str, Any] = {"key": {"pk": chance.choice("SSSSNB")}}
        if chance.random() < 0.3:
            table["key"]["sk"] = chance.choice("SSNB")
        if chance.random() < 0.12:
            table["key"] = {"id": chance.choice("SSSN")}
            return self._whole(table)
        route: dict[str, Any] = {}
        if chance.random() < 0.4:
            route["when"] = self._condition()
        self._maybe_for_each(route)
        item = {name: self._key(kind) for name, kind in table["key"].items()}
        for name in ("a", "b", "c", "d")[: chance.randint(1, 4)]:
            item[name] = self._attribute()
        if chance.random() < 0.2:
            table["ttl"] = "expires"
            item["expires"] = self._ttl()
        route["item"] = item
        mode = chance.choice(("put", "put", "put", "insert", "newest", "update", "update", "delete"))
        if mode != "put":
            self._write(route, table, mode)
        if mode != "delete" and chance.random() < 0.08:
            route["merge"] = self._merge()
        return route, table, [*self._paths]

    def _whole(self, table: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[Steps]]:
        route: dict[str, Any] = {}
        if self._chance.random() < 0.2:
            route["when"] = self._condition()
        if self._chance.random() < 0.3:
            route["write"] = {"mode": "insert"}
        return route, table, [place.steps for place in self._places]

    def _maybe_for_each(self, route: dict[str, Any]) -> None:
        lists = [place for place in self._places if place.shape.kind == "list"]
        if not lists or self._chance.random() > 0.3:
            return
        place = self._chance.choice(lists)
        self._paths[place.steps] = None
        route["for_each"] = place.text
        element = place.shape.element
        assert element is not None
        steps = (*place.steps, None)
        inside = [(steps, element, "element")]
        inside += [((*steps, *inner), each, f"element.{expression(inner)}") for inner, each in places_of(element)]
        places = [Place(each.steps, each.shape, f"message.{each.text}") for each in self._places]
        self._places = [Place(*each) for each in inside] * 3 + places

    def _place(self, *kinds: str) -> Place:
        fit = [place for place in self._places if place.shape.kind in kinds]
        place = self._chance.choice(fit if fit and self._chance.random() < 0.85 else self._places)
        self._paths[place.steps] = None
        return place

    def _condition(self) -> str:
        place = self._place("text", "enum", "number", "mixed")
        value = self._chance.choice(("'a'", "'x'", "`1`", "`1.0`", "`0.1`", "null", "`true`", "'1'", f"`{'9' * 38}`"))
        forms = (
            f"{place.text} == {value}",
            f"{place.text} != {value}",
            f"{place.text} > `{self._chance.choice(NUMBERS[:30])}`",
            f"{place.text} <= `{self._chance.choice(NUMBERS[:30])}`",
            f"length({place.text}) > `1`",
            f"starts_with({place.text}, 'a')",
            f"contains({place.text}, 'a')",
            f"{place.text} && {self._place('boolean').text}",
            f"!{place.text}",
            f"not_null({place.text}, `1`) == `1`",
        )
        return self._chance.choice(forms)

    def _key(self, kind: str) -> Any:
        chance = self._chance
        if chance.random() < 0.1:
            return {"meta": "message_id"} if kind == "S" else self._attribute()
        if kind == "B":
            place = self._place("text")
            return chance.choice(
                ({"from": place.text, "type": "B"}, {"from": place.text, "transform": "base64_decode"})
            )
        if kind == "N":
            number = self._place("number")
            text = self._place("text")
            transform = chance.choice(("to_number", "to_epoch", "to_epoch_ns"))
            forms: list[Any] = [
                number.text,
                {"from": number.text, "type": "N"},
                {"from": text.text, "transform": transform},
            ]
            return chance.choice((*forms, self._transformed(number)))
        place = self._place("text", "enum")
        ways: list[Any] = [
            place.text,
            {"from": place.text},
            {"from": place.text, "type": "S"},
            self._template(),
            self._hash(),
        ]
        return chance.choice((*ways, self._transformed(place), self._transformed(self._place("number"), "to_text")))

    def _attribute(self) -> Any:
        chance = self._chance
        place = self._place("text", "number", "enum", "list", "object", "boolean", "mixed")
        makers: list[Callable[[], Any]] = [
            *[lambda: self._transformed(place)] * 6,
            *[lambda: {"from": place.text, "type": chance.choice(TYPES)}] * 2,
            *[self._template, self._hash, self._value, self._function, lambda: place.text, self._relative_ttl],
        ]
        attribute = chance.choice(makers)()
        if isinstance(attribute, str):
            return attribute
        if chance.random() < 0.2:
            attribute["missing"] = chance.choice(("omit", "null", "error"))
        if "from" in attribute and "missing" not in attribute and chance.random() < 0.12:
            attribute["default"] = chance.choice((*TEXTS[:12], *NUMBERS[:20], True, None, ["a"]))
        return attribute

    def _transformed(self, place: Place, first: str = "") -> dict[str, Any]:
        chance = self._chance
        kind, steps = place.shape.kind, []
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
            names = _BY_KIND.get(kind, TRANSFORMS)
            name = first or (chance.choice(names) if chance.random() < 0.96 else chance.choice(TRANSFORMS))
            first = ""
            steps.append(self._step(name))
            kind = _RESULTS.get(name, "text")
        attribute: dict[str, Any] = {"from": place.text, "transform": steps if len(steps) > 1 else steps[0]}
        if chance.random() < 0.25:
            attribute["type"] = chance.choice(TYPES)
        return attribute

    def _step(self, name: str) -> Any:
        chance = self._chance
        wild = chance.random() < 0.06
        texts = ("", "-", ",", " ", "a", "USER#", "é", "::")
        if name in ("prefix", "suffix"):
            return {name: chance.choice((5, None, True, ["a"])) if wild else chance.choice(texts)}
        if name in ("join", "split"):
            return {name: chance.choice(("", 5, None)) if wild else chance.choice(texts[name == "split" :])}
        if name == "replace":
            old, new = ("" if wild else chance.choice(texts[1:])), chance.choice(texts)
            return {name: [old, new] if chance.random() < 0.5 else {"old": old, "new": new}}
        if name == "truncate":
            return {name: chance.choice((-1, "80", Spelled("1.5"))) if wild else chance.choice((0, 1, 3, 80, 10**9))}
        if name == "round":
            return self._round(wild)
        if name == "scale":
            wilder = ("1e200", "9" * 39, "1e126", "1e-140", "1e-131")
            usual = (
                "0.01",
                "100",
                "1",
                "1.0",
                "1e0",
                "0",
                "-1",
                "1.1",
                "0." + "3" * 38,
                "1e37",
                "1e125",
                "1e-130",
                "9" * 38,
            )
            return {name: Spelled(chance.choice(wilder if wild else usual))}
        if name == "to_iso":
            return {name: "us" if wild else chance.choice(("s", "ms"))}
        if name == "lookup":
            given = chance.choice(_MAPS)
            return {name: {"map": given, "default": chance.choice(("?", 0))} if chance.random() < 0.5 else [given]}
        return name

    def _round(self, wild: bool) -> Any:
        digits = (
            self._chance.choice((200, -200, "2", Spelled("1.5")))
            if wild
            else self._chance.choice((0, 1, 2, 10, -2, 130, -130))
        )
        mode = self._chance.choice((*_MODES, "nearest") if wild else _MODES)
        return {"round": self._chance.choice((digits, {"digits": digits, "mode": mode}, [digits, mode]))}

    def _template(self) -> dict[str, Any]:
        one, other = self._place("text", "number", "enum"), self._place("text", "number")
        texts = ("USER#{%s}", "{%s}", "{{%s}}", "a{%s}b", "id", "{%s}#{other}")
        template = self._chance.choice(texts)
        return {"template": template.replace("%s", one.text).replace("other", other.text)}

    def _hash(self) -> dict[str, Any]:
        return {"hash": [self._place().text for _ in range(self._chance.randint(1, 3))]}

    def _value(self) -> dict[str, Any]:
        attribute: dict[str, Any] = {
            "value": self._chance.choice((*TEXTS[:30], *NUMBERS, None, True, [1, "a"], {"a": 1}))
        }
        if self._chance.random() < 0.3:
            attribute["type"] = self._chance.choice(TYPES)
        return attribute

    def _function(self) -> dict[str, Any]:
        one, other = self._place(), self._place()
        forms = (
            *("{a} || {b}", "{a}[0]", "{a}[-1]", "length({a})", "to_number({a})", "to_string({a})", "keys({a})"),
            *("sum({a})", "max({a})", "join('-', {a})", "{a}[*].id", "abs({a})", "type({a})", "not_null({a}, {b})"),
            *("[{a}, {b}]", "{a} == {b}", "sort({a})", "reverse({a})", "values({a})", "ceil({a})", "{a} && {b}"),
            "{a}.nmae",
        )
        text = self._chance.choice(forms).replace("{a}", one.text).replace("{b}", other.text)
        attribute = {"from": text}
        return attribute | ({"type": self._chance.choice(TYPES)} if self._chance.random() < 0.2 else {})

    def _relative_ttl(self) -> dict[str, Any]:
        place = self._place("text", "number")
        after = self._chance.choice(_DURATIONS)
        return {"ttl": after if self._chance.random() < 0.3 else {"from": place.text, "after": after}}

    def _ttl(self) -> Any:
        place = self._place("number", "text")
        forms = ({"from": place.text, "type": "N"}, {"from": place.text, "transform": "to_epoch"}, place.text)
        return self._relative_ttl() if self._chance.random() < 0.6 else self._chance.choice(forms)

    def _merge(self) -> Any:
        place = self._place("object", "mixed")
        return {"from": place.text, "prefix": self._chance.choice(("", "m_")), "max": self._chance.choice((1, 3, 100))}

    def _write(self, route: dict[str, Any], table: dict[str, Any], mode: str) -> None:
        chance, item = self._chance, route["item"]
        write: dict[str, Any] = {"mode": mode}
        if mode == "delete":
            for name in [name for name in item if name not in table["key"]]:
                del item[name]
            table.pop("ttl", None)
        if chance.random() < {"newest": 1, "delete": 0.7, "update": 0.4}.get(mode, 0):
            write["version"] = "v"
            item["v"] = self._version()
        if mode == "update":
            kind = chance.choice(("add", "append", "keep_first", ""))
            if kind:
                write[kind] = ["u"]
                item["u"] = self._added(kind)
            if kind in ("add", "append") and chance.random() < 0.4:
                write["once"] = "seen"
                if chance.random() < 0.5:
                    write["once_key"] = self._place("text", "enum").text
            for name in ("a", "b"):
                if isinstance(item.get(name), dict) and "default" not in item[name] and chance.random() < 0.3:
                    item[name]["missing"] = "remove"
        route["write"] = write

    def _version(self) -> Any:
        place = self._place("number", "text")
        forms = (
            place.text,
            {"from": place.text, "type": "N"},
            {"from": place.text, "type": "S"},
            {"from": place.text, "transform": self._chance.choice(("to_epoch", "to_epoch_ns", "to_text", "to_number"))},
            {"template": f"{{{place.text}}}"},
            {"meta": "sent_at"},
        )
        return self._chance.choice(forms)

    def _added(self, kind: str) -> Any:
        if kind == "add":
            place = self._place("number", "list")
            return self._chance.choice(
                ({"from": place.text, "type": self._chance.choice(("N", "SS", "NS"))}, place.text)
            )
        return self._place("list", "text").text
