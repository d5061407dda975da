"""Asks AWS about all that a config names: several calls at a time, and about each thing once."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from router.aws.deployed import Decision, DeployedState, FunctionFacts, MappingFacts, QueueFacts, Unanswered
from router.check.live.permissions import needed
from router.program.load import Program

if TYPE_CHECKING:
    from router.aws.live import Live

CALLS_AT_A_TIME = 8

_Answer = TypeVar("_Answer")
_Queues = Mapping[str, QueueFacts | Unanswered]
_Mappings = Mapping[str, tuple[MappingFacts, ...] | Unanswered]
_Functions = dict[str, FunctionFacts | Unanswered]


def survey(live: "Live", program: Program, function: str = "") -> DeployedState:
    """All that the rules want to know; `function` is the one that is asked about, by name or ARN.

    With a function, only mappings to it are looked at, and the permissions are those of its role; else all mappings,
    and the permissions of the caller. Raises UsageError if AWS does not accept the credentials.
    """
    caller = live.caller()
    config = program.config
    with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
        references = {name: table.name or name for name, table in config.tables.items()}
        tables = _ask(pool, live.table, references.values())
        queues = _ask_queues(pool, live, program)
        functions: _Functions = {}
        principal = caller
        if function:
            asked = live.function(function)
            functions[asked.arn if isinstance(asked, FunctionFacts) else function] = asked
            principal = asked.role if isinstance(asked, FunctionFacts) else ""
        mappings: _Mappings = {}
        if not any(isinstance(each, Unanswered) and each.absent for each in functions.values()):
            mappings = _ask_mappings(pool, live, program, queues, function)
        functions |= _ask_functions(pool, live, mappings, functions)
        seen = DeployedState(
            {name: tables[each] for name, each in references.items()}, queues, mappings, functions, principal
        )
        return DeployedState(seen.tables, queues, mappings, functions, principal, _decide(pool, live, program, seen))


def _ask(pool: ThreadPoolExecutor, get: Callable[[str], _Answer], keys: Iterable[str]) -> dict[str, _Answer]:
    """The answer for each key, asked for once."""
    distinct = list(dict.fromkeys(keys))
    return dict(zip(distinct, pool.map(get, distinct), strict=True))


def _ask_queues(pool: ThreadPoolExecutor, live: "Live", program: Program) -> _Queues:
    """The queues, their dead-letter queues, and then those that their redrive policies name, by ARN."""
    read = [queue.reference for queue in program.engine.queues.values()]
    letters = [queue.dead_letter for queue in program.engine.queues.values() if queue.dead_letter]
    found = _ask(pool, live.queue, [*read, *letters])
    sources = [facts for facts in map(found.__getitem__, read) if isinstance(facts, QueueFacts)]
    targets = [facts.redrive_to for facts in sources if facts.redrive_to]
    known = {facts.arn: facts for facts in found.values() if isinstance(facts, QueueFacts)}
    missing = _ask(pool, live.queue, [arn for arn in targets if arn not in known])
    return found | {arn: known[arn] for arn in targets if arn in known} | missing


def _ask_mappings(
    pool: ThreadPoolExecutor, live: "Live", program: Program, queues: _Queues, function: str
) -> dict[str, tuple[MappingFacts, ...] | Unanswered]:
    facts = {name: queues[queue.reference] for name, queue in program.engine.queues.items()}
    arns = {name: each.arn for name, each in facts.items() if isinstance(each, QueueFacts)}
    found = _ask(pool, lambda arn: live.mappings(arn, function), arns.values())
    return {name: found[arn] for name, arn in arns.items()}


def _ask_functions(pool: ThreadPoolExecutor, live: "Live", mappings: _Mappings, known: _Functions) -> _Functions:
    listed = [each for each in mappings.values() if not isinstance(each, Unanswered)]
    arns = [mapping.function for each in listed for mapping in each if mapping.function not in known]
    return _ask(pool, live.function, arns)


def _decide(
    pool: ThreadPoolExecutor, live: "Live", program: Program, seen: DeployedState
) -> tuple[Decision | Unanswered, ...]:
    principal = seen.principal
    if isinstance(principal, Unanswered) or not principal:
        return ()
    needs = needed(program.config, program.engine.queues, seen)
    return tuple(_ask(pool, lambda arn: live.decide(principal, arn, needs[arn]), needs).values())
