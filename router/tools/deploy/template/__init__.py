"""The CloudFormation template of a config, and files for its worker.

What does not depend on the config is in files beside these modules, in which `$name` is replaced by a value.
"""

from pathlib import Path
from string import Template


def fill(name: str, **values: object) -> str:
    """Return the text of a file beside this module, with a value for each `$name`."""
    return Template(Path(__file__).with_name(name).read_text(encoding="utf-8")).substitute(values)
