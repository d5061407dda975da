"""The rules that `router check` runs beyond loading, in the order in which they run."""

from router.checks.arguments import check_arguments
from router.checks.deployment import check_idle_settings, check_kms_keys, check_mappings, check_retention, check_times
from router.checks.keys import check_keys
from router.checks.mapping_types import check_templates, check_types
from router.checks.paths import check_lists, check_paths
from router.checks.routing import check_conditions, check_queues, check_same_keys, check_tables
from router.checks.rule import Rule
from router.checks.schema_contents import check_definitions, check_satisfiable
from router.checks.schema_examples import check_examples
from router.checks.schemas import check_second_opinions
from router.checks.sizes import check_sizes
from router.checks.tasks import check_environment, check_tasks
from router.checks.versions import check_ttl, check_versions

RULES: tuple[Rule, ...] = (
    check_second_opinions,
    check_examples,
    check_definitions,
    check_satisfiable,
    check_conditions,
    check_queues,
    check_tables,
    check_same_keys,
    check_paths,
    check_lists,
    check_types,
    check_templates,
    check_arguments,
    check_keys,
    check_versions,
    check_ttl,
    check_sizes,
    check_mappings,
    check_kms_keys,
    check_idle_settings,
    check_times,
    check_retention,
    check_environment,
    check_tasks,
)
