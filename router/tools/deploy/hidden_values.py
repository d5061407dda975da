"""The values of parameters that CloudFormation does not tell (`NoEcho`): which are kept, and which may have changed.

DescribeStacks has `****` for them: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from collections.abc import Iterable
from secrets import token_hex

from msgspec import Struct

from router.errors import UsageError
from router.runtime.config.secret_values import DYNAMIC_REFERENCE
from router.tools.control_plane.stacks import ParameterValues
from router.tools.deploy.changes import ANOTHER, HIDDEN
from router.tools.deploy.table_definitions import Values


class Previous(Struct, frozen=True):
    """What is known of a stack that is to be changed: its parameters, and the names of those that AWS hides.

    `environment` has the variables with which its function runs, as far as they can be read, `mark` is what its
    template has for its hidden values.
    """

    parameters: Values = {}
    hidden: frozenset[str] = frozenset()
    environment: Values = {}
    mark: str = ""


class HiddenValues(Struct, frozen=True):
    """The parameters of a template that AWS hides, by `names`, beside those of the stack.

    `labels` are the variables of parameters, by which people know them.
    """

    previous: Previous
    names: frozenset[str]
    labels: Values

    def no_longer_hidden(self, parameters: ParameterValues) -> dict[str, str]:
        """Return the values that stay of parameters that AWS hid, and from which names are computed now.

        Raises UsageError for one that is not known.
        """
        found = {}
        for name, value in parameters.items():
            if value is not None or name not in self.previous.hidden or name in self.names:
                continue
            known = self._before(name)
            if known is None:
                label = self._label(name)
                raise UsageError(
                    f"the value of '{label}' is part of the template now, and CloudFormation does not tell the one "
                    f"that the stack has: pass --parameter {label}=…"
                )
            found[name] = known
        return found

    def changes(self, kept: Iterable[str], given: Values) -> dict[str, tuple[str, str]]:
        """Return the values before and after of the parameters of the stack that change.

        A hidden value is compared with the one that the function has. Where that is not known, it may have changed.
        """
        found = {}
        for name in kept:
            before = self._before(name)
            after = given.get(name, before)
            if after is None or before == after:
                continue
            shown = before or "", after
            if name in self.names or name in self.previous.hidden:
                shown = HIDDEN, HIDDEN if before is None else ANOTHER
            found[self._label(name)] = shown
        return found

    def new_mark(self, given: Values) -> str:
        """Return a text that differs from the one in the stack if a hidden value may have changed.

        It is random: a hash of a value that can be guessed would tell the value.
        """
        changed = any(
            self._before(name) != value for name, value in given.items() if name in self.names
        )
        return token_hex(8) if changed else self.previous.mark

    def _before(self, name: str) -> str | None:
        """Return the value that a parameter of the stack has; None if that is not known."""
        if name in self.previous.hidden:
            return self.previous.environment.get(self._label(name))
        return self.previous.parameters.get(name)

    def _label(self, name: str) -> str:
        return self.labels.get(name, name)


def refuse_references(parameters: ParameterValues, labels: Values) -> None:
    """Raise UsageError for the value of a parameter that CloudFormation might replace by another."""
    for name, value in parameters.items():
        if value is not None and DYNAMIC_REFERENCE in value:
            label = labels.get(name, name)
            raise UsageError(
                f"the value of '{label}' has '{DYNAMIC_REFERENCE}' in it, and a parameter cannot refer to a secret: "
                f"name {label} in the environment of the function or worker in the config, with the reference as its "
                "value"
            )
