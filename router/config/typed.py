"""Finds the texts with variables that stand for numbers, or for true or false, by the specification of the config."""

from collections.abc import Iterable, Iterator
from typing import Any

from router.config import spec
from router.config.environment import Kind, TypedText
from router.config.schema import Node, branch_for, branches, exact_schema
from router.model import Path


def find_typed(root: type[spec.Config | spec.Included], data: Any, paths: Iterable[Path]) -> Iterator[TypedText]:
    """Yield the texts at these paths of a file where the config takes a number, or true or false, and no text."""
    schema = exact_schema(root)
    for path in paths:
        kind = _kind(schema, data, path)
        if kind:
            yield TypedText(path, kind)


def _kind(schema: Node, data: Any, path: Path) -> Kind | None:
    """Return what a place takes; None if it takes text, or if nothing is known of it."""
    node: Any = schema
    for step in path:
        inside, data = branch_for(schema, node, data), data[step]
        known = inside.get("items") if isinstance(step, int) else inside.get("properties", {}).get(step)
        node = known or inside.get("additionalProperties")
        if not isinstance(node, dict):
            return None
    kinds = {_kind_of(branch) for branch in branches(schema, node)}
    if "integer" in kinds:
        return None if "string" in kinds else "integer"
    return "boolean" if kinds == {"boolean"} else None


def _kind_of(branch: Node) -> str:
    if "enum" in branch:
        return "integer" if isinstance(branch["enum"][0], int) else "string"
    return str(branch.get("type", "string"))
