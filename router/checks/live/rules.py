"""The rules that `router check --live` runs, in the order in which they run."""

from router.checks.live.answers import check_answers
from router.checks.live.facts import LiveRule
from router.checks.live.functions import check_functions, check_mapped
from router.checks.live.indexes import check_indexes
from router.checks.live.mappings import check_concurrency, check_mappings
from router.checks.live.permissions import check_permissions
from router.checks.live.queues import check_dead_letters, check_queues, check_redrive_targets
from router.checks.live.tables import check_tables

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
