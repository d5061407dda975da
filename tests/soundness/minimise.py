"""Makes a failing config smaller, as long as it fails in the same way."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from time import monotonic
from typing import Any

import msgspec
from msgspec import structs

from tests.soundness.cases import TrialConfig
from tests.soundness.jobs import Trial, case_of, judged
from tests.soundness.report import cause_of
from tests.soundness.spelled import encoded
from tests.soundness.trial import Judgement, Wrong

SECONDS = 15.0


def minimised(trial: Trial, cause: str) -> str:
    """Return the smallest config found that is wrong in the same way, its message and what check says."""
    case = case_of(trial)
    if case is None:
        return "no config"
    found = _wrong(case, trial, cause, [])
    if found is None:
        return f"{case.label}: not seen again"
    wrong, verdict = found
    until = monotonic() + SECONDS
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(case):
            if monotonic() > until:
                break
            message = msgspec.json.decode(wrong.message) if wrong.message else None
            again = _wrong(candidate, trial, cause, [message] if wrong.message else [])
            if again is not None:
                case, (wrong, verdict), smaller = candidate, again, True
                break
    return shown(case, verdict, wrong)


def shown(case: TrialConfig, verdict: Judgement, wrong: Wrong) -> str:
    """Return a config with its schema, the message and what check says."""
    found = "\n".join(f"# {word.code} {word.subject}: {word.sentence}" for word in verdict.words)
    schema = encoded(case.schema)
    why = f"# {wrong.subject}: {wrong.reason}\n# message: {wrong.message}\n# schema.json: {schema}"
    return f"# {case.label}\n{case.text()[0]}{why}\n{found}"


def _wrong(case: TrialConfig, trial: Trial, cause: str, more: list[Any]) -> tuple[Wrong, Judgement] | None:
    try:
        verdict = judged(trial, case, more)
    except Exception:  # a smaller schema can be malformed
        return None
    return next(((wrong, verdict) for wrong in verdict.wrong if cause_of(wrong) == cause), None)


def _smaller(case: TrialConfig) -> Iterator[TrialConfig]:
    for key in ("when", "write", "for_each"):
        if key in case.route:
            yield structs.replace(case, route={name: value for name, value in case.route.items() if name != key})
    item = case.route.get("item", {})
    for name in item:
        left = {each: value for each, value in item.items() if each != name}
        keys = {each: kind for each, kind in case.table["key"].items() if each != name}
        if keys:
            table = {**case.table, "key": keys}
            yield structs.replace(case, table=table, route={**case.route, "item": left})
    for path in sorted(_paths(case.schema), key=len):
        schema = deepcopy(case.schema)
        inner: Any = schema
        for step in path[:-1]:
            inner = inner[step]
        inner.pop(path[-1])
        if path[-1] != "$schema":
            yield structs.replace(case, schema=schema)


def _paths(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps: Iterable[Any] = (
        content if isinstance(content, dict) else range(len(content) if isinstance(content, list) else 0)
    )
    for step in steps:
        yield (*path, step)
        yield from _paths(content[step], (*path, step))
