"""Writes docs/performance.md and its picture."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template

import machine
import picture
from figures import Figures, Row, digits
from floors import COUNTED, TITLES, UNITS

_PAGE = Template("""# Performance

What a message costs, beside the code that people write instead. `make bench` measures it, prints the table of
floors and writes this page. The exit code is 1 if a figure is below its floor. `make bench ARGS='--only drain
--rounds 1'` runs one part and writes nothing.

$machine

Ratios carry over to other machines. Times do not: they leave out AWS's processors and its network.

## Floors

A floor is the greatest ratio that a change of the router may cause. A ratio is the median of some rounds, with the
least and the greatest of them.

$floors

![Processor time of a message](performance.svg)

A small message has 7 fields in 150 bytes, a medium one 2 KB, a large one 100 KB. A nested message has 3 KB: lists
of objects, `$$ref` in its schema, and members that the schema does not declare.

- The first four rows are the processor time of a Lambda handler, from the event to the confirmed write.
- With `8 ms a call`, each call of SQS or DynamoDB takes so long, as in AWS. AWS bills the wall-clock time of a
  function. `waiting` is the part of it in which the function does not use the processor.
- A first answer is measured from the start of the process. The function runs the package that `router build`
  makes, in `awslambdaric`, on a core of its own.
- A cold start is the processor time of loading that package, until it has a client with the certificates of AWS.
- A worker empties a queue. The processor time of its start does not count.
- Messages are sent at random moments. `one receiver` receives, writes and deletes in turn. On an idle queue each
  receive waits a second.
- A hook changes nothing. `insert`, `newest` and `update` are a call for each item; a `put` is a call for 25. The
  routes share a queue, and differ in a `when` that compares a field with a text.
- `router check` and `--help` are processor time of the whole process. The sample is the `routes.yaml` of this
  repository. Each of 1,000 schemas has property names of its own.

## Figures

Times of handlers and workers are those of one message; other times are those of a batch, a start or a command.

$figures

## Where the time goes

A small message costs the router three things, in equal parts. One is the fast path: one decoder, made from the
schema, reads, validates and maps the body, and writes the request's text. One is its share of the call: signing,
the socket, the checksum of the answer. One is reading the event, the outcome of each message, and the log line of
the batch. The time of a large message is four fifths decoding and writing its own bytes, and a tenth the hash that
signs them.

Other programs spend their time in boto3's hooks, serializer and signer, and in jsonschema, which validates in Python.

1,000 messages are 40 calls. All of them are under way at once, so a function waits about as long as one call
takes.

## Not measured

$missing- AWS itself: no figure includes its processors, its network or throttling.
- Several workers on one queue.
- Memory.

## How it is measured

- A server of canned answers ([canned.py](../benchmarks/canned.py)) stands for SQS and DynamoDB. It keeps every write.
  The writes are compared with the expected items; a program that wrote anything else fails the run.
- Each program runs in a process of its own. A round measures all programs in turn, and has a ratio of its own.
- The other programs are in [benchmarks/peers](../benchmarks/peers), as a user would write them. The function in Rust
  signs its requests itself, without an AWS SDK.
- [floors.py](../benchmarks/floors.py) has all floors.
""")


def write(figures: Figures, rows: Sequence[Row], docs: Path) -> None:
    """Write the page of a run and its picture into a folder."""
    (docs / "performance.svg").write_text(picture.draw(figures), encoding="utf-8")
    (docs / "performance.md").write_text(render(figures, rows), encoding="utf-8")


def render(figures: Figures, rows: Sequence[Row]) -> str:
    """Render the page."""
    missing = [f"- {TITLES.get(name, name)}: {why}.\n" for name, why in figures.missing.items()]
    return _PAGE.substitute(
        machine=machine.describe(),
        floors=_table(("figure", "ratio of", "measured", "floor", ""), (row.cells for row in rows)),
        figures=_table(("figure", "medians"), _times(figures)),
        missing="".join(missing),
    )


def _times(figures: Figures) -> Iterator[tuple[str, str]]:
    """Yield a row for each case: what all programs took."""
    for case in dict.fromkeys(key.case for key in figures.values):
        programs = [key.program for key in figures.values if key.case == case and key.program not in UNITS]
        yield (
            case,
            "; ".join(f"{TITLES.get(each, each)} {shown(case, figures.median(case, each))}" for each in programs),
        )


def shown(case: str, value: float) -> str:
    """Format a figure with its unit."""
    if case in COUNTED:
        return f"{value:.2f} calls"
    for unit, scale in (("µs", 1e6), ("ms", 1e3)):
        if value * scale < 1000:
            return f"{digits(value * scale)} {unit}"
    return f"{digits(value)} s"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
