"""The registry of rules: a rule registers itself, and the packages of rules are discovered.

`examples.json` is made by `make format` from the fixtures of the rules in `tests/checks`, and `runbooks.json` from the
sections of `docs/runbooks.md`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
from msgspec import Struct

from router import codes
from router.model import Code, Path
from router.prover.budget import ProofBudget
from router.runtime.config import spec
from router.runtime.config.secret_values import SecretUse
from router.runtime.discovery import import_modules
from router.runtime.program.hooks import Plugins
from router.runtime.program.load import Program
from router.runtime.program.schemas.compile import SchemaStore, Validation
from router.tools.check.analysis.routes import AnalyzedRoute, analyze_routes
from router.tools.check.analysis.table_sharing import sharing_routes
from router.tools.check.analysis.verdicts import Claim, ClaimKind, Undecided

if TYPE_CHECKING:
    from router.tools.check.analysis.key_meetings import Meeting

LIVE = "RT7"
"""The prefix of the codes that only `--live` reports."""
CHANGE = "RT9"
"""The prefix of the codes that only `router diff` reports."""
# The module that declares them. `ignore` and `--explain` need its codes; it is of a package above
# this one.
_CHANGE_CODES = "router.tools.change.change_codes"
# The packages of `router` whose modules declare codes, besides `router.codes`.
_DECLARING = (
    "runtime.config",
    "runtime.modes",
    "runtime.sources",
    "runtime.envelopes",
    "runtime.transforms",
    "runtime.program",
    "tools.check",
)


class Subject(Struct, frozen=True, dict=True):
    """A config with its plugins and schemas, as rules get it; it may have errors.

    Unless `whole`, parts of the config could not be read, so that a rule must not report that
    something is missing. `secrets` are the variables that are named like secrets, with the texts
    that refer to them. `program` is the compiled config, if it has no errors.
    """

    config: spec.Config
    plugins: Plugins
    schemas: SchemaStore
    whole: bool = True
    secrets: tuple[SecretUse, ...] = ()
    program: Program | None = None

    @cached_property
    def routes(self) -> tuple[AnalyzedRoute, ...]:
        """The routes with the messages that can reach them, computed once for all rules."""
        return analyze_routes(self.config, self.plugins, self.schemas, self.budget_of)

    @cached_property
    def meetings(self) -> "tuple[Meeting, ...]":
        """What is known of the routes that share a table; nothing if the config has errors."""
        if self.program is None:
            return ()
        tables = sharing_routes(self.config)
        if not tables:
            return ()
        # Most configs have nothing to compare, and do without the modules.
        from router.tools.check.analysis.key_meetings import meetings_of

        by_name = {route.name: route for route in self.routes}
        sharing = (list(map(by_name.__getitem__, names)) for names in tables.values())
        return tuple(meetings_of(sharing, self.program))

    @cached_property
    def read(self) -> Mapping[str, Path]:
        """The queues that routes read, each with the path where the first route names it."""
        found: dict[str, Path] = {}
        for name, route in self.config.routes.items():
            found.setdefault(route.queue, ("routes", name, "queue"))
        return found

    @property
    def by_queue(self) -> Mapping[str, list[AnalyzedRoute]]:
        """The routes of each queue that has some, by its name."""
        found: dict[str, list[AnalyzedRoute]] = {}
        for route in self.routes:
            found.setdefault(route.route.queue, []).append(route)
        return found

    def budget_of(self, schema: Validation | None) -> ProofBudget:
        """Return what all rules together may still spend on a schema."""
        return self._budgets.setdefault("" if schema is None else schema.root.uri, ProofBudget())

    @cached_property
    def _budgets(self) -> dict[str, ProofBudget]:
        return {}


class Found(Struct, frozen=True):
    """A finding of a rule, at the value (or, with `key`, the key) at a path of the config.

    A finding about an entry of `queues`, `tables` or `routes` is at its key. One that `refutes` a
    claim about a route, as `route.claim("key", name)` makes it, is its verdict in the ledger, and
    that of the claim that it `also_refutes`. One about two routes has the path of the other one
    `beside` its own.
    """

    code: Code
    sentence: str
    path: Path
    suggestion: str = ""
    key: bool = False
    refutes: Claim | None = None
    beside: Path | None = None
    also_refutes: Claim | None = None

    @property
    def refuted_claims(self) -> Iterator[Claim]:
        """The claims that it refutes."""
        return filter(None, (self.refutes, self.also_refutes))


class PlacedClaim(Struct, frozen=True):
    """A claim about a route, which a finding refutes at its place in the config, or at a part of
    it.
    """

    route: AnalyzedRoute
    claim: Claim
    part: Path = ()

    @property
    def path(self) -> Path:
        """The path in the config."""
        return self.route.path_of(self.claim, *self.part)

    def refuted(self, code: Code, sentence: str, suggestion: str = "") -> Found:
        """Return a finding that refutes the claim."""
        return Found(code, sentence, self.path, suggestion, refutes=self.claim)


def place_claim(
    route: AnalyzedRoute, kind: ClaimKind, subject: str = "", *part: str | int
) -> PlacedClaim:
    """Return a claim about a route at its place in the config, or at a part of its attribute."""
    return PlacedClaim(route, route.claim(kind, subject), part)


RuleResult = Found | Undecided
"""What a rule yields: findings, and claims that it cannot decide and that are not proved therefore.
"""


SubjectT = TypeVar("SubjectT")
Find = Callable[[SubjectT], Iterable[RuleResult]]
"""The function of a rule. It is quoted in annotations: to fill it in takes time at each import."""


class Rule(Struct, Generic[SubjectT], frozen=True):
    """A function that yields findings about a subject, and the codes of these findings."""

    codes: tuple[Code, ...]
    find: "Find[SubjectT]"

    @property
    def name(self) -> str:
        """The name of the function."""
        return str(getattr(self.find, "__name__", type(self.find).__name__))


class RuleSet(Generic[SubjectT]):
    """The rules that the modules of a package register."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._rules: dict[str, Rule[SubjectT]] = {}

    def register(self, *reported: Code) -> "Callable[[Find[SubjectT]], Find[SubjectT]]":
        """Decorate the function of a rule.

        Raises ValueError if another rule reports one of its codes.
        """

        def decorate(find: "Find[SubjectT]") -> "Find[SubjectT]":
            for code in reported:
                if code.id in self._rules:
                    raise ValueError(f"two rules report {code.id}")
                self._rules[code.id] = Rule(reported, find)
            return find

        return decorate

    def all(self) -> tuple[Rule[SubjectT], ...]:
        """Import the modules of the package, and return their rules in the order of their first
        codes.
        """
        _import_rules(self._package)
        return tuple(rule for id_, rule in sorted(self._rules.items()) if id_ == rule.codes[0].id)


RULES: RuleSet[Subject] = RuleSet("router.tools.check.rules")
rule = RULES.register
"""Registers a rule of `router check`: `@rule(CODE)`."""


@cache
def _import_rules(package: str) -> None:
    """Import all modules of a package; there are no packages in it."""
    import_modules(package, import_module(package).__path__)


@cache
def _import_all(package: str) -> None:
    """Import all modules of a package and of the packages in it."""
    # Which takes more than to list the modules of rules does, and is for explanations.
    import pkgutil

    for info in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        import_module(info.name)


def known_codes() -> Mapping[str, Code]:
    """Return every code by id, in order; import all modules that declare codes."""
    for package in _DECLARING:
        _import_all(f"router.{package}")
    import_module(_CHANGE_CODES)
    return codes.declared()


def code_of(id_: str) -> Code | None:
    """Return the code of an id, or None.

    Import only what declares it, if that is imported already.
    """
    return codes.declared().get(id_) or known_codes().get(id_)


class Example(Struct, frozen=True, omit_defaults=True):
    """A faulty config, the lines that `router check` prints for it, and the fixed config.

    "" if it cannot be shown.
    """

    found: str
    bad: str = ""
    good: str = ""


def shipped_examples() -> Mapping[str, Example]:
    """Return the examples that are installed with the package, by code."""
    return msgspec.json.decode(_shipped("examples.json"), type=dict[str, Example])


def shipped_runbooks() -> Mapping[str, str]:
    """Return the runbooks that are installed with the package, by code: Markdown without its title."""
    return msgspec.json.decode(_shipped("runbooks.json"), type=dict[str, str])


def _shipped(name: str) -> bytes:
    return FilePath(__file__).with_name(name).read_bytes()
