"""The rules that `router check --live` runs, in the order in which they run."""

from router.check.live.answers import check_answers
from router.check.live.deployed import LiveRule
from router.check.live.functions import check_functions, check_mapped
from router.check.live.indexes import check_indexes
from router.check.live.mappings import check_concurrency, check_mappings
from router.check.live.permissions import check_permissions
from router.check.live.queues import check_dead_letters, check_queues, check_redrive_targets
from router.check.live.tables import check_tables

LIVE_RULES: tuple[LiveRule, ...] = (
    check_answers,
    check_tables,
    check_indexes,
    check_queues,
    check_dead_letters,
    check_redrive_targets,
    check_functions,
    check_mapped,
    check_mappings,
    check_concurrency,
    check_permissions,
)
