"""Reports constants that DynamoDB cannot store."""

from collections.abc import Iterator

from msgspec import UNSET

from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.engine.attributes import encode_item
from router.errors import Rejection
from router.sources import Constant, source_of, values_of

UNSTORABLE_CONSTANT = declare(
    "RT427",
    "a constant that DynamoDB cannot store",
    "DynamoDB accepts numbers of at most 38 digits up to 9.99…E+125, items of at most 400 KB, and nesting of at most "
    "32 levels. Each message that gets the constant would be rejected.",
)


@rule(UNSTORABLE_CONSTANT)
def check_constants(subject: Subject) -> Iterator[Found]:
    """Report `value` and `default` of attributes that cannot be encoded."""
    for route in subject.routes:
        for name, attribute in route.attributes.items():
            kind, _ = source_of(attribute)
            values = values_of(attribute)
            value = values.value if isinstance(values, Constant) and not attribute.transform else UNSET
            constants = {kind.key: value, "default": attribute.default}
            for key, constant in constants.items():
                # The type is converted to at load, and `json` makes text of any value.
                if constant is UNSET or constant is None or attribute.type not in (UNSET, "N", "M", "L"):
                    continue
                try:
                    encode_item({"constant": constant})
                except Rejection as rejection:
                    reason = rejection.reason.removeprefix("attribute '*': ")
                    yield Found(
                        UNSTORABLE_CONSTANT, f"'{key}' of attribute '{name}' has {reason}", route.place(name, key)
                    )
