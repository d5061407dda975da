"""Compares a config with the deployed resources, by concurrent read-only calls to AWS."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from msgspec import structs

from router.runtime.config import spec
from router.runtime.program.load import Loaded, Program
from router.tools.check.live.deployed import LIVE_RULES, NOT_COMPARED, DeployedConfig
from router.tools.check.live.permissions import needed, postponing
from router.tools.check.live.queues import OutageSurvival, survivals
from router.tools.check.live.senders import own_topics
from router.tools.check.run import run_rules
from router.tools.control_plane.deployed import (
    Decision,
    DeployedFunction,
    DeployedQueue,
    DeployedState,
    Functions,
    QueueMappings,
    Queues,
    TopicSubscriptions,
    Unanswered,
)
from router.tools.control_plane.live import Live, connect

CONCURRENT_CALLS = 8

_Answer = TypeVar("_Answer")


class LiveComparison:
    """Adds the findings about deployed resources to those of a config.

    Afterwards `seen` has the state of the resources, and `survivals` how long an outage each queue survives; `seen` is
    None if the config has errors, so that nothing was compared.
    """

    def __init__(
        self, function: str = "", connect: Callable[[], Live] = connect, role: str = ""
    ) -> None:
        self._function, self._role = function, role
        self._connect = connect
        self.seen: DeployedState | None = None
        self.survivals: list[OutageSurvival] = []

    def __call__(self, loaded: Loaded) -> None:
        """Compare a config; raises UsageError without a region or credentials."""
        if loaded.program is None:
            loaded.findings.add(
                NOT_COMPARED, "nothing is compared with AWS", suggestion="fix the errors first"
            )
            return
        self.seen = read_deployed(self._connect(), loaded.program, self._function, self._role)
        deployment = DeployedConfig(
            loaded.program.config, loaded.program.engine.queues, self.seen, self._function
        )
        self.survivals = survivals(deployment)
        run_rules(LIVE_RULES.all(), deployment, loaded.findings)


def read_deployed(
    live: Live, program: Program, function: str = "", role: str = ""
) -> DeployedState:
    """Return the state of all resources that a config names, for the rules.

    With a `function`, a name or ARN, only its mappings are read and the permissions are those of its role; otherwise
    all mappings are read and the permissions are those of the `role`, an ARN, or of the caller. Raises UsageError for
    invalid credentials.
    """
    with ThreadPoolExecutor(CONCURRENT_CALLS) as pool:
        return _Survey(live, program, pool).run(function, role)


class _Survey:
    def __init__(self, live: Live, program: Program, pool: ThreadPoolExecutor) -> None:
        self._live = live
        self._config = program.config
        self._queues = program.engine.queues
        self._pool = pool

    def run(self, function: str, role: str) -> DeployedState:
        principal = role or self._live.caller()
        references = {name: table.name or name for name, table in self._config.tables.items()}
        found_tables = self._get_all(self._live.table, references.values())
        tables = {name: found_tables[each] for name, each in references.items()}
        queues = self._read_queues()
        functions: Functions = {}
        mappings: QueueMappings = {}
        found = self._live.function(function) if function else None
        if isinstance(found, DeployedFunction):
            functions, principal = {found.arn: found}, found.role
        elif found:
            functions, principal = {function: found}, ""
        if not (isinstance(found, Unanswered) and found.absent):
            mappings = self._read_mappings(queues, function)
        arns: list[str] = []
        for each in mappings.values():
            if not isinstance(each, Unanswered):
                arns += [mapping.function for mapping in each if mapping.function not in functions]
        functions = {**functions, **self._get_all(self._live.function, arns)}
        subscriptions = self._read_subscriptions(queues)
        seen = DeployedState(
            tables, queues, mappings, functions, principal, subscriptions=subscriptions
        )
        return structs.replace(seen, decisions=self._decide(seen, function))

    def _get_all(self, get: Callable[[str], _Answer], keys: Iterable[str]) -> dict[str, _Answer]:
        """Return the answer for each distinct key."""
        distinct = list(dict.fromkeys(keys))
        return dict(zip(distinct, self._pool.map(get, distinct), strict=True))

    def _read_queues(self) -> Queues:
        """Read the queues, their dead-letter queues, and the queues of their redrive policies (by ARN)."""
        references = [queue.reference for queue in self._queues.values()]
        dead_letter = [queue.dead_letter for queue in self._queues.values() if queue.dead_letter]
        found = self._get_all(self._live.queue, [*references, *dead_letter])
        targets: list[str] = []
        known: dict[str, DeployedQueue | Unanswered] = {}
        for reference, deployed in found.items():
            if isinstance(deployed, DeployedQueue):
                known[deployed.arn] = deployed
                if reference in references and deployed.redrive_to:
                    targets.append(deployed.redrive_to)
        known |= self._get_all(self._live.queue, [arn for arn in targets if arn not in known])
        return found | {arn: known[arn] for arn in targets}

    def _read_mappings(self, queues: Queues, function: str) -> QueueMappings:
        """Read the event source mappings of each queue that exists, by its name in the config."""
        arns = {}
        for name, queue in self._queues.items():
            deployed = queues[queue.reference]
            if isinstance(deployed, DeployedQueue):
                arns[name] = deployed.arn
        found = self._get_all(lambda arn: self._live.mappings(arn, function), arns.values())
        return {name: found[arn] for name, arn in arns.items()}

    def _read_subscriptions(self, queues: Queues) -> TopicSubscriptions:
        """Read the subscriptions to the topics that send to queues of their own account and region."""
        found: dict[str, list[str]] = {}
        for name, queue in self._queues.items():
            deployed = queues[queue.reference]
            if isinstance(deployed, DeployedQueue):
                for topic in own_topics(self._config.queues.get(name, spec.Queue()), deployed.arn):
                    found.setdefault(topic, []).append(deployed.arn)
        return self._get_all(lambda topic: self._live.subscriptions(topic, found[topic]), found)

    def _decide(self, seen: DeployedState, function: str) -> tuple[Decision | Unanswered, ...]:
        """Simulate which of the needed actions the principal may perform on each resource."""
        principal = seen.principal
        if isinstance(principal, Unanswered) or not principal:
            return ()
        # Only a function postpones messages.
        names = postponing(self._config, self._queues) if function else ()
        needs = needed(self._config, self._queues, seen, names)
        return tuple(
            self._get_all(lambda arn: self._live.decide(principal, arn, needs[arn]), needs).values()
        )
