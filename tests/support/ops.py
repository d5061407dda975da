"""What tests of other rooms use of `router.ops`."""

from router.ops import probe
from router.ops.changes import PlannedChange, PropertyChange
from router.ops.deployment import Deployment
from router.ops.live import LiveComparison
from router.ops.preconditions import NewStore, require_codedeploy, require_free_names
from router.ops.probe import NO_RECORDS, FunctionError
from router.ops.stack import (
    DESCRIPTION,
    DeploymentResult,
    PlannedRemoval,
    PreparedChange,
    create_change_set,
    delete_stack,
    discard,
    execute,
    plan_removal,
    read_result,
)
from router.ops.stack_versions import keep_version
from router.ops.template.alias import with_alias
from router.ops.template.document import DeployableConfig, Document, as_json, make_document, read_for_deployment
from router.ops.template.operators import operator_policies

__all__ = [
    "DESCRIPTION",
    "NO_RECORDS",
    "DeployableConfig",
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
    "as_json",
    "create_change_set",
    "delete_stack",
    "discard",
    "execute",
    "keep_version",
    "make_document",
    "operator_policies",
    "plan_removal",
    "probe",
    "read_for_deployment",
    "read_result",
    "require_codedeploy",
    "require_free_names",
    "with_alias",
]
