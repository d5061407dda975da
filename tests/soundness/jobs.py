"""What the processes do: a trial of a random or public config, and the cost of checking a schema alone."""

import json
import resource
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter

from msgspec import Struct

from tests.soundness.cases import TrialConfig
from tests.soundness.configs import ConfigMaker
from tests.soundness.corpus import PublicSchema
from tests.soundness.random_schemas import SchemaMaker
from tests.soundness.trial import Judgement, judge
from tests.support.check import check


class Trial(Struct, frozen=True):
    """A config to try: of a public schema, or of a random one."""

    seed: int
    messages: int
    public: PublicSchema | None = None


class CheckCost(Struct, frozen=True):
    """What checking a schema alone took: seconds, and MiB at the peak, of which `own` are more than before."""

    name: str
    bytes: int
    seconds: float
    peak: float
    own: float


def case_of(trial: Trial) -> TrialConfig | None:
    """Return the config of a trial; None if its schema declares no path."""
    chance = Random(trial.seed)
    if trial.public is None:
        schema = SchemaMaker(chance).schema()
        return ConfigMaker(f"random {trial.seed}", schema, chance).case()
    schema = trial.public.content()
    if not isinstance(schema, dict):
        return None
    return ConfigMaker(f"{trial.public.name} {trial.seed}", schema, chance).case()


def perform(trial: Trial) -> Judgement | None:
    """Return the verdict of a trial; None if there is no config for its schema."""
    case = case_of(trial)
    return None if case is None else judge(case, trial.seed, trial.messages)


def measure(schema: PublicSchema) -> CheckCost:
    """Return what checking a schema takes: with the whole message as the item, which is the most work."""
    content = schema.content()
    route = {"queue": "q", "table": "items", "schema": "schema.json"}
    config = {"version": 1, "tables": {"items": {"key": {"id": "S"}}}, "routes": {"r": route}}
    with tempfile.TemporaryDirectory(prefix="soundness-") as folder:
        text = json.dumps(content)
        Path(folder, "schema.json").write_text(text, encoding="utf-8")
        Path(folder, "routes.yaml").write_text(json.dumps(config), encoding="utf-8")
        before, start = _peak(), perf_counter()
        check(Path(folder, "routes.yaml"), {})
        return CheckCost(schema.name, len(text), perf_counter() - start, _peak(), _peak() - before)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
