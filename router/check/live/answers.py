"""Calls that were not answered: what they would have shown is not known."""

from collections.abc import Iterator

from router.aws.deployed import Unanswered
from router.check.live.deployed import Deployment
from router.check.rule import Found
from router.model import Code, Path

NOT_PERMITTED = Code(
    "RT751",
    "a call that the caller may not make",
    "What it would have shown is not known: nothing is said about it, neither good nor bad.",
    severity="warning",
)
NO_ANSWER = Code(
    "RT752",
    "a call that AWS did not answer",
    "What it would have shown is not known, and whoever asked for a comparison has none.",
)
NOT_SIMULATED = Code(
    "RT754",
    "permissions that are not known",
    "IAM simulates what the policies of users and roles allow; of other callers, such as a federated user, nothing is "
    "known.",
    severity="warning",
)

NOT_COMPARED = Code(
    "RT756",
    "a config that was not compared with what is deployed",
    "It has errors: what it names may not be what is meant, so that AWS was not asked about it.",
    severity="warning",
)


def check_answers(deployment: Deployment) -> Iterator[Found]:
    """Each call that was refused or failed, at the place of what it was about."""
    seen = deployment.seen
    for name, table in seen.tables.items():
        path: Path = ("tables", name)
        yield from _not_known(table, path)
        if not isinstance(table, Unanswered):
            yield from _not_known(table.ttl, path)
    for name, queue in deployment.queues.items():
        path, key = deployment.at_queue(name)
        yield from _not_known(seen.queues.get(queue.reference), path, key)
        if queue.dead_letter:
            yield from _not_known(seen.queues.get(queue.dead_letter), deployment.dead_letter_path(name), False)
        facts = deployment.facts_of(name)
        if facts:
            yield from _not_known(seen.queues.get(facts.redrive_to), path, key)
        yield from _not_known(seen.mappings.get(name), path, key)
    for function in seen.functions.values():
        yield from _not_known(function, (), False)
        if not isinstance(function, Unanswered):
            yield from _not_known(function.reserved, (), False)
    for answer in (seen.principal, *seen.decisions):
        if isinstance(answer, Unanswered):
            yield _permissions_not_known(answer)


def _not_known(answer: object, path: Path, key: bool = True) -> Iterator[Found]:
    if not isinstance(answer, Unanswered) or answer.absent:
        return
    if answer.denied:
        yield _not_permitted(answer, path, key)
    else:
        yield Found(NO_ANSWER, _not_answered(answer), path, "try again", key)


def _permissions_not_known(answer: Unanswered) -> Found:
    if answer.denied:
        return _not_permitted(answer, (), False)
    return Found(NOT_SIMULATED, _not_answered(answer), (), "name the function with --function, or check as its role")


def _not_permitted(answer: Unanswered, path: Path, key: bool) -> Found:
    sentence = f"{answer.action} of '{answer.resource}' is not permitted ({answer.code})"
    return Found(NOT_PERMITTED, sentence, path, f"allow {answer.action}, or check with another profile", key)


def _not_answered(answer: Unanswered) -> str:
    return f"{answer.action} of '{answer.resource}' was not answered ({answer.code})"
