"""Counts the public schemas that the typed form takes, and the parts of them: `python -m tests.soundness.typed_forms`.

A part is typed if a type of msgspec says what it says; the library validates the values of the others.
"""

from collections import Counter

from router.runtime.program.schemas.documents import DRAFTS, draft_of
from router.runtime.program.typed_schema import TypedValue, typed_schema
from tests.soundness.corpus import by_collection, public_schemas


def main() -> None:
    """Count, and print a line for each collection."""
    for collection, schemas in by_collection(public_schemas()).items():
        counts: Counter[str] = Counter(schemas=len(schemas))
        for schema in schemas:
            content = schema.content()
            # The typed form leaves draft 4 to the general way.
            typed = typed_schema(content) if draft_of(content) in {*DRAFTS.values()} - {4} else None
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
