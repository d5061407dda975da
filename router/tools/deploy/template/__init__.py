"""The CloudFormation template of a config, and files for its worker.

What does not depend on the config is in files beside these modules, in which `$name` is replaced by a value.
"""

from pathlib import Path
from string import Template
from typing import Any

import yaml


def fill(name: str, **values: object) -> str:
    """Return the text of a file beside this module, with a value for each `$name`."""
    return Template(Path(__file__).with_name(name).read_text(encoding="utf-8")).substitute(values)


def load_part(name: str, **values: object) -> dict[str, Any]:
    """Return what a file of YAML beside this module has, with a value for each `$name`."""
    part: dict[str, Any] = yaml.safe_load(fill(name, **values))
    return part
