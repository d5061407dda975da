"""Tests of router.tools.check.live.functions, where no server can be brought to it."""

from typing import Any

import pytest
from msgspec import structs

from router.tools.check.live.functions import check_concurrency, check_functions, check_mappings
from tests.support.aws import DeployedFunction, DeployedMapping, DeployedQueue, Unanswered

CONFIG = """\
queues:
  a: {dead_letter: dlq}
tables:
  items: {key: {id: S}}
routes:
  a: {queue: a, table: items}
  b: {queue: b, table: items}
"""
ARN = "arn:aws:lambda:eu-west-1:1:function:f"
MAPPING = DeployedMapping("1", ARN, "Enabled", 10, 0, True)
QUEUE = DeployedQueue("arn:aws:sqs:eu-west-1:1:a", False, 360, 60, 1024)
FUNCTION = DeployedFunction(ARN, 10, "arn:role")
SHORT = "the visibility timeout of queue 'a' is"
SHOWN = "the mapping to function 'f'"


@pytest.mark.parametrize(
    ("visibility", "window", "found"),
    [
        (60, 0, []),
        (61, 1, []),
        (
            59,
            0,
            [("RT744", f"{SHORT} 59 s, less than 6 times the 10 s timeout of function 'f'")],
        ),
        (
            10,
            5,
            [("RT744", f"{SHORT} 10 s, less than 6 times the 10 s timeout of function 'f' + 5 s of window")],
        ),
        (9, 0, [("RT743", f"{SHORT} 9 s, less than the 10 s timeout of function 'f'")]),
    ],
)
def test_visibility(deploy: Any, output: Any, visibility: int, window: int, found: list[tuple[str, str]]) -> None:
    """The timeout is the least, and six times the timeout and the window are advised."""
    queue = structs.replace(QUEUE, visibility=visibility)
    mapping = structs.replace(MAPPING, window=window)
    deployment = deploy(CONFIG, queues={"a": queue}, mappings={"a": (mapping,)}, functions={ARN: FUNCTION})

    assert output(check_mappings, deployment) == found


def test_several_filters(deploy: Any, output: Any) -> None:
    """Filters are counted, also where nothing is known of the queue."""
    deployment = deploy(CONFIG, mappings={"b": (structs.replace(MAPPING, filters=2),)})

    assert output(check_mappings, deployment) == [
        ("RT747", f"{SHOWN} has 2 filters: messages that match none are deleted")
    ]


def test_one_of_several_reads(deploy: Any, output: Any) -> None:
    """A mapping that is off takes no messages from the other."""
    off = structs.replace(MAPPING, state="Disabled")
    deployment = deploy(CONFIG, mappings={"a": (MAPPING, off)})

    assert output(check_mappings, deployment) == [("RT748", f"{SHOWN} is Disabled")]


def bounded(deploy: Any, most: int, state: str = "Enabled", reserved: Any = 10) -> Any:
    """Two queues with a mapping each that may invoke the function so often at a time."""
    mapping = structs.replace(MAPPING, max_concurrency=most, state=state)
    function = structs.replace(FUNCTION, reserved=reserved)
    return deploy(CONFIG, mappings={"a": (mapping,), "b": (mapping,)}, functions={ARN: function})


def test_concurrency(deploy: Any, output: Any) -> None:
    """What all mappings of a function may do together counts."""
    assert output(check_concurrency, bounded(deploy, 6)) == [
        ("RT746", "the mappings to function 'f' have a maximum concurrency of 12 together, but 10 is reserved for it")
    ]


@pytest.mark.parametrize(
    ("most", "state", "reserved"),
    [
        (5, "Enabled", 10),
        (0, "Enabled", 10),
        (6, "Disabled", 10),
        (6, "Enabled", None),
        (6, "Enabled", 0),
        (6, "Enabled", Unanswered("lambda:GetFunctionConcurrency", "f", "AccessDeniedException")),
    ],
    ids=["enough", "no maximum", "off", "not reserved", "may not run", "not known"],
)
def test_concurrency_is_fine(deploy: Any, output: Any, most: int, state: str, reserved: Any) -> None:
    """Nothing is found where there is enough, where no mapping reads, and where nothing is known."""
    assert output(check_concurrency, bounded(deploy, most, state, reserved)) == []


def test_functions_that_are_not_known(deploy: Any, output: Any) -> None:
    """A function that is not there is an error; of one that may not be looked at nothing is said here."""
    functions = {
        f"{ARN}1": Unanswered("lambda:GetFunctionConfiguration", "f1", "ResourceNotFoundException"),
        f"{ARN}2": Unanswered("lambda:GetFunctionConfiguration", "f2", "AccessDeniedException"),
    }

    assert output(check_functions, deploy(CONFIG, functions=functions)) == [
        ("RT731", "there is no function 'f1' in this region")
    ]


def test_settings_that_are_not_deployed(deploy: Any, output: Any) -> None:
    """What the config says of a mapping is what it should be; of what it does not say nothing is expected."""
    settings = "batch_size: 100, window: 1m, maximum_concurrency: 5"
    config = CONFIG.replace("a: {dead", f"a: {{lambda: {{{settings}}}, dead")
    same = structs.replace(MAPPING, batch_size=100, window=60, max_concurrency=5)
    queues = {"a": QUEUE, "b": QUEUE}
    other = deploy(config, queues=queues, mappings={"a": (MAPPING,), "b": (MAPPING,)})
    alike = deploy(config, queues=queues, mappings={"a": (same,), "b": (MAPPING,)})

    assert (output(check_mappings, other), output(check_mappings, alike)) == (
        [
            ("RT755", "'batch_size' is 100 in the config, and 10 in the mapping to function 'f'"),
            ("RT755", "'window' is 60 in the config, and none in the mapping to function 'f'"),
            ("RT755", "'maximum_concurrency' is 5 in the config, and none in the mapping to function 'f'"),
        ],
        [],
    )
