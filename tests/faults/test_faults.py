"""The worker and the Lambda function while calls fail: no message lost, no duplicate effect, none out of order."""

from pathlib import Path

import pytest

from tests.faults.fault_model import Model, check_acknowledged, check_tables
from tests.faults.fault_proxy import FaultPlan, FirstUnprocessed, HotKeys, Kind, Once, fault_proxy
from tests.faults.fault_rig import Rig, running_function, running_worker, wait_until
from tests.faults.fault_runs import HOT, feed_function, run_hot, run_worker
from tests.support.certificates import make_certificate
from tests.support.dev import LocalAws

WAVE = 100
RATE = 0.25


@pytest.mark.parametrize(
    ("seed", "transport", "secure"), [(1, "direct", False), (2, "boto3", False), (4, "direct", True)]
)
def test_worker(ministack: LocalAws, name: str, tmp_path: Path, seed: int, transport: str, secure: bool) -> None:
    """A quarter of the worker's calls fail, and the result is the same as without faults."""
    model = Model(seed)
    certificate = make_certificate(tmp_path) if secure else None
    with fault_proxy(ministack.endpoint, FaultPlan(seed, RATE), certificate) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, transport=transport, certificate=certificate)
        with running_worker(rig, tmp_path / "log"):
            for _ in range(2):
                run_worker(rig, model, WAVE)

        check_tables(model, rig)
        assert model.find_disorder(proxy.journal.calls()) == []
        assert check_acknowledged(proxy.journal.calls()) >= len(model.puts) + len(model.rejected)
        assert sum(proxy.journal.faults.values()) > 20


@pytest.mark.parametrize(("seed", "secure"), [(3, False), (5, True)])
def test_function(ministack: LocalAws, name: str, tmp_path: Path, seed: int, secure: bool) -> None:
    """The same holds for the Lambda function, whose failed messages are redelivered."""
    model = Model(seed)
    certificate = make_certificate(tmp_path) if secure else None
    with fault_proxy(ministack.endpoint, FaultPlan(seed, 0.3), certificate) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, certificate=certificate)
        with running_function(rig, tmp_path / "log") as function:
            for _ in range(2):
                feed_function(function, rig, model.wave(WAVE), model.watch(rig))

        check_tables(model, rig)
        assert model.find_disorder(proxy.journal.calls()) == []
        assert sum(proxy.journal.faults.values()) > 20


def test_hot_keys(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """While the writes of some items are throttled, all other messages are written, and the groups keep their order."""
    model = Model(7)
    plan = HotKeys(HOT)
    with fault_proxy(ministack.endpoint, plan) as proxy:
        rig = Rig(ministack, proxy.endpoint, name)
        with running_worker(rig, tmp_path / "log"):
            hot = run_hot(rig, plan, model, WAVE)

        check_tables(model, rig)
        assert model.find_disorder(proxy.journal.calls()) == []
        assert hot > 5


@pytest.mark.parametrize("transport", ["direct", "boto3"])
@pytest.mark.parametrize("kind", ["late", "dripping"])
def test_slow_call(ministack: LocalAws, name: str, tmp_path: Path, transport: str, kind: Kind) -> None:
    """After a call that took as long as the visibility timeout, the worker continues."""
    with fault_proxy(ministack.endpoint, Once(kind, "BatchWriteItem")) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, visibility=2, transport=transport)
        with running_worker(rig, tmp_path / "log", 1, "--queue", "puts"):
            for id_ in "ab":
                rig.send("puts", [f'{{"id": "{id_}"}}'])
                wait_until(lambda: not rig.left(), 60, "an empty queue")
        # The proxy records the fault when it sends the late response, which may be after the write was repeated.
        wait_until(lambda: proxy.journal.faults, 60, "the end of the call")

    assert (sorted(item["id"] for item in rig.items("puts")), dict(proxy.journal.faults)) == (["a", "b"], {kind: 1})


def test_group_is_deleted_in_order(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """If a message cannot be deleted, the later ones of its group are not deleted, so that order is kept."""
    with fault_proxy(ministack.endpoint, FirstUnprocessed("DeleteMessageBatch")) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, visibility=2)
        rig.send("groups.fifo", [f'{{"id": "g", "number": {number}}}' for number in range(3)], ["g"] * 3)
        with running_worker(rig, tmp_path / "log", 1, "--queue", "groups") as worker:
            wait_until(lambda: "cannot delete" in worker.log.read_text(), 60, "a delete that fails for good")
            proxy.plan = FaultPlan(seed=0, rate=0)
            wait_until(lambda: not rig.left(), 60, "an empty queue")

    assert rig.items("latest") == [{"id": "g", "number": 2}]
