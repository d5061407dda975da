"""Says what a message would have to have to be rejected by an inferred schema."""

from collections.abc import Iterator, Sequence

from router.tools.dev.new.inference import Schema

_SHOWN = 4
"""The most fields of a sentence that are named."""
_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def rejections(schema: Schema) -> list[str]:
    """Return what is true of a message that the schema rejects, a sentence for each kind of reason."""
    found: dict[str, list[str]] = {}
    for path, what in _reasons(schema, ""):
        found.setdefault(what, []).append(path)
    return [f"{_listed(paths)} {what}" for what, paths in found.items()]


def _reasons(schema: Schema, above: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each value that is bounded, and what it is when it is rejected."""
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        # Without the type of a message, no route takes it.
        if "const" not in properties[name]:
            yield f"{above}{name}", "is missing"
    inner = [(f"{above}{name}", part) for name, part in properties.items()]
    if "additionalProperties" in schema:
        inner.append((f"{above}*", schema["additionalProperties"]))
    if "items" in schema:
        inner.append((f"{above.removesuffix('.')}[]", schema["items"]))
    for path, part in inner:
        for what in _of_value(part):
            yield path, what
        yield from _reasons(part, f"{path}.")


def _of_value(schema: Schema) -> Iterator[str]:
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else types
    if "enum" in schema:
        yield f"is none of {', '.join(map(str, schema['enum']))}"
    elif names:
        yield f"is {_not_one_of([_NAMES[name] for name in names])}"
    if "format" in schema:
        yield f"is text that is no {schema['format']}"
    if "pattern" in schema:
        yield f"does not match {schema['pattern']}"
    if "minLength" in schema:
        yield "is empty"
    if "maxLength" in schema:
        yield f"has more than {schema['maxLength']} characters"


def _not_one_of(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"not {names[0]}"
    names = [name.replace(" or ", ", ") for name in names]
    return f"neither {', '.join(names[:-1])} nor {names[-1]}"


def _listed(paths: Sequence[str]) -> str:
    shown = [*paths[:_SHOWN]]
    if len(paths) > _SHOWN:
        shown.append(f"one of {len(paths) - _SHOWN} more")
    return " or ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
