"""Finds routes that no message reaches, queues that no route reads, and what gets in the way of each other."""

from collections.abc import Iterator
from itertools import combinations

from router.aws.references import is_fifo, match_key
from router.check.entailment import Answer, Facts, facts_of_anything
from router.check.expressions import tree_of
from router.check.flows import MOST_NARROWED, Flow, is_set
from router.check.keys import key_of
from router.check.rule import Found, Subject
from router.config import spec
from router.model import Code, Path
from router.modes import MODES

NEVER_TAKEN = Code(
    "RT211",
    "a `when` that no valid message fulfils",
    "Each message that the route takes fails its schema, so that it never writes anything.",
)
SHADOWED = Code(
    "RT212",
    "a route behind one that takes all its messages",
    "With `match: first` a message goes to the first route whose `when` holds.",
)
MIXED_MODES = Code(
    "RT213",
    "two routes that write one key in modes that undo each other",
    "`put` and `delete` heed neither versions nor what is there: they undo what `insert`, `newest` and `update` keep.",
    "warning",
)
IDLE_QUEUE = Code(
    "RT214",
    "a queue that no route reads",
    "Its messages stay where they are.",
    "warning",
)
OTHER_KIND_OF_QUEUE = Code(
    "RT215",
    "a queue and a dead-letter queue of different kinds",
    "AWS wants both to be FIFO queues, or both standard queues: a standard queue loses the order of what comes from a "
    "FIFO queue, and a FIFO queue refuses a message without a group.",
)
LOSING = Code(
    "RT216",
    "messages that are dropped",
    "They are acknowledged and counted, and nobody can look at them again.",
    "info",
)
SAME_TABLE = Code(
    "RT217",
    "one table under two names",
    "Writes of one item are put in order by table: under two names they overtake each other.",
    "warning",
)
SAME_KEY = Code(
    "RT218",
    "one message that puts two items of one key",
    "The later route replaces what the earlier one has put.",
    "info",
)


def check_conditions(subject: Subject) -> Iterator[Found]:
    """Find routes whose `when` contradicts their schema, and routes in the shadow of others."""
    for flow in subject.flows:
        if flow.contradicted:
            sentence = f"no message that the schema takes fulfils '{flow.route.when}'"
            yield Found(NEVER_TAKEN, sentence, (*flow.path, "when"), "compare it with what the schema allows there")
    for flows in _by_queue(subject).values():
        if flows[0].queue.match == "first":
            yield from _check_shadows(flows)


def _check_shadows(flows: list[Flow]) -> Iterator[Found]:
    anything = facts_of_anything()
    for index, flow in enumerate(flows):
        earlier = next((each for each in flows[:index] if not is_set(each.route.when)), None)
        if earlier is None and is_set(flow.route.when):
            taken = anything.narrow(flow.when.claim, flow.when.exact)
            before = flows[:index][-MOST_NARROWED:]
            earlier = next((each for each in before if _takes_all(each, flow, taken)), None)
        if earlier is not None:
            sentence = f"route '{earlier.name}' takes all messages of route '{flow.name}' before it"
            yield Found(SHADOWED, sentence, flow.path, f"put it before '{earlier.name}'", key=True)
        elif flow.shadowed:
            sentence = f"the routes before it take all messages that the schema of route '{flow.name}' takes"
            yield Found(SHADOWED, sentence, flow.path, "put it before them", key=True)


def _takes_all(earlier: Flow, flow: Flow, taken: Facts) -> bool:
    condition = tree_of(str(earlier.route.when))
    if condition is not None and condition == tree_of(str(flow.route.when)):
        return True
    return earlier.when.exact and not taken.impossible and taken.guarantee(earlier.when.claim) is Answer.YES


def check_same_keys(subject: Subject) -> Iterator[Found]:
    """Find routes that write one key and get in each other's way."""
    by_key: dict[object, list[Flow]] = {}
    for flow in subject.flows:
        key = key_of(flow)
        if key is not None:
            by_key.setdefault((flow.route.table, flow.route.for_each, key), []).append(flow)
    for flows in by_key.values():
        first: dict[tuple[str, bool], Flow] = {}
        for flow in flows:
            other = next((each for each in first.values() if _undo(each.route.write, flow.route.write)), None)
            if other is not None:
                modes = f"by '{flow.route.write.mode}' what '{other.name}' writes by '{other.route.write.mode}'"
                sentence = f"route '{flow.name}' writes {modes}"
                where: Path = (*flow.path, "write", "mode")
                yield Found(MIXED_MODES, sentence, where, "give both a mode that heeds what is there")
            first.setdefault((flow.route.write.mode, is_set(flow.route.write.version)), flow)
        yield from _check_puts(flows)


def _undo(one: spec.Write, other: spec.Write) -> bool:
    """Return whether one of two writes destroys what the other relies on."""
    return any(
        not is_set(first.version) and MODES[first.mode].destroys & MODES[second.mode].relies_on
        for first, second in ((one, other), (other, one))
    )


def _check_puts(flows: list[Flow]) -> Iterator[Found]:
    puts = [flow for flow in flows if _replaces(flow.route.write) and flow.queue.match == "all"]
    if len(puts) > MOST_NARROWED:
        return
    for one, other in combinations(puts, 2):
        if one.route.queue != other.route.queue or is_set(one.route.for_each):
            continue
        both = facts_of_anything().narrow(one.when.claim, one.when.exact).narrow(other.when.claim, other.when.exact)
        if both.allow({}) is Answer.YES:
            sentence = f"routes '{one.name}' and '{other.name}' put the same key for one message"
            yield Found(SAME_KEY, sentence, other.path, "map both to one item, or use 'mode: update'", key=True)


def _replaces(write: spec.Write) -> bool:
    """Return whether a write replaces the whole item, whatever is stored."""
    mode = MODES[write.mode]
    return mode.stores == "item" and "content" in mode.destroys


def check_queues(subject: Subject) -> Iterator[Found]:
    """Find queues that are not read, of the wrong kind, or that lose messages."""
    config = subject.config
    read = {route.queue for route in config.routes.values()}
    letters = {queue.dead_letter for queue in config.queues.values()}
    letters |= {match_key(name) for name in letters}
    for name, queue in config.queues.items():
        reference = queue.name or name
        path: Path = ("queues", name)
        if subject.whole and name not in read and name not in letters and match_key(reference) not in letters:
            yield Found(IDLE_QUEUE, f"no route reads queue '{name}'", path, "add a route, or remove it", key=True)
        known = config.queues.get(queue.dead_letter)
        letter = (known.name if known else "") or queue.dead_letter
        if letter and is_fifo(letter) != is_fifo(reference):
            kinds = ("FIFO", "standard") if is_fifo(reference) else ("standard", "FIFO")
            sentence = f"queue '{name}' is {kinds[0]}, and its dead-letter queue '{letter}' is {kinds[1]}"
            advice = f"name a {kinds[0]} queue; a FIFO queue's name ends with '.fifo'"
            yield Found(OTHER_KIND_OF_QUEUE, sentence, (*path, "dead_letter"), advice)
        if queue.unmatched == "drop" and name in read:
            yield Found(LOSING, f"messages of '{name}' that no route takes are dropped", (*path, "unmatched"))
    for name, route in config.routes.items():
        if route.on_invalid == "drop" and is_set(route.schema):
            sentence = f"messages of route '{name}' that fail its schema are dropped"
            yield Found(LOSING, sentence, ("routes", name, "on_invalid"))


def check_tables(subject: Subject) -> Iterator[Found]:
    """Find tables that are there twice."""
    seen: dict[str, str] = {}
    for name, table in subject.config.tables.items():
        other = seen.setdefault(table.name or name, name)
        if other != name:
            sentence = f"'{name}' is the same table as '{other}'"
            yield Found(SAME_TABLE, sentence, ("tables", name), f"use '{other}'", key=True)


def _by_queue(subject: Subject) -> dict[str, list[Flow]]:
    found: dict[str, list[Flow]] = {}
    for flow in subject.flows:
        found.setdefault(flow.route.queue, []).append(flow)
    return found
