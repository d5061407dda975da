"""Reports a capacity of a table that cannot be, or that does not fit.

Quotas: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from collections.abc import Iterator

from msgspec import UnsetType

from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec
from router.model import Path

NO_RANGE = declare(
    "RT624",
    "a `max` of `capacity` that is less than its `min`",
    "Application Auto Scaling keeps the units between the two, and refuses them.",
)
UNFIT = declare(
    "RT625",
    "a capacity that does not fit",
    "A table has 40,000 units of each kind at most, unless AWS raised that quota; and where the router may use more "
    "write units than are provisioned, DynamoDB throttles it.",
    "warning",
)
TABLE_QUOTA = 40_000
"""Read or write capacity units of a table, by default, in each region."""


@rule(NO_RANGE, UNFIT)
def check_capacity(subject: Subject) -> Iterator[Found]:
    """Report capacities with a wrong range, over a quota, or under the `write_units` of the router."""
    for name, table in subject.config.tables.items():
        if isinstance(table.capacity, UnsetType):
            continue
        path: Path = ("tables", name, "capacity")
        for kind, units in (("write", table.capacity.write), ("read", table.capacity.read)):
            yield from _check_range(units, f"table '{name}'", (*path, kind))
        most = table.capacity.write.most
        if not isinstance(table.write_units, UnsetType) and table.write_units > most:
            sentence = f"the router may use {table.write_units} write units of table '{name}', which has {most} at most"
            advice = f"write 'write_units: {most}' or less, or raise 'max'"
            yield Found(UNFIT, sentence, ("tables", name, "write_units"), advice)


def _check_range(units: spec.CapacityRange, what: str, path: Path) -> Iterator[Found]:
    if units.most < units.min:
        sentence = f"the {path[-1]} units of {what} are at least {units.min} and at most {units.most}"
        yield Found(NO_RANGE, sentence, (*path, "max"), "exchange the two, or leave 'max' out")
    elif units.most > TABLE_QUOTA:
        key = "min" if isinstance(units.max, UnsetType) else "max"
        sentence = f"{units.most} {path[-1]} units are over the quota of a table, {TABLE_QUOTA}"
        yield Found(UNFIT, sentence, (*path, key), "lower it, or ask AWS for more, and then ignore this")
