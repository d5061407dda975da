"""The worker, repeatedly killed, stopped or reloaded while it works."""

import random
from pathlib import Path

from tests.faults.fault_model import Model, check_acknowledged, check_once, check_tables
from tests.faults.fault_proxy import FaultPlan, fault_proxy
from tests.faults.fault_rig import Rig, running_worker
from tests.faults.fault_runs import run_interrupted
from tests.support.dev import LocalAws

WAVES = 3
WAVE = 200
SOUND = FaultPlan(seed=0, rate=0)


def test_kill(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """After SIGKILL each message has its effect exactly once, in order, and is deleted only after its write."""
    model = Model(4)
    with fault_proxy(ministack.endpoint, SOUND) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, visibility=3)
        with running_worker(rig, tmp_path / "log") as worker:
            chance = random.Random(4)
            kills = sum(run_interrupted(rig, model, WAVE, chance, worker.restart) for _ in range(WAVES))

        check_tables(model, rig)
        assert model.find_disorder(proxy.journal.calls()) == []
        check_acknowledged(proxy.journal.calls())
        assert kills >= WAVES


def test_stop(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """After SIGTERM no message in flight is redelivered either: each is written once and has one outcome."""
    model = Model(5)
    codes = []
    with fault_proxy(ministack.endpoint, SOUND) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, visibility=20)
        # With the timeouts of a deployed worker: a server that answers late is not a reason to send a call again.
        with running_worker(rig, tmp_path / "log", hasty=False) as worker:

            def restart() -> None:
                codes.append(worker.stop())
                worker.start()

            chance = random.Random(5)
            for _ in range(WAVES):
                run_interrupted(rig, model, WAVE, chance, restart)
            codes.append(worker.stop())

        check_tables(model, rig)
        assert model.find_disorder(proxy.journal.calls()) == []
        check_once(model, proxy.journal.calls())
        assert (set(codes), len(rig.letters("dead"))) == ({0}, len(model.rejected))


def test_reload(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """SIGHUP, while calls fail, disturbs nothing: the old and the new receivers share the leases."""
    model = Model(6)
    with fault_proxy(ministack.endpoint, FaultPlan(6, 0.1)) as proxy:
        rig = Rig(ministack, proxy.endpoint, name)
        with running_worker(rig, tmp_path / "log") as worker:
            reloads = run_interrupted(rig, model, WAVE, random.Random(6), worker.reload)

        check_tables(model, rig)
        assert model.find_disorder(proxy.journal.calls()) == []
        check_acknowledged(proxy.journal.calls())
        assert (reloads, worker.starts()) == (1, 1)
