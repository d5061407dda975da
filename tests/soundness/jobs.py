"""What the processes do: a trial of a random or public config, and the cost of checking a schema alone."""

import json
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

from msgspec import Struct

from tests.soundness.cases import TrialConfig
from tests.soundness.configs import ConfigMaker, HeavyConfigMaker
from tests.soundness.corpus import PublicSchema
from tests.soundness.documented_configs import documented_config
from tests.soundness.documented_trial import documented_way
from tests.soundness.hostile import hostile_schemas
from tests.soundness.random_schemas import SchemaMaker
from tests.soundness.trial import FIRST, Judgement, judge
from tests.support.check import examine


class Trial(Struct, frozen=True):
    """A config to try: of a public schema, of a random one, or made from the documentation alone.

    A `heavy` one of a random schema has expressions in expressions.
    """

    seed: int
    messages: int
    public: PublicSchema | None = None
    documented: bool = False
    heavy: bool = False


class CheckCost(Struct, frozen=True, tag=True):
    """What checking a schema alone took: seconds of CPU, and MiB of memory at the peak, those of Python included."""

    name: str
    bytes: int
    seconds: float
    peak: float


def case_of(trial: Trial) -> TrialConfig | None:
    """Return the config of a trial; None if its schema declares no path."""
    chance = Random(trial.seed)
    if trial.documented:
        return documented_config(f"documented {trial.seed}", chance).case
    if trial.public is None:
        schema = SchemaMaker(chance).schema()
        make = HeavyConfigMaker if trial.heavy else ConfigMaker
        return make(f"{'heavy' if trial.heavy else 'random'} {trial.seed}", schema, chance).case()
    schema = trial.public.content()
    if not isinstance(schema, dict):
        return None
    return ConfigMaker(f"{trial.public.name} {trial.seed}", schema, chance).case()


def perform(trial: Trial) -> Judgement | None:
    """Return the verdict of a trial; None if there is no config for its schema."""
    case = case_of(trial)
    return None if case is None else judged(trial, case)


def judged(trial: Trial, case: TrialConfig, more: Sequence[Any] = ()) -> Judgement:
    """Return the verdict of the config of a trial, or of a smaller one."""
    way = documented_way(documented_config("", Random(trial.seed))) if trial.documented else FIRST
    return judge(case, trial.seed, trial.messages, more, way=way)


def measure(schema: PublicSchema | str) -> CheckCost:
    """Return what checking a schema takes: a public one, or a hostile one by its name.

    The whole message is the item, which is the most work.
    """
    content = hostile_schemas()[schema] if isinstance(schema, str) else schema.content()
    route = {"queue": "q", "table": "items", "schema": "schema.json"}
    config = {"version": 1, "tables": {"items": {"key": {"id": "S"}}}, "routes": {"r": route}}
    with tempfile.TemporaryDirectory(prefix="soundness-") as folder:
        text = json.dumps(content)
        Path(folder, "schema.json").write_text(text, encoding="utf-8")
        Path(folder, "routes.yaml").write_text(json.dumps(config), encoding="utf-8")
        start = process_time()
        examine(Path(folder, "routes.yaml"), {})
        name = schema if isinstance(schema, str) else schema.name
        return CheckCost(name, len(text), process_time() - start, _peak())


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
