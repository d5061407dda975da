"""Reports calls that failed, whose results are unknown."""

from collections.abc import Iterator

from router.aws.deployed import Unanswered
from router.check.live.deployed import DeployedConfig, live_rule
from router.check.rule import Found
from router.codes import declare
from router.model import Path

NOT_PERMITTED = declare(
    "RT751",
    "a call that the caller lacks the permission for",
    "Its result is unknown, so that nothing is reported about it, neither good nor bad.",
    severity="warning",
)
NO_ANSWER = declare(
    "RT752",
    "a call that AWS did not answer",
    "Its result is unknown, so that the comparison is incomplete.",
)
NOT_SIMULATED = declare(
    "RT754",
    "permissions that are unknown",
    "IAM simulates the policies of users and roles; the permissions of other callers, such as a federated user, are "
    "unknown.",
    severity="warning",
)

NOT_COMPARED = declare(
    "RT756",
    "a config that was not compared with what is deployed",
    "It has errors, so that the resources that it names may be the wrong ones. AWS was not called.",
    severity="warning",
)


@live_rule(NOT_PERMITTED, NO_ANSWER, NOT_SIMULATED)
def check_answers(deployment: DeployedConfig) -> Iterator[Found]:
    """Report each call that was denied or failed, at the path of its resource."""
    seen = deployment.seen
    for name, table in seen.tables.items():
        path: Path = ("tables", name)
        yield from _not_known(table, path)
        if not isinstance(table, Unanswered):
            yield from _not_known(table.ttl, path)
    for name, queue in deployment.queues.items():
        path = deployment.queue_path(name)
        yield from _not_known(seen.queues.get(queue.reference), path)
        if queue.dead_letter:
            yield from _not_known(seen.queues.get(queue.dead_letter), deployment.dead_letter_path(name))
        deployed = deployment.queue_of(name)
        if deployed:
            yield from _not_known(seen.queues.get(deployed.redrive_to), path)
        yield from _not_known(seen.mappings.get(name), path)
    for function in seen.functions.values():
        yield from _not_known(function, ())
        if not isinstance(function, Unanswered):
            yield from _not_known(function.reserved, ())
    for answer in (seen.principal, *seen.decisions):
        if isinstance(answer, Unanswered):
            yield _permissions_not_known(answer)


def _not_known(answer: object, path: Path) -> Iterator[Found]:
    if not isinstance(answer, Unanswered) or answer.absent:
        return
    if answer.denied:
        yield _not_permitted(answer, path)
    else:
        yield Found(NO_ANSWER, _not_answered(answer), path, "try again")


def _permissions_not_known(answer: Unanswered) -> Found:
    if answer.denied:
        return _not_permitted(answer, ())
    return Found(NOT_SIMULATED, _not_answered(answer), (), "name the function with --function, or run this as its role")


def _not_permitted(answer: Unanswered, path: Path) -> Found:
    sentence = f"{answer.action} of '{answer.resource}' is not permitted ({answer.code})"
    return Found(NOT_PERMITTED, sentence, path, f"allow {answer.action}, or check with another profile")


def _not_answered(answer: Unanswered) -> str:
    return f"{answer.action} of '{answer.resource}' was not answered ({answer.code})"
