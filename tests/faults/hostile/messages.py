"""Messages that cost seconds or gigabytes unless work is bounded before it is done."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import NamedTuple

PRIME = 2**61 - 1
"""Python's hash of a number is its value modulo this."""


class Hostile(NamedTuple):
    """A message for a queue of `routes.yaml`, and the codes that it may end with: "" if it is written."""

    queue: str
    body: str
    codes: tuple[str, ...]


def _lines(count: int, **more: object) -> str:
    lines = [{"id": f"l{number}", "n": number, "name": f"n{number}"} for number in range(count)]
    return json.dumps({"id": "x", "lines": lines, **more})


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def good_body(queue: str, id_: str) -> str:
    """Return a body for a queue of `routes.yaml` that is written as one item with this id."""
    line = {"id": id_, "n": 2, "name": "a"}
    bodies: dict[str, object] = {
        "names": {"id": id_},
        "sets": {"id": id_, "numbers": [1, 2]},
        "searches": {"id": "o", "names": ["a"], "lines": [line]},
    }
    text = json.dumps(bodies.get(queue, {"id": "o", "lines": [line]}))
    return _packed(json.dumps({"id": id_})) if queue == "packed" else text


HOSTILE: Mapping[str, Hostile] = {
    "45 KB of property names": Hostile(
        "names", json.dumps({"id": "x", **{f"A{number:05}": 1 for number in range(4_000)}}), ("RT806",)
    ),
    "1 MB of elements that no branch takes": Hostile(
        "names", json.dumps({"id": "x", "values": [1] * 300_000}), ("RT806",)
    ),
    "numbers with equal hashes": Hostile(
        "sets", json.dumps({"id": "x", "numbers": [number * PRIME for number in range(1, 38_000)]}), ("RT807",)
    ),
    "texts of numbers with equal hashes": Hostile(
        "sets", json.dumps({"id": "x", "numbers": [str(number * PRIME) for number in range(1, 38_000)]}), ("RT807",)
    ),
    "68 KB that are copied onto each line": Hostile("lines", _lines(2_000), ("RT803", "RT809")),
    "282 KB that are copied onto each line": Hostile("lines", _lines(8_000), ("RT803", "RT809")),
    "a sum over all lines for each line": Hostile("sums", _lines(10_000), ("",)),
    "a search in a long list for each line": Hostile("searches", _lines(6_000, names=["name"] * 60_000), ("RT803",)),
    "21 KB that unpack to 16 MB of numbers": Hostile("packed", _packed("[" + "1," * 8_000_000 + "1]"), ("RT803",)),
    "21 KB that unpack to 16 MB of objects": Hostile("packed", _packed("[" + "{}," * 5_000_000 + "{}]"), ("RT803",)),
}
