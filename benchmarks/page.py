"""Writes docs/performance.md and its picture."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

import machine
import picture
from figures import Figures, Row
from floors import COUNTED, TITLES

_PAGE = Template("""# Performance

What a message costs, beside the code that people write instead. `make bench` measures it, prints the table of
floors and writes this page. The exit code is 1 if a figure is below its floor. `make bench ARGS='--only drain
--rounds 1'` runs one part and writes nothing.

$machine

Ratios carry over to other machines. Times do not: they leave out AWS's processors and its network.

## Floors

A floor is the greatest ratio that a change of the router may cause. A ratio is the median of the rounds, with
the least and the greatest beside it.

$floors

![Processor time of a message](performance.svg)

The first four rows are the processor time of a Lambda handler, from the event to the confirmed write. A small
message has 7 fields in 150 bytes, a medium one 2 KB, a large one 100 KB. A nested message has 3 KB: lists of
objects, `$$ref` in its schema, and members that the schema does not declare.

`8 ms a call` means that each call of SQS or DynamoDB takes so long, as in AWS. AWS bills the wall-clock time of
a function. `waiting` is the part of it in which the function does not use the processor. A first answer is
measured from the start of the process. The function runs the package that `router build` makes, in
`awslambdaric`, on a core of its own.

A cold start is the processor time of loading that package, until the client for AWS's own endpoint exists with
its certificates. The other program imports boto3 and makes one `Table`.

A worker empties a queue. Its start does not count. Latency is the time from sending a message to storing it,
while messages are sent at random moments. `one receiver` receives, writes and deletes in turn, and asks an idle
queue once a second: each receive waits a second.

The ways of a message are compared in batches of 1,000 small ones. A hook changes nothing. A dead letter is sent
with its reason. `insert`, `newest` and `update` are a call for each item, a `put` is a call for 25. The routes
of one queue differ in a `when` that compares a field with a text.

`router check` and `--help` are processor time from the start of the process to its end. The sample is the
`routes.yaml` of this repository. Each of 1,000 routes has a schema with property names of its own.

## Figures

Times of handlers and of workers are those of one message. The other times are those of the batch, the start or
the command in the first column.

$figures

## Where the time goes

The router spends most of the time of a small message on three things. A third is the fast path: one decoder
made from the schema reads, validates and maps the body, and writes the request's text. A quarter is the call,
shared by 25 messages: signing, the socket and the checksum of the answer. The rest is reading the event, the
outcome of each message, and the log line of the batch. The time of a large message is nearly all decoding and
writing of its own bytes.

Other programs spend their time on boto3: a request passes its hooks, its serializer and its signer. jsonschema
validates in Python, property by property.

In a batch, calls overlap. 1,000 messages are 40 calls, and all of them are under way at once. So a function
waits about as long as one call takes.

## Not measured

$missing

- AWS itself: no figure includes its processors, its network or throttling. The answers come from a server on
  this machine, in a process of its own.
- Several workers on one queue. They share work as SQS's consumers do.
- Memory.

## How it is measured

- A server of canned answers ([canned.py](../benchmarks/canned.py)) stands for SQS and DynamoDB. It keeps every
  write. After each figure the writes are compared with the expected items; a program that wrote anything else
  fails the run.
- Each program runs in a process of its own. A round measures all programs in turn, and a ratio is taken within
  a round.
- The other programs are in [benchmarks/peers](../benchmarks/peers), each as a user would write it, with the
  same schema and mapping. The function in Rust makes and signs its requests itself, without an AWS SDK.
- [floors.py](../benchmarks/floors.py) has all floors.
""")


def write(figures: Figures, rows: Sequence[Row], docs: Path) -> None:
    """Write the page of a run and its picture into a folder."""
    (docs / "performance.svg").write_text(picture.draw(figures), encoding="utf-8")
    (docs / "performance.md").write_text(render(figures, rows), encoding="utf-8")


def render(figures: Figures, rows: Sequence[Row]) -> str:
    """Render the page."""
    missing = [f"- {TITLES.get(name, name)}: {why}." for name, why in figures.missing.items()]
    times = [
        (case, TITLES.get(program, program), shown(case, figures.median(case, program)), str(len(values)))
        for (case, program), values in figures.values.items()
    ]
    return _PAGE.substitute(
        machine=machine.describe(),
        floors=_table(("figure", "ratio of", "measured (least to most)", "floor", ""), (row.cells for row in rows)),
        figures=_table(("figure", "program", "median", "rounds"), times),
        missing="\n".join(missing) or "- All programs were measured.",
    )


def shown(case: str, value: float) -> str:
    """Format a figure with its unit."""
    if case in COUNTED:
        return f"{value:.2f} calls"
    return f"{value * 1e6:,.3g} µs" if value < 0.001 else f"{value * 1e3:,.3g} ms" if value < 1 else f"{value:.3g} s"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
