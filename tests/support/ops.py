"""What tests of other rooms use of `router.tools.deploy`."""

from router.tools.deploy import (
    deleted_queues,
    deployed_places,
    index_updates,
    probe,
    stack_versions,
)
from router.tools.deploy.archive import Archive, move_archive
from router.tools.deploy.changes import PlannedChange, PropertyChange
from router.tools.deploy.deployment import Deployment
from router.tools.deploy.live import LiveComparison
from router.tools.deploy.precompile import find_constraints, list_places, precompile, write
from router.tools.deploy.preconditions import NewStore, require_codedeploy, require_free_names
from router.tools.deploy.probe import NO_RECORDS, FunctionError
from router.tools.deploy.stack import (
    DESCRIPTION,
    DeploymentResult,
    PlannedRemoval,
    PreparedChange,
    create_change_set,
    delete_stack,
    discard,
    execute,
    left_by,
    plan_removal,
    read_result,
)
from router.tools.deploy.stack_versions import DeployedCode, keep_version
from router.tools.deploy.status import QueueStatus
from router.tools.deploy.template import parts
from router.tools.deploy.template.alias import with_alias
from router.tools.deploy.template.canary import Canary, with_canary
from router.tools.deploy.template.document import (
    DeployableConfig,
    Document,
    as_json,
    make_document,
    read_for_deployment,
)
from router.tools.deploy.template.operators import operator_policies
from router.tools.deploy.template.worker import PLACE as WORKER_PLACE
from router.tools.deploy.template.worker import PORT as WORKER_PORT
from router.tools.deploy.template.worker import worker_command as template_worker_command

__all__ = [
    "DESCRIPTION",
    "NO_RECORDS",
    "WORKER_PLACE",
    "WORKER_PORT",
    "Archive",
    "Canary",
    "DeployableConfig",
    "DeployedCode",
    "Deployment",
    "DeploymentResult",
    "Document",
    "FunctionError",
    "LiveComparison",
    "NewStore",
    "PlannedChange",
    "PlannedRemoval",
    "PreparedChange",
    "PropertyChange",
    "QueueStatus",
    "as_json",
    "create_change_set",
    "delete_stack",
    "deleted_queues",
    "deployed_places",
    "discard",
    "execute",
    "find_constraints",
    "index_updates",
    "keep_version",
    "left_by",
    "list_places",
    "make_document",
    "move_archive",
    "operator_policies",
    "parts",
    "plan_removal",
    "precompile",
    "probe",
    "read_for_deployment",
    "read_result",
    "require_codedeploy",
    "require_free_names",
    "stack_versions",
    "template_worker_command",
    "with_alias",
    "with_canary",
    "write",
]
