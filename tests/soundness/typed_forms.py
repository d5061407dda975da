"""Counts the public schemas that the typed form takes, and the parts of them: `python -m tests.soundness.typed_forms`.

A part is typed if a type of msgspec says what it says; the library validates the values of the others.
"""

from collections import Counter

from tests.soundness.corpus import by_collection, public_schemas
from tests.support.program import TypedValue, draft_of, typed_schema

OLD_DRAFT = 4
"""It is left to the general way."""


def main() -> None:
    """Count, and print a line for each collection."""
    for collection, schemas in by_collection(public_schemas()).items():
        counts: Counter[str] = Counter(schemas=len(schemas))
        for schema in schemas:
            content = schema.content()
            typed = typed_schema(content) if (draft_of(content) or 0) > OLD_DRAFT else None
            if typed is not None:
                counts += Counter({"with a struct": 1, **_parts(typed.root)})
        print(f"{collection}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


def _parts(value: TypedValue) -> Counter[str]:
    counts = Counter({"typed parts" if value.kinds else "other parts": 1})
    for field in value.fields:
        counts += _parts(field.value)
    return counts + _parts(value.elements) if value.elements else counts


if __name__ == "__main__":
    main()
