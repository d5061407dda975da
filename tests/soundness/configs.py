"""Makes plausible routes over a schema: keys, mappings of nested paths, types, ttl, versions, `once`, `when`."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.soundness.cases import DeclaredPath, TrialConfig, expression, places_of
from tests.soundness.instances import Steps
from tests.support.modes import MODES

_WEIGHTS = {"put": 8, "insert": 2, "newest": 3, "update": 3, "delete": 0.5}
_WEIGHTS |= {name: 2 for name in MODES if name not in _WEIGHTS}
"""How often each write mode is chosen."""
_KINDS = {"S": "string", "N": "number", "B": "string"}
_KEY_TRANSFORMS: tuple[Any, ...] = (
    [{"replace": ["a", ""]}], [{"split": "-"}, "first"], [{"split": "#"}, "last"], ["to_text"],
    [{"lookup": {"a": "b"}}], [{"truncate": 20}], [{"prefix": "P#"}], ["sha256"],
)  # fmt: skip
_TYPED = (
    ("S", "string"), ("S", "number"), ("N", "number"), ("N", "string"), ("SS", "array"), ("NS", "array"),
    ("BOOL", "boolean"), ("M", "object"), ("L", "array"), ("json", "object"), ("B", "string"), ("BS", "array"),
)  # fmt: skip
"""Types of attributes, each with a type of values that it is plausible for."""
_TRANSFORMED: tuple[tuple[str, Any], ...] = (
    ("string", ["strip"]), ("string", ["to_number"]), ("string", ["to_epoch"]), ("string", ["to_bool"]),
    ("string", ["to_epoch_ns"]), ("string", ["parse_json"]), ("string", [{"split": ","}]), ("number", [{"round": 2}]),
    ("number", [{"to_iso": "s"}]), ("array", [{"join": ","}]), ("array", ["unique"]), ("array", ["sort"]),
    ("array", ["first"]), ("string", ["base64_decode"]), ("number", [{"scale": 100}]), ("string", ["upper"]),
)  # fmt: skip
_FUNCTIONS = (
    ("length", "array"), ("length", "string"), ("sum", "array"), ("keys", "object"), ("to_number", "string"),
    ("max", "array"), ("to_string", "number"), ("abs", "number"), ("sort", "array"), ("avg", "array"),
    ("values", "object"), ("not_null", "string"), ("type", "string"), ("ceil", "number"),
)  # fmt: skip


class ConfigMaker:
    """Makes the route of one config."""

    def __init__(self, label: str, schema: dict[str, Any], chance: Random) -> None:
        self._label = label
        self._schema = schema
        self._chance = chance
        self._places = places_of(schema, chance)
        self._paths: list[Steps] = []
        self._each: Steps | None = None
        self._chosen: tuple[Steps, Any] | None = None

    def case(self) -> TrialConfig | None:
        """Return a config; None for a schema that declares no path."""
        plain = [place for place in self._places if None not in place.steps]
        if not plain:
            return None
        route: dict[str, Any] = {}
        if self._likely(0.25):
            plain = self._choose_when(route, plain)
        lists = [place for place in plain if place.kinds == ("array",)]
        if lists and self._likely(0.25):
            chosen = self._preferred(lists)
            self._each = (*chosen.steps, None)
            route["for_each"] = expression(chosen.steps)
            self._paths.append(self._each)
        item: dict[str, Any] = {}
        table: dict[str, Any] = {"key": {}}
        for name in ("pk", "sk")[: self._chance.choice((1, 1, 2))]:
            table["key"][name], item[name] = self._key()
        for number in range(self._chance.choice((0, 1, 1, 2, 3))):
            item[f"a{number}"] = self._attribute()
        if self._likely(0.15):
            table["ttl"] = "expires"
            item["expires"] = self._ttl()
        route["item"] = item
        self._add_write(route, item)
        self._add_merge(route, Random(self._label))
        return TrialConfig(self._label, self._schema, table, route, tuple(dict.fromkeys(self._paths)), self._chosen)

    def _likely(self, share: float) -> bool:
        return self._chance.random() < share

    def _preferred(self, places: Sequence[DeclaredPath], share: float = 0.75) -> DeclaredPath:
        sure = [place for place in places if place.sure]
        return self._chance.choice(sure if sure and self._likely(share) else list(places))

    def _reachable(self) -> list[DeclaredPath]:
        """Return the places that an expression of `item` can name."""
        within = [place for place in self._places if None not in place.steps]
        if self._each is not None:
            each, size = self._each, len(self._each)
            elements = [place for place in self._places if len(place.steps) > size and place.steps[:size] == each]
            within = elements if elements and self._likely(0.8) else within
        return within

    def _path(self, kind: str = "", share: float = 0.75) -> tuple[DeclaredPath, str]:
        """Return a place, probably of a type, and the expression for it."""
        places = self._reachable()
        fitting = [place for place in places if kind in place.kinds]
        place = self._preferred(fitting if fitting and kind and self._likely(0.85) else places, share)
        self._paths.append(place.steps)
        return place, self._expression(place.steps)

    def _expression(self, steps: Steps) -> str:
        if self._each is None:
            return expression(steps)
        size = len(self._each)
        inside = steps[:size] == self._each
        return expression(("element", *steps[size:]) if inside else ("message", *steps))

    def _choose_when(self, route: dict[str, Any], plain: list[DeclaredPath]) -> list[DeclaredPath]:
        place = self._preferred(plain, 0.4)
        path = expression(place.steps)
        values = place.schema.get("enum") or ([place.schema["const"]] if "const" in place.schema else ["x"])
        value = self._chance.choice(values)
        self._chosen = (place.steps, value)
        literal = f"`{json.dumps(value)}`"
        forms = [f"{path} == {literal}", path, f"!{path}", f"{path} != `null`", f"length({path}) > `0`"]
        forms += [f"type({path}) == 'string'", f"{path} == {literal} || {path}", f"starts_with({path}, 'a')"]
        forms += [f"contains(`{json.dumps(values)}`, {path})", f"{path} >= `1`", f"to_string({path}) == 'x'"]
        route["when"] = self._chance.choice(forms)
        self._paths.append(place.steps)
        return plain

    def _key(self) -> tuple[str, Any]:
        form = self._chance.choices(
            ("S", "N", "B", "template", "hash", "strip", "typed", "meta", "or", "ops", "index"),
            (10, 4, 0.7, 2, 1, 1, 1.5, 0.5, 0.7, 1, 0.4),
        )[0]
        if form in _KINDS:
            _, path = self._path(_KINDS[form], 0.8)
            return form, ({"from": path, "type": "B"} if form == "B" else path)
        if form == "template":
            return "S", {"template": "X#{" + self._path("string", 0.8)[1] + "}" * self._chance.choice((1, 1))}
        if form == "hash":
            return "S", {"hash": [self._path()[1]]}
        if form == "strip":
            return "S", {"from": self._path("string")[1], "transform": [self._chance.choice(("strip", "lower"))]}
        if form == "typed":
            kind = self._chance.choice(("S", "N"))
            return kind, {"from": self._path("string" if kind == "N" else "number")[1], "type": kind}
        if form == "meta":
            return "S", {"meta": self._chance.choice(("message_id", "attribute.tenant", "sent_at"))}
        if form == "or":
            return "S", f"{self._path('string', 0.3)[1]} || {self._path('string')[1]}"
        if form == "index":
            return "S", f"{self._path('array')[1]}[0]"
        return "S", {"from": self._path("string")[1], "transform": self._chance.choice(_KEY_TRANSFORMS)}

    def _attribute(self) -> Any:
        form = self._chance.choices(
            (
                "path",
                "typed",
                "transform",
                "template",
                "hash",
                "error",
                "default",
                "function",
                "ttl",
                "list",
                "constant",
            ),
            (6, 6, 5, 2, 1.5, 1, 1, 2, 0.7, 1, 0.3),
        )[0]
        if form == "path":
            return self._path()[1]
        if form == "typed":
            kind, wanted = self._chance.choice(_TYPED)
            return {"from": self._path(wanted)[1], "type": kind}
        if form == "transform":
            wanted, steps = self._chance.choice(_TRANSFORMED)
            return {"from": self._path(wanted)[1], "transform": steps}
        if form == "template":
            return {"template": "{" + self._path("string")[1] + "}#{" + self._path("number")[1] + "}"}
        if form == "hash":
            return {"hash": [self._path()[1], self._path()[1]]}
        if form == "error":
            return {"from": self._path()[1], "missing": "error"}
        if form == "default":
            return {"from": self._path("string", 0.2)[1], "default": self._chance.choice(("unknown", 0, ""))}
        if form == "function":
            return self._function()
        if form == "ttl":
            return {"ttl": {"from": self._path("string")[1], "after": "1d"}}
        if form == "list":
            return f"{self._path('array')[1]}[].{self._chance.choice(('id', 'name', 'sku'))}"
        return {"value": self._chance.choice(("x", 1, True))}

    def _function(self) -> str:
        name, wanted = self._chance.choice(_FUNCTIONS)
        return f"{name}({self._path(wanted)[1]})"

    def _ttl(self) -> Any:
        return self._chance.choice(
            (
                {"ttl": "30d"},
                {"ttl": {"from": self._path("string")[1], "after": "30d"}},
                {"ttl": {"from": self._path("number")[1], "after": "1h"}},
                self._path("number")[1],
            )
        )

    def _add_write(self, route: dict[str, Any], item: dict[str, Any]) -> None:
        mode = self._chance.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0]
        if mode == "put":
            return
        write: dict[str, Any] = {"mode": mode}
        if "version" in MODES[mode].required:
            write["version"] = "v"
            path = self._path(self._chance.choice(("number", "string")))[1]
            item["v"] = self._chance.choice((path, path, {"meta": "sent_at"}, {"from": path, "type": "N"}))
        if mode == "update" and self._likely(0.5):
            verb, wanted = self._chance.choice((("add", "number"), ("append", "array"), ("keep_first", "string")))
            item["u"] = self._path(wanted)[1]
            write[verb] = ["u"]
            if verb != "keep_first":
                write["once"] = "seen"
                if self._likely(0.7):
                    once = self._chance.choice([place for place in self._places if None not in place.steps])
                    self._paths.append(once.steps)
                    write["once_key"] = expression(once.steps)
        if mode == "delete":
            for name in [name for name in item if name not in ("pk", "sk")]:
                del item[name]
        route["write"] = write

    def _add_merge(self, route: dict[str, Any], chance: Random) -> None:
        """Add `merge` to some routes that store attributes; by a chance of its own, so that all else is as without."""
        objects = [place for place in self._places if "object" in place.kinds and None not in place.steps]
        places = objects if objects and chance.random() < 0.8 else self._places
        place = chance.choice(places)
        if chance.random() > 0.1 or None in place.steps or route.get("write", {}).get("mode") == "delete":
            return
        path = expression(place.steps)
        path = path if self._each is None else f"message.{path}"
        prefix = chance.choice(("", "m_", "a"))
        route["merge"] = chance.choice((path, {"from": path, "prefix": prefix, "max": chance.choice((1, 2, 100))}))
        self._paths.append(place.steps)


class HeavyConfigMaker(ConfigMaker):
    """Makes routes whose attributes are expressions in expressions: functions, filters and projections."""

    def _attribute(self) -> Any:
        def array() -> str:
            return self._path("array")[1]

        def text() -> str:
            return self._path("string")[1]

        function = self._function
        forms: tuple[Callable[[], str], ...] = (
            lambda: f"not_null({function()}, {function()})",
            lambda: f"[{function()}, {function()}]",
            lambda: f"{{a: {function()}, b: {text()}}}",
            lambda: f"{array()}[?id > `1`].name",
            lambda: f"{array()}[?type == 'x'] | [0]",
            lambda: f"sort_by({array()}, &id)",
            lambda: f"join(',', map(&to_string(@), {array()}))",
            lambda: f"{text()} && {function()}",
            lambda: f"{function()} || {text()}",
            lambda: f"max_by({array()}, &id).name",
            lambda: f"to_array({function()})[-1]",
            lambda: f"reverse({text()})",
            lambda: f"length({array()}[?contains(@, 'a')])",
            lambda: f"merge({self._path('object')[1]}, {{x: {function()}}})",
            lambda: f"{array()}[*].[id, name][]",
            lambda: f"starts_with({text()}, 'a')",
            lambda: f"sum(map(&to_number(id), {array()}))",
            lambda: f"values({self._path('object')[1]})[0]",
        )
        return self._chance.choice(forms)()
