"""Reports partition keys that have few values."""

from collections.abc import Iterator

from router.check.analysis.domains import count_of_attribute
from router.check.analysis.routes import is_set
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec

HOT_PARTITION = declare(
    "RT621",
    "a partition key that has few values",
    "DynamoDB writes at most 1,000 units a second to one partition, so that few keys limit the rate of the table. A "
    "higher rate is throttled.",
    "info",
)


@rule(HOT_PARTITION)
def check_partition_keys(subject: Subject) -> Iterator[Found]:
    """Report partition keys that are a constant, true or false, or of an enumeration."""
    for route in subject.routes:
        if route.table is None or not route.final:
            continue
        name = next(iter(route.table.key))
        attribute = route.attributes.get(name)
        if attribute is None and is_set(route.route.item):
            continue
        whole = spec.short_form(f'element."{name}"' if route.scope.each else f'"{name}"')
        count = count_of_attribute(route, attribute or whole)
        if count is not None:
            values = "one value" if count == 1 else f"{count} values"
            sentence = f"partition key '{name}' has only {values}: one partition takes 1,000 writes of 1 KB a second"
            path = route.place(name) if attribute else (*route.path, "schema")
            yield Found(HOT_PARTITION, sentence, path, "add a part that differs, as a date or an id, with 'template'")
