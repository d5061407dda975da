"""What a version deploys, with the name and the place in its config of all that a template or policy is about."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct

from router.errors import RouterError
from router.model import Path
from router.runtime.program.precompiled import COMPILED_NAME, is_precompiled, unpack
from router.tools.change.versions import ConfigVersion
from router.tools.check.live.permissions import fetches_of, keys_of
from router.tools.deploy.changes import kind_of, routes_of
from router.tools.deploy.precompile import read_files
from router.tools.deploy.queue_parts import QueuePart
from router.tools.deploy.table_definitions import substitute_text
from router.tools.deploy.template.document import DeployableConfig, make_document
from router.tools.deploy.template.expressions import Substitutions
from router.tools.deploy.template.plan import PlannedQueue, PlannedResource, StackPlan, make_plan
from router.tools.deploy.template.policies import statements, with_substitutions


class ConfigSubject(Struct, frozen=True):
    """What a permission or a resource is about: its name in words, and its path in the config."""

    label: str
    path: Path


class DeployedVersion(Struct, frozen=True, dict=True):
    """What a version deploys: its plan, the actions on each ARN, and the resources of its template.

    `values` are those of the variables of the config, by their parameters.
    """

    plan: StackPlan
    actions: Mapping[str, frozenset[str]]
    resources: Mapping[str, Any]
    values: Mapping[str, str]

    def planned(self, id_: str) -> PlannedResource | None:
        """Return a queue or table by its logical id."""
        return self.plan.queues.get(id_) or self.plan.tables.get(id_)

    def subject(self, id_: str) -> ConfigSubject | None:
        """Return what the resource with a logical id is about; None if there is none."""
        if id_ not in self.resources:
            return None
        planned = self.planned(id_)
        if planned:
            return self._subject_of(planned)
        kind = kind_of(self.resources[id_]["Type"])
        # There is one function, and one cluster.
        label = f"the {kind}" if kind.replace(" ", "") == id_.lower() else f"{kind} {id_}"
        queue = self._queues_of_parts.get(id_)
        return ConfigSubject(label, self.path(queue) if queue else (self.plan.section,))

    def _subject_of(self, planned: PlannedResource) -> ConfigSubject:
        return ConfigSubject(f"{kind_of_planned(planned)} '{planned.label}'", self.path(planned))

    def path(self, planned: PlannedResource) -> Path:
        """Return the path of a queue or table: without settings of its own, that of what names it first."""
        queues, name = self.plan.config.queues, planned.name_in_config
        if not isinstance(planned, PlannedQueue):
            return ("tables", name)
        if name:
            return ("queues", name) if name in queues else ("routes", planned.routes[0], "queue")
        source = self.source(planned)
        dead_letter, path = source.settings.dead_letter, self.path(source)
        if dead_letter in queues:
            return ("queues", dead_letter)
        return (*path, "dead_letter") if source.name_in_config in queues else path

    def source(self, dead_letters: PlannedQueue) -> PlannedQueue:
        """Return the first queue of a dead-letter queue."""
        return next(each for each in self.plan.read if each.dead_letter == dead_letters.id)

    @cached_property
    def _queues_of_parts(self) -> Mapping[str, PlannedQueue]:
        """The queues by the logical ids of their parts."""
        queues = self.plan.queues.values()
        return {part.of(queue.id): queue for queue in queues for part in QueuePart}

    @cached_property
    def subjects(self) -> Mapping[str, ConfigSubject]:
        """What permissions are about, by their ARNs."""
        planned = [*self.plan.queues.values(), *self.plan.tables.values()]
        found = {each.arn: self._subject_of(each) for each in planned}
        for arn, subject in self._keys_and_buckets():
            found.setdefault(arn, subject)
        return found

    def _keys_and_buckets(self) -> Iterator[tuple[str, ConfigSubject]]:
        config = with_substitutions(self.plan)
        for section, group in (("queues", config.queues), ("tables", config.tables)):
            for name, settings in group.items():
                for key in keys_of(settings):
                    what = f"{_of_key(self.value(key))} of {section.removesuffix('s')} '{name}'"
                    yield key, ConfigSubject(what, (section, name, "kms_key"))
        for name, queue in config.queues.items():
            if queue.s3_pointer is None:
                continue
            arns = [each.arn for each in self.plan.read if each.name_in_config == name]
            partition, _, _ = next(iter(arns), "arn:aws:sqs:").partition(":sqs:")
            for resource, _ in fetches_of(queue.s3_pointer, partition):
                what = _of_s3(self.value(resource))
                yield resource, ConfigSubject(what, ("queues", name, "s3_pointer", "buckets"))

    def value(self, text: str) -> str:
        """Return a text with the values of variables; as it is if one has none here."""
        return substitute_text(text, self.values) or text

    def keys(self, planned: PlannedResource) -> tuple[str, str]:
        """Return the KMS key of a queue or table, and the previous one, each "" for none."""
        return self.value(planned.kms_key), self.value(planned.kms_key_previous)


def kind_of_planned(planned: PlannedResource) -> str:
    """Return what a planned resource is, in words."""
    return "queue" if isinstance(planned, PlannedQueue) else "table"


def _of_key(arn: str) -> str:
    return f"KMS key '{arn.rpartition('/')[2]}'"


def _of_s3(arn: str) -> str:
    bucket = arn.partition(":s3:::")[2]
    if not bucket:
        return f"{_of_key(arn)} of payloads"
    name = bucket.removesuffix("/*")
    return f"the objects of bucket '{name}'" if bucket != name else f"bucket '{name}'"


def _deployable(version: ConfigVersion) -> DeployableConfig:
    if is_precompiled(version.path):
        packed = version.path.read_bytes()
        files = unpack(packed, COMPILED_NAME, any_version=True).files.files
    else:
        files = read_files(version.path, version.config.include)
    return DeployableConfig(version.path, version.program, version.loaded, files)


def routes_by_resource(version: ConfigVersion, template: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the routes of each resource of a template as text, by logical id; none if the version has no template."""
    try:
        document = make_document(_deployable(version))
    except RouterError:
        return {}
    return routes_of(template["Resources"], document.routes)


def deployed_version(version: ConfigVersion, as_worker: bool) -> DeployedVersion:
    """Return what a version deploys: for the worker, or else for the function; raises UsageError (a limit of AWS)."""
    config = _deployable(version)
    substitutions = Substitutions(config.files)
    body = make_document(config, as_worker).body
    plan = make_plan(version.program, substitutions, as_worker)
    actions: dict[str, frozenset[str]] = {}
    for statement in statements(plan):
        for arn in statement.resources:
            actions[arn] = actions.get(arn, frozenset()) | frozenset(statement.actions)
    # What a resource waits for does not change it.
    for resource in body["Resources"].values():
        resource.pop("DependsOn", None)
    values = {}
    for each in substitutions.variables.values():
        value = version.env.get(each.name) or next(iter(each.defaults), "")
        if value:
            values[each.parameter] = value
    return DeployedVersion(plan, actions, body["Resources"], values)
