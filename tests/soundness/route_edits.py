"""Edits of a route over a schema: what `router diff` says of another mapping, key, version, merged map or draft."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tests.soundness.cases import DeclaredPath, expression, places_of

Settings = dict[str, Any]
RouteEdit = Callable[["Places", Random], tuple[Settings, Settings]]
"""Returns settings of a route before and after the edit."""
_KEY = {"id": {"meta": "message_id"}}
_TRANSFORMS: Mapping[str, tuple[Any, ...]] = {
    "string": ("strip", "lower", {"prefix": "A#"}, {"truncate": 9}, "to_number", "to_bool", {"split": ","}, "sha256"),
    "number": ({"scale": 100}, {"round": 2}, "to_text", {"to_iso": "s"}, "to_bool"),
    "boolean": ("to_text", "to_bool"),
    "array": ("first", "last", "unique", "sort", {"join": "-"}),
    "object": ("dynamodb_item",),
}
_TYPES: Mapping[str, tuple[str, ...]] = {
    "string": ("S", "N", "B", "json"),
    "number": ("N", "S"),
    "boolean": ("BOOL", "S"),
    "array": ("L", "SS", "json"),
    "object": ("M", "json"),
}
_DRAFTS = (
    *("http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#"),
    *("https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema"),
)


class Places:
    """The paths that a schema declares."""

    def __init__(self, schema: Any, chance: Random) -> None:
        self._found = [each for each in places_of(schema, chance) if None not in each.steps]
        self._chance = chance

    def any(self, *kinds: str) -> DeclaredPath:
        """Return a path, mostly one of some kinds; raises IndexError if there is none."""
        fit = [each for each in self._found if {*kinds} & {*each.kinds}]
        return self._chance.choice(fit if fit and self._chance.random() < 0.9 else self._found)


def _kind(place: DeclaredPath) -> str:
    return next((kind for kind in place.kinds if kind in _TRANSFORMS), "string")


def _item(**attributes: Any) -> Settings:
    return {"item": {**_KEY, **attributes}}


def _map_attribute(places: Places, chance: Random) -> tuple[Settings, Settings]:
    policy = chance.choice(({}, {}, {"missing": "error"}, {"default": "x"}))
    return _item(), _item(x={"from": expression(places.any().steps), **policy})


def _add_transform(places: Places, chance: Random) -> tuple[Settings, Settings]:
    place = places.any("string", "number", "array")
    text, kind = expression(place.steps), _kind(place)
    return _item(x=text), _item(x={"from": text, "transform": chance.choice(_TRANSFORMS[kind])})


def _set_type(places: Places, chance: Random) -> tuple[Settings, Settings]:
    place = places.any()
    text, kind = expression(place.steps), _kind(place)
    return _item(x=text), _item(x={"from": text, "type": chance.choice(_TYPES[kind])})


def _write_template(places: Places, chance: Random) -> tuple[Settings, Settings]:
    one, other = (expression(places.any("string", "number").steps) for _ in range(2))
    return _item(x=one), _item(x=chance.choice(({"template": f"A#{{{one}}}#{{{other}}}"}, {"hash": [one, other]})))


def _use_function(places: Places, chance: Random) -> tuple[Settings, Settings]:
    one, other = (expression(places.any("string", "array").steps) for _ in range(2))
    forms = ("{a} || {b}", "length({a})", "to_string({a})", "not_null({a}, {b})", "join('-', {a})", "{a} == {b}")
    return _item(x=one), _item(x=chance.choice(forms).replace("{a}", one).replace("{b}", other))


def _change_key(places: Places, chance: Random) -> tuple[Settings, Settings]:
    return _item(), {"item": {"id": expression(places.any("string").steps)}}


def _add_version(places: Places, chance: Random) -> tuple[Settings, Settings]:
    mapped = _item(v=expression(places.any("number", "string").steps))
    return mapped, {**mapped, "write": {"mode": "newest", "version": "v"}}


def _merge(places: Places, chance: Random) -> tuple[Settings, Settings]:
    text = expression(places.any("object").steps)
    return _item(), {**_item(), "merge": {"from": text, "prefix": chance.choice(("", "m_"))}}


def _change_draft(places: Places, chance: Random) -> tuple[Settings, Settings]:
    one, other = chance.sample(_DRAFTS, 2)
    return {"$schema": one}, {"$schema": other}


ROUTE_EDITS: Mapping[str, RouteEdit] = {
    "attribute mapped": _map_attribute,
    "transform added": _add_transform,
    "type set": _set_type,
    "template or hash": _write_template,
    "function used": _use_function,
    "key changed": _change_key,
    "version added": _add_version,
    "map merged": _merge,
    "draft changed": _change_draft,
}
