"""Measures a record by stage, in microseconds: `python benchmarks/stages.py [--size small] [--records 1000]`.

The processor time of a stage is the least of several repetitions. `plan` is the rest of planning around the stages
before it: mapping, and writing the request as text. The stages after it are called alone, on the result of the
previous one. `whole` is the handler as Lambda calls it, `collector` its part in Python's garbage collector, and `rest`
the remaining time: threads, outcomes, the log, the answer. `--profile` adds the slowest functions, by cProfile. A
stage that is missing is shown as gone.
"""

import argparse
import cProfile
import gc
import json
import os
import pstats
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from environment import prepare, quiet
from messages import SIZES, event
from serving import serve

if TYPE_CHECKING:
    from router.model import Record
    from router.runtime.engine.engine import CompiledQueue

SECONDS = 15.0
"""The time limit for repetitions."""


class TimedStage(NamedTuple):
    """A stage: the function that makes its input (not timed), and the timed function.

    With `on_top` it repeats the previous stage and the difference is its own cost: a record is then in the processor's
    cache when the next stage uses it.
    """

    name: str
    make: Callable[[], Any]
    act: Callable[[Any], Any]
    on_top: bool = False


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
            seconds_by_stage = {
                name: each / options.records if isinstance(each, float) else each for name, each in table.items()
            }
            print(json.dumps(seconds_by_stage))
            return
        print(f"microseconds of processor time a record; {options.records} {options.size} messages a batch")
        for name, seconds in table.items():
            shown = f"{seconds * 1e6 / options.records:9.2f}" if isinstance(seconds, float) else f"     {seconds}"
            print(f"{name:>10} {shown}")
        if options.profile:
            profile(options.size, options.records)


def measure(size: str, count: int, repetitions: int) -> dict[str, float | str]:
    """Return the seconds of each stage for the whole batch, or the reason why there are none."""
    from router.lambda_handler import handler
    from router.runtime.deliver.fast_paths import COMPILE_AFTER

    given = event(size, count)
    # Then the fast path of the queue is compiled.
    for _ in range(0, COMPILE_AFTER + 1, count):
        handler(given, None)
    made = [*stages(size, given), TimedStage("whole", lambda: given, lambda event: handler(event, None))]
    # The collector must not traverse objects of the stages during the handler.
    gc.freeze()
    took = least(made, repetitions)
    found: dict[str, float | str] = {}
    before = 0.0
    for stage in made[:-1]:
        seconds = took[stage.name]
        if isinstance(seconds, str):
            found[stage.name] = seconds
            continue
        found[stage.name] = seconds - before if stage.on_top else seconds
        before = seconds
    whole = took["whole"]
    if isinstance(whole, str):
        return found | {"whole": whole}
    found["rest"] = whole - sum(seconds for seconds in found.values() if isinstance(seconds, float))
    cycles = collected(lambda: handler(given, None), repetitions)
    return found | {"collector": cycles, "whole": whole + cycles}


def least(made: list[TimedStage], repetitions: int) -> dict[str, float | str]:
    """The least processor seconds of each stage, without the collector, or why it is gone.

    A repetition takes all of them in turn, so that what else the machine does meets all alike.
    """
    found: dict[str, float | str] = {}
    until = time.monotonic() + SECONDS
    gc.disable()
    for number in range(repetitions):
        if number and time.monotonic() > until:
            break
        for stage in made:
            try:
                given = stage.make()
                began = time.process_time()
                stage.act(given)
                seconds = time.process_time() - began
            except (AttributeError, ImportError, TypeError, KeyError, ValueError) as error:
                found[stage.name] = f"gone: {type(error).__name__}: {error}"
                continue
            del given
            before = found.get(stage.name)
            found[stage.name] = min(seconds, before) if isinstance(before, float) else seconds
    gc.enable()
    return found


def collected(act: Callable[[], Any], repetitions: int) -> float:
    """Return the mean processor seconds of the garbage collector in a call; it does not run equally in each."""
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


def stages(size: str, given: dict[str, Any]) -> list[TimedStage]:
    """Return the stages, each with the function that makes its input."""
    from router import lambda_handler
    from router.runtime.aws.calls import CallTimeout
    from router.runtime.aws.http.signing import Credentials, Signer, SigningScope
    from router.runtime.deliver.batches import pack_plain
    from router.runtime.deliver.fast_paths import COMPILE_AFTER, FastPaths
    from router.runtime.engine.engine import plan as plan_in_general

    queue = lambda_handler.PROGRAM.engine.queues[size]
    tables: Any = lambda_handler._aws().tables
    service = tables._service
    connections = service._connections
    records = [lambda_handler.read_record(record) for record in given["Records"]]

    fast = FastPaths().of(queue, COMPILE_AFTER + 1)

    def plan(record: "Record") -> Any:
        return fast(record) if fast else plan_in_general(queue, record)

    def messages() -> list[Any]:
        return [plan(record) for record in records]

    def batches() -> list[Any]:
        packed = pack_plain(messages())
        assert packed
        return packed

    bodies = encode(batches())
    credentials, scope, moment = (
        Credentials("local", "local"),
        SigningScope("eu-west-1", "dynamodb"),
        "20260102T030405Z",
    )
    headers = {
        "Host": service._host,
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Date": moment,
        "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
    }
    signer = Signer(credentials, scope, moment, "POST", "/", headers)
    signed = headers | {"Authorization": signer.authorization(b"")}
    lines = "\r\n".join([f"{name}: {value}" for name, value in signed.items()]).encode()

    def nothing() -> None:
        return None

    timeout = CallTimeout(10)
    return [
        TimedStage("read", nothing, lambda _: [lambda_handler.read_record(record) for record in given["Records"]]),
        *record_stages(queue, records, typed=fast is not None),
        TimedStage("plan", nothing, lambda _: [plan(record) for record in records], on_top=True),
        TimedStage("pack", messages, pack_plain),
        TimedStage("encode", batches, encode),
        TimedStage("sign", nothing, lambda _: [signer.authorization(each) for each in bodies]),
        TimedStage(
            "send", nothing, lambda _: [connections.receive(connections.send(lines, body, timeout)) for body in bodies]
        ),
    ]


def record_stages(queue: "CompiledQueue", records: "list[Record]", *, typed: bool) -> list[TimedStage]:
    """Return the stages before the writes, which do nothing if `plan` decodes and validates too."""
    (route,) = queue.routes
    decode, validate = queue.decode, route.validate
    assert validate

    def decoded(_: None) -> None:
        for record in records:
            decode(record)

    def validated(_: None) -> None:
        for record in records:
            validate(decode(record)[0])

    def nothing() -> None:
        return None

    return [
        TimedStage("decode", nothing, (lambda _: None) if typed else decoded),
        TimedStage("validate", nothing, (lambda _: None) if typed else validated, on_top=True),
    ]


def encode(batches: list[Any]) -> list[bytes]:
    """Return the stages of sending batches."""
    bodies = []
    for batch in batches:
        requests = [write.request or write.batch_request() for write in batch.writes]
        bodies.append(msgspec.json.encode({"RequestItems": {batch.writes[0].table.name: requests}}))
    return bodies


def profile(size: str, count: int) -> None:
    """Print the functions with the greatest own time."""
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
