"""Patches of a template: files of the user's that are merged into it, so that every property of AWS is in reach.

Mappings are merged, anything else replaces the previous value, and null removes it, as by RFC 7396
(https://www.rfc-editor.org/rfc/rfc7396). A function such as `Ref` is a value, not a mapping to merge into. Under
`Resources`, a type of resources stands for each resource of that type.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, structs

from router.errors import UsageError
from router.model import Path as Place
from router.tools.control_plane.template_yaml import LongForms
from router.tools.deploy.table_definitions import resource_of
from router.tools.deploy.template.document import Document, as_json
from router.tools.deploy.template.expressions import Json, Resources
from router.tools.deploy.template.limits import require_limits

_RESOURCES = "Resources"
_SECTIONS = (_RESOURCES, "Parameters", "Conditions", "Mappings", "Rules", "Metadata", "Outputs")
_TYPE_MARK = "::"
_REMOVABLE = ("AWS::CloudWatch::", "AWS::ApplicationAutoScaling::")
"""The types of resources without which messages are routed as before."""
_MAPPING = "AWS::Lambda::EventSourceMapping"
_RESPONSE_TYPES, _REPORTS = "FunctionResponseTypes", "ReportBatchItemFailures"
_FILTERS = "FilterCriteria"
_FUNCTIONS = ("Ref", "Condition")


class Patch(Struct, frozen=True):
    """A patch, and the lines of its keys and elements by their paths."""

    path: Path
    body: Json
    lines: Mapping[Place, int]

    def longest(self, places: Iterable[Place]) -> Place:
        """Return the longest of these paths, or of what is around them, that the patch has."""
        around = [place[:length] for place in places for length in range(len(place) + 1)]
        return max((place for place in around if place in self.lines), key=len, default=())

    def place(self, *places: Place) -> str:
        """Return the file and line of the longest of these paths, or of what is around it."""
        return f"{self.path}:{self.lines.get(self.longest(places), 1)}"


def read_patch(path: Path) -> Patch:
    """Read a patch; raises UsageError for what is no patch of a template."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"cannot read {path} as UTF-8 text") from None
    loader = LongForms(text)
    try:
        node = loader.get_single_node()
        body = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {error}") from None
    finally:
        loader.dispose()
    if node is None or not isinstance(body, dict):
        raise UsageError(f"{path}:1: a patch is a mapping, as of 'Resources'")
    lines: dict[Place, int] = {}
    for place, line in _lines(node, ()):
        if place in lines:
            raise UsageError(f"{path}:{line}: the key '{place[-1]}' is there twice")
        lines[place] = line
    patch = Patch(path, body, lines)
    for section, content in body.items():
        if section not in _SECTIONS or not isinstance(content, dict):
            raise UsageError(
                f"{patch.place((section,))}: a patch has mappings of {', '.join(_SECTIONS)}"
            )
    return patch


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            yield from _lines(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, element in enumerate(node.value):
            yield (*place, index), element.start_mark.line + 1
            yield from _lines(element, (*place, index))


def with_patches(document: Document, patches: Sequence[Patch], region: str) -> Document:
    """Return a template with patches, in their order; raises UsageError for what cannot be deployed then.

    `region` is where cfn-lint assumes it to be deployed, if that is installed.
    """
    if not patches:
        return document
    body = document.body
    for patch in patches:
        body = _patched(body, patch)
    require_limits(body)
    patched = structs.replace(document, body=body)
    errors = _errors_of(patched, region)
    # What the config is to blame for is at no line of a patch.
    known = _errors_of(document, region) if errors else {}
    lines = [
        f"{_place_of(patched, patches[::-1], path)}: {sentence}"
        for path, sentence in errors
        if (path, sentence) not in known
    ]
    if lines:
        raise UsageError("cfn-lint refuses the patched template:\n" + "\n".join(lines))
    return patched


def _patched(template: Json, patch: Patch) -> Json:
    resources = dict(template[_RESOURCES])
    for name, content in patch.body.get(_RESOURCES, {}).items():
        place = patch.place((_RESOURCES, name))
        if _TYPE_MARK in name:
            ids = [id_ for id_, each in resources.items() if each["Type"] == name]
        else:
            ids = [name]
        if not ids:
            raise UsageError(f"{place}: the template has no resource of the type {name}")
        for id_ in ids:
            _patch_resource(resources, id_, content, place)
    _require_reports(resources, patch)
    others = {name: each for name, each in patch.body.items() if name != _RESOURCES}
    return {**merge_patch(template, others), _RESOURCES: resources}


def _patch_resource(resources: Resources, id_: str, content: Any, place: str) -> None:
    """Patch, add or remove a resource."""
    before = resources.get(id_, {})
    type_ = before.get("Type", "")
    if content is None and before:
        if not type_.startswith(_REMOVABLE):
            raise UsageError(f"{place}: a patch cannot remove {id_}, a resource of {type_}")
        del resources[id_]
        return
    after = merge_patch(before, content)
    if not isinstance(after, dict) or "Type" not in after:
        raise UsageError(f"{place}: the template has no resource {id_}, and a new one needs a Type")
    if before and after["Type"] != type_:
        raise UsageError(f"{place}: a patch cannot change the type of {id_}, {type_}")
    resources[id_] = after


def merge_patch(target: Any, patch: Any) -> Any:
    """Return a value with a patch.

    >>> merge_patch({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": None, "e": 3}, "d": [2]})
    {'a': {'c': 2, 'e': 3}, 'd': [2]}
    >>> merge_patch({"a": {"Fn::Sub": "x"}}, {"a": {"Ref": "y"}})
    {'a': {'Ref': 'y'}}
    """
    if not isinstance(patch, dict) or _is_function(patch):
        return patch
    found = dict(target) if isinstance(target, dict) and not _is_function(target) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merge_patch(found.get(name), value)
    return found


def _is_function(value: Json) -> bool:
    return len(value) == 1 and all(
        name in _FUNCTIONS or str(name).startswith("Fn::") for name in value
    )


def _require_reports(resources: Mapping[str, Json], patch: Patch) -> None:
    """Raise UsageError for an event source mapping that deletes messages which the function did not store."""
    for id_, each in resources.items():
        if each["Type"] != _MAPPING:
            continue
        properties = each.get("Properties", {})
        if _REPORTS not in properties.get(_RESPONSE_TYPES, ()):
            raise UsageError(
                f"{_place_in_mapping(patch, id_, _RESPONSE_TYPES)}: without {_REPORTS}, Lambda deletes the messages "
                f"that {id_} reports as failed"
            )
        if _FILTERS in properties:
            raise UsageError(
                f"{_place_in_mapping(patch, id_, _FILTERS)}: Lambda deletes the messages that a filter of {id_} does "
                "not match; use 'when' of routes"
            )


def _place_in_mapping(patch: Patch, id_: str, name: str) -> str:
    """Return the place of a property of a mapping, which a patch may give by its id or by its type."""
    return patch.place(
        (_RESOURCES, id_, "Properties", name), (_RESOURCES, _MAPPING, "Properties", name)
    )


def _errors_of(document: Document, region: str) -> dict[tuple[Place, str], None]:
    """Return the errors that cfn-lint finds, each with its path in the template; none if it is not installed."""
    if find_spec("cfnlint") is None:
        return {}
    from cfnlint.api import lint
    from cfnlint.config import ManualArgs

    found = lint(as_json(document), config=ManualArgs(regions=[region]))
    return {
        (tuple(each.path), f"{each.rule.id} {each.message}"): None
        for each in found
        if each.rule.id.startswith("E")
    }


def _place_of(document: Document, patches: Sequence[Patch], path: Place) -> str:
    """Return the file and line of a part of the template, or of what is around it in the patch that has most of it.

    The last patch comes first.
    """
    places = [path]
    match path:
        case (str(section), str(id_), *inside) if section == _RESOURCES:
            type_ = resource_of(document.body, id_).get("Type", "")
            places.append((_RESOURCES, type_, *inside))
    nearest = max(patches, key=lambda patch: len(patch.longest(places)))
    return nearest.place(*places)
