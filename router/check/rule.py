"""What a rule of `router check` is: a function from a loaded config to what it finds."""

from collections.abc import Callable, Iterable
from functools import cached_property

from msgspec import Struct

from router.check.flows import Flow, survey
from router.config import spec
from router.model import Code, Path
from router.program.hooks.plugins import Plugins
from router.program.schemas.compile import SchemaStore


class Subject(Struct, frozen=True, dict=True):
    """A config as rules see it: parsed, with its plugins and schemas loaded, though perhaps with errors.

    If it is not `whole`, parts of it could not be read, and what seems not to be there may be in them.
    """

    config: spec.Config
    plugins: Plugins
    schemas: SchemaStore
    whole: bool = True

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """The routes, with what is sure of their messages; worked out once for all rules."""
        return survey(self.config, self.plugins, self.schemas)


class Found(Struct, frozen=True):
    """One thing that a rule found, at the value (or, with `key`, the key) at a path of the config."""

    code: Code
    sentence: str
    path: Path
    suggestion: str = ""
    key: bool = False


Rule = Callable[[Subject], Iterable[Found]]
"""A rule; it declares the codes that it finds beside it, and asks nothing but the subject."""
