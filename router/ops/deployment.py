"""All that a deployment needs before AWS is asked: the template, the values of its parameters, and the package."""

import hashlib
import json
from collections.abc import Mapping

from msgspec import Struct

from router.aws.artifacts import Artifacts
from router.aws.stacks import MAX_BODY, ResourceChange, StackTemplate
from router.errors import UsageError
from router.ops.changes import Planned, read_changes
from router.ops.flows import flows_of
from router.ops.literal_names import names_of, values_of, with_plain_tables
from router.ops.package import FOLDER, Package
from router.ops.parameters import parameter_values
from router.ops.template.document import Document
from router.ops.template.function import CODE_BUCKET, CODE_KEY, CODE_VERSION

MAX_FUNCTION_NAME = 64
"""The function has the stack's name: lambda/latest/api/API_CreateFunction.html"""


class Deployment(Struct, frozen=True):
    """A stack to be: the text of its template, its parameters, what to tell of its resources, and the package."""

    stack: str
    body: str
    parameters: Mapping[str, str]
    flows: Mapping[str, str]
    names: Mapping[str, str]
    package: Package | None

    def describe(self, changes: tuple[ResourceChange, ...]) -> tuple[Planned, ...]:
        """Changes in words."""
        return read_changes(changes, self.flows, self.names)

    def put_template(self, artifacts: Artifacts) -> StackTemplate:
        """The template as AWS takes it: a long one is put into the bucket, which is made if there is none."""
        body = self.body.encode()
        if len(body) <= MAX_BODY:
            return StackTemplate(self.body)
        digest = hashlib.sha256(body).hexdigest()
        key = f"{FOLDER}/{digest}.json"
        artifacts.prepare()
        if not artifacts.has(key, digest):
            artifacts.put(key, body, digest)
        return StackTemplate(url=artifacts.url(key))

    def put_package(self, artifacts: Artifacts) -> bool:
        """Put the package into the bucket, unless it is there; whether it had to be put."""
        if self.package is None:
            return False
        artifacts.prepare()
        if artifacts.has(self.package.key, self.package.sha256):
            return False
        artifacts.put(self.package.key, self.package.path, self.package.sha256)
        return True


def make_deployment(
    stack: str,
    document: Document,
    package: Package | None,
    bucket: str,
    given: Mapping[str, str],
    env: Mapping[str, str],
) -> Deployment:
    """A deployment of a template; raises UsageError for parameters or a name that AWS would refuse."""
    if package and len(stack) > MAX_FUNCTION_NAME:
        raise UsageError(f"the function has the stack's name, of {MAX_FUNCTION_NAME} characters at most: '{stack}'")
    ours = {CODE_BUCKET: bucket, CODE_KEY: package.key, CODE_VERSION: ""} if package else {}
    values = parameter_values(document.body["Parameters"], document.variables, given, env, ours)
    known = values_of(document.body, values)
    template = with_plain_tables(document.body, known)
    body = json.dumps(template, separators=(",", ":"))
    flows = flows_of(template["Resources"], document.flows, len(set().union(*document.flows.values())))
    return Deployment(stack, body, values, flows, names_of(template, known), package)
