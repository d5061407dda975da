"""Reads templates of CloudFormation in YAML, with the short forms of its functions."""

from typing import Any

import yaml


class LongForms(yaml.SafeLoader):
    """Loads CloudFormation's tags, such as `!Ref` and `!Sub`, as the long forms of their functions."""


def _long_form(loader: LongForms, tag: str, node: yaml.Node) -> Any:
    match node:
        case yaml.SequenceNode():
            value: Any = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
        case _:
            value = node.value
    if tag in ("Ref", "Condition"):
        return {tag: value}
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{tag}": value}


LongForms.add_multi_constructor("!", _long_form)
