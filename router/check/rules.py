"""The rules that `router check` runs beyond loading, in the order in which they run."""

from router.check.arguments import check_arguments
from router.check.deployment import check_idle_settings, check_kms_keys, check_mappings, check_retention, check_times
from router.check.fargate import check_environment, check_tasks
from router.check.keys import check_keys
from router.check.mapping_types import check_templates, check_types
from router.check.paths import check_lists, check_paths
from router.check.routing import check_conditions, check_queues, check_same_keys, check_tables
from router.check.rule import Rule
from router.check.schema_contents import check_definitions, check_satisfiable
from router.check.schema_examples import check_examples
from router.check.schemas import check_second_opinions
from router.check.sizes import check_sizes
from router.check.versions import check_ttl, check_versions

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
