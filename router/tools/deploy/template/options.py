"""What is asked of a template besides its config: tags, a permissions boundary, patches."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct, structs

from router.errors import UsageError
from router.tools.control_plane.resource_changes import Tags
from router.tools.deploy.template.document import DeployableConfig, Document
from router.tools.deploy.template.patch import Patch, read_patch, with_patches
from router.tools.deploy.template.tags import require_tags, with_tags

BOUNDARY = "PermissionsBoundary"
"""The parameter with the ARN of the permissions boundary of all roles of a template."""
DEFAULT_REGION = "us-east-1"


class TemplateOptions(Struct, frozen=True):
    """Tags of all resources, the ARN of the permissions boundary of all roles or "", and patches.

    `kept` are the tags that the stack has and keeps.
    """

    tags: Tags = {}
    boundary: str = ""
    patches: tuple[Patch, ...] = ()
    kept: Tags = {}


def read_options(tags: Tags, boundary: str, patches: Iterable[Path]) -> TemplateOptions:
    """Return the options of a command; raises UsageError."""
    require_tags(tags)
    return TemplateOptions(tags, boundary, tuple(map(read_patch, patches)))


def with_options(
    document: Document,
    config: DeployableConfig,
    options: TemplateOptions,
    region: str = DEFAULT_REGION,
) -> Document:
    """Return a template with what is asked of it; raises UsageError for tags or patches that AWS would refuse."""
    body = document.body
    if options.boundary:
        parameters = body["Parameters"]
        boundary = {**parameters[BOUNDARY], "Default": options.boundary}
        body = {**body, "Parameters": {**parameters, BOUNDARY: boundary}}
    tagged = with_tags(structs.replace(document, body=body), config, options.tags, options.kept)
    return with_patches(tagged, options.patches, region)


def read_assignments(given: Sequence[str]) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping; raises UsageError."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise UsageError(f"'{each}' is not NAME=VALUE")
        found[name] = value
    return found
