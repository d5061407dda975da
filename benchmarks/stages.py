"""Where a record's time goes: `python benchmarks/stages.py [--size small] [--records 1000]`; microseconds by stage.

Each stage is called by itself, on what the one before made, and its processor time is the least of some repetitions.
`whole` is the handler as Lambda calls it, `collector` the part of it that Python's garbage collector takes, and `rest`
what all of these leave: threads, outcomes, the log, the answer. `--profile` adds the functions that take longest, as
cProfile sees them. A stage that the code no longer has in this form is shown as gone.
"""

import argparse
import cProfile
import gc
import json
import os
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from environment import prepare
from messages import SIZES, event
from serving import serve

STAGE_SECONDS = 2.0
"""No stage is repeated for longer."""
Stage = tuple[str, Callable[[], Any], Callable[[Any], Any]]
"""Name, what makes its input (not timed), what is timed."""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--profile", action="store_true", help="also the functions that take longest")
    parser.add_argument("--json", action="store_true", help="seconds a record, as JSON")
    options = parser.parse_args()
    with serve() as server:
        os.environ.update(prepare(server.endpoint))
        with quiet():
            table = measure(options.size, options.records, options.repetitions)
        if options.json:
            told = {name: each / options.records if isinstance(each, float) else each for name, each in table.items()}
            print(json.dumps(told))
            return
        print(f"microseconds of processor time a record; {options.records} {options.size} messages a batch")
        for name, seconds in table.items():
            shown = f"{seconds * 1e6 / options.records:9.2f}" if isinstance(seconds, float) else f"     {seconds}"
            print(f"{name:>10} {shown}")
        if options.profile:
            profile(options.size, options.records)


def measure(size: str, count: int, repetitions: int) -> dict[str, float | str]:
    """Seconds of each stage for the whole batch, or why there are none."""
    from router.lambda_handler import handler

    given = event(size, count)
    handler(given, None)
    made = stages(size, given)
    # What the stages keep is none of the handler's: the collector must not look at it there.
    gc.freeze()
    found: dict[str, float | str] = {}
    for name, make, act in made:
        try:
            found[name] = least(make, act, repetitions)
        except (AttributeError, ImportError, TypeError, KeyError, ValueError) as error:
            found[name] = f"gone: {type(error).__name__}: {error}"
    without = least(lambda: given, lambda event: handler(event, None), repetitions)
    found["rest"] = without - sum(seconds for seconds in found.values() if isinstance(seconds, float))
    found["collector"] = collected(lambda: handler(given, None), repetitions)
    found["whole"] = without + found["collector"]
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed meanwhile: the handler has a log, which is not to be read here, but is to be measured."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stdout.flush()
        for number, name in enumerate(kept, start=1):
            os.dup2(name, number)
            os.close(name)
        os.close(nowhere)


def least(make: Callable[[], Any], act: Callable[[Any], Any], repetitions: int) -> float:
    """The least processor seconds of some repetitions, without the collector: the one that was disturbed least."""
    best, until = float("inf"), time.monotonic() + STAGE_SECONDS
    gc.disable()
    for _ in range(repetitions):
        if time.monotonic() > until:
            break
        given = make()
        began = time.process_time()
        act(given)
        best = min(best, time.process_time() - began)
        del given
    gc.enable()
    return best


def collected(act: Callable[[], Any], repetitions: int) -> float:
    """Processor seconds of the garbage collector in one call; the mean, since it does not run in each alike."""
    spent, began = 0.0, 0.0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal spent, began
        now = time.thread_time()
        if phase == "start":
            began = now
        else:
            spent += now - began

    gc.callbacks.append(note)
    for _ in range(repetitions):
        act()
    gc.callbacks.remove(note)
    return spent / repetitions


def stages(size: str, given: dict[str, Any]) -> list[Stage]:
    """The stages, each with what makes its input."""
    from router import lambda_handler
    from router.aws.direct.sigv4 import Credentials, Scope, sign
    from router.engine.batch import pack
    from router.engine.coalesce import schedule
    from router.engine.engine import plan
    from router.engine.settle import settle_answer
    from router.engine.writes import plan_write
    from router.model import Message

    queue = lambda_handler.PROGRAM.engine.queues[size]
    (route,) = queue.routes
    shape, service = route.shape, lambda_handler._aws().tables._service
    connections = service._connections
    records = [lambda_handler.read_record(record) for record in given["Records"]]
    data = [queue.decode(record)[0] for record in records]
    system = records[0].attributes
    messages = [Message(each, "id", queue.name, {}, system) for each in data]
    items = [route.map_items(message)[0] for message in messages]

    def tickets() -> list[Any]:
        return [plan(queue, record) for record in records]

    def lanes() -> list[Any]:
        return next(iter(schedule(tickets(), atomic=False)))

    def batches() -> list[Any]:
        return pack(lane[0] for lane in lanes())

    bodies = encode(batches())
    credentials, scope, moment = Credentials("local", "local"), Scope("eu-west-1", "dynamodb"), "20260102T030405Z"
    headers = {
        "Host": service._host,
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Date": moment,
        "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
    }
    signed = headers | {"Authorization": sign(credentials, scope, moment, "POST", "/", headers, b"")}

    def nothing() -> None:
        return None

    return [
        ("read", nothing, lambda _: [lambda_handler.read_record(record) for record in given["Records"]]),
        ("decode", nothing, lambda _: [queue.decode(record) for record in records]),
        ("validate", nothing, lambda _: [route.validate(each) for each in data]),
        ("map", nothing, lambda _: [route.map_items(message) for message in messages]),
        ("write", nothing, lambda _: [plan_write(shape, i, m, 0) for i, m in zip(items, messages, strict=True)]),
        ("schedule", tickets, lambda made: next(iter(schedule(made, atomic=False)))),
        ("pack", lanes, lambda made: pack(lane[0] for lane in made)),
        ("encode", batches, encode),
        ("sign", nothing, lambda _: [sign(credentials, scope, moment, "POST", "/", headers, body) for body in bodies]),
        ("send", nothing, lambda _: [connections.begin(signed, body, 10).finish() for body in bodies]),
        ("settle", batches, lambda made: [settle_answer(batch, []) for batch in made]),
    ]


def encode(batches: list[Any]) -> list[bytes]:
    """What is sent for batches."""
    encoded = msgspec.json.encode
    return [encoded({"RequestItems": {batch.table.name: batch.requests()}}) for batch in batches]


def profile(size: str, count: int) -> None:
    """Print the functions that take longest, without those that they call."""
    from router.lambda_handler import handler

    given = event(size, count)
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    with quiet():
        for _ in range(5):
            handler(given, None)
    profiler.disable()
    pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
