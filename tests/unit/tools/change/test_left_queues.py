"""The queues that a deployment leaves with messages which nothing reads any more."""

from typing import Any

import pytest

from router.tools.change.consequences import LeftQueue, left_queues
from tests.unit.tools.change.conftest import Open, config_of

KEY, OTHER, THIRD = (
    f"arn:aws:kms:eu-west-1:123456789012:key/{each}234abcd-12ab-34cd-56ef-1234567890ab" for each in (1, 2, 3)
)
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
ARN = "arn:aws:sqs:eu-west-1:123456789012:"
REFERRED = {"managed": False}
ROUTES: dict[str, Any] = {"main": {}, "second": {"queue": "more"}}
"""The queue `things` is in all versions of the config, `more` in those with the second route."""


def left(open_config: Open, old: Any, new: Any, pseudo: Any = PSEUDO) -> list[LeftQueue]:
    """Compare two versions with settings of the queue `more`; None is for a version without it."""
    versions = []
    for folder, settings in (("old", old), ("new", new)):
        queues: dict[str, Any] = {"things": {"dead_letter": "dead"}}
        routes = ROUTES
        if settings is None:
            routes = {"main": {}}
        else:
            queues["more"] = {"dead_letter": "more-dead", **settings}
        versions.append(open_config(config_of(routes, queues=queues), folder))
    before, after = versions
    return list(left_queues(before, after, pseudo))


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        (REFERRED, None, ()),
        ({**REFERRED, "kms_key": KEY, "kms_key_previous": OTHER}, None, ()),
        ({**REFERRED, "kms_key": KEY}, {**REFERRED, "kms_key": OTHER}, (KEY,)),
        ({**REFERRED, "kms_key": KEY}, REFERRED, (KEY,)),
        ({**REFERRED, "kms_key_previous": KEY}, REFERRED, (KEY,)),
        (
            {**REFERRED, "kms_key": OTHER, "kms_key_previous": KEY},
            {**REFERRED, "kms_key": THIRD},
            (KEY, OTHER),
        ),
        ({**REFERRED, "kms_key": KEY, "kms_key_previous": KEY}, {**REFERRED, "kms_key": OTHER}, (KEY,)),
        ({"kms_key": OTHER, "kms_key_previous": KEY}, {"kms_key": OTHER}, (KEY,)),
    ],
)
def test_a_queue_that_is_left(open_config: Open, old: Any, new: Any, keys: tuple[str, ...]) -> None:
    """No route reads it, or the role may no longer decrypt its messages."""
    found = left(open_config, old, new)

    # Its dead-letter queue has no settings of its own.
    assert [(each.name, each.arn, each.routes, each.keys) for each in found] == [
        ("more", f"{ARN}more", ("second",), keys),
        ("more-dead", f"{ARN}more-dead", ("second",), keys),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {}),
        # The stack deletes it, which is asked about as a loss.
        ({}, None),
        ({"kms_key": KEY}, None),
        (None, REFERRED),
        # Of a queue of the stack, the deployment compares the keys that it has.
        ({"kms_key": KEY}, {"kms_key": OTHER}),
        ({**REFERRED, "kms_key": KEY}, {**REFERRED, "kms_key": OTHER, "kms_key_previous": KEY}),
        ({**REFERRED, "kms_key": KEY}, {**REFERRED, "kms_key_previous": KEY}),
        (
            {**REFERRED, "kms_key": OTHER, "kms_key_previous": KEY},
            {**REFERRED, "kms_key": KEY, "kms_key_previous": OTHER},
        ),
    ],
)  # fmt: skip
def test_no_queue_that_is_left(open_config: Open, old: Any, new: Any) -> None:
    """Its messages are read, or lost in a way that is reported otherwise."""
    assert left(open_config, old, new) == []


def test_an_arn_that_is_not_known(open_config: Open) -> None:
    """Without the account, nothing can be counted."""
    assert {each.arn for each in left(open_config, REFERRED, None, {})} == {""}


def test_a_config_without_a_template(open_config: Open) -> None:
    """Nothing is known of it."""
    old = open_config(config_of(ROUTES, queues={"more": REFERRED}), "old")
    new = open_config(config_of({"main": {"queue": "q" * 78}}), "new")

    assert list(left_queues(old, new, PSEUDO)) == []
