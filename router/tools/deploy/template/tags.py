"""Tags of all resources of a stack that can have them, and of the stack.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
"""

import re
from collections.abc import Mapping

from msgspec import structs

from router.errors import UsageError
from router.runtime.config_types import TAG, TAG_WORDS
from router.tools.control_plane.resource_changes import Tags, is_aws_tag
from router.tools.deploy.template.document import DeployableConfig, Document
from router.tools.deploy.template.expressions import (
    Json,
    Substitutions,
    sub,
    with_properties,
    without,
)

TAGGABLE = frozenset(
    f"AWS::{name}"
    for name in (
        "ApplicationAutoScaling::ScalableTarget",
        "CloudWatch::Alarm",
        "CloudWatch::CompositeAlarm",
        "CloudWatch::Dashboard",
        "CodeDeploy::Application",
        "CodeDeploy::DeploymentGroup",
        "DynamoDB::Table",
        "ECS::Cluster",
        "ECS::Service",
        "ECS::TaskDefinition",
        "IAM::Role",
        "Lambda::EventSourceMapping",
        "Lambda::Function",
        "Logs::LogGroup",
        "SQS::Queue",
    )
)
"""The types of resources with a property `Tags`, a list of keys and values."""
MAX_RESOURCE_TAGS = 50
_NAME, _VALUE = (re.compile(f"{TAG}{{{least},{most}}}") for least, most in ((1, 128), (0, 256)))


def require_tags(tags: Tags) -> None:
    """Raise UsageError for a tag that AWS would refuse."""
    for name, value in tags.items():
        if not _NAME.fullmatch(name) or is_aws_tag(name):
            raise UsageError(
                f"'{name}' is not the name of a tag: up to 128 {TAG_WORDS}, not beginning with 'aws:'"
            )
        if not _VALUE.fullmatch(value):
            raise UsageError(f"the value of the tag '{name}' is not up to 256 {TAG_WORDS}")


def given_tags(tags: Tags) -> dict[str, str]:
    """Return the tags of a stack that somebody gave it, without those of AWS."""
    return {name: value for name, value in tags.items() if not is_aws_tag(name)}


def kept_tags(config: DeployableConfig, before: Tags) -> dict[str, str]:
    """Return the tags of a stack that its config's file does not have: they stay if none are given."""
    return without(given_tags(before), config.program.config.tags)


def own_tags(document: Document) -> set[str]:
    """Return the names of the tags that resources of a template have of their own."""
    taggable = [each for each in document.body["Resources"].values() if each["Type"] in TAGGABLE]
    return {tag["Key"] for each in taggable for tag in each["Properties"].get("Tags", ())}


def with_tags(
    document: Document,
    config: DeployableConfig,
    given: Tags,
    kept: Tags,
) -> Document:
    """Return a template whose resources have the tags of the config's file, their own, those given and those kept.

    Of one name, the given one counts, then the resource's own, then that of the file. Raises UsageError for too many
    tags of a resource, and for one that only AWS can give.
    """
    in_config = config.program.config.tags
    for name in sorted({*in_config, *own_tags(document)}):
        if is_aws_tag(name):
            raise UsageError(
                f"the tag '{name}' of the config begins with 'aws:', and nobody but AWS can give such a tag: "
                "give it another name"
            )
    at = Substitutions(config.files).at
    of_file = {name: sub(at(("tags", name), value)) for name, value in in_config.items()}
    if not of_file and not given and not kept:
        return document
    resources = dict(document.body["Resources"])
    for id_, each in resources.items():
        if each["Type"] in TAGGABLE:
            own = {tag["Key"]: tag["Value"] for tag in each["Properties"].get("Tags", ())}
            tags = {**of_file, **own}
            # In the order of the deployment that gave them, so that nothing changes.
            resources[id_] = _tagged(id_, each, {**tags, **without(kept, tags), **given})
    return structs.replace(document, body={**document.body, "Resources": resources})


def _tagged(id_: str, resource: Json, tags: Mapping[str, object]) -> Json:
    if len(tags) > MAX_RESOURCE_TAGS:
        raise UsageError(
            f"the resource {id_} would have {len(tags)} tags, and AWS accepts {MAX_RESOURCE_TAGS}"
        )
    listed = [{"Key": name, "Value": value} for name, value in tags.items()]
    return with_properties(resource, Tags=listed)
