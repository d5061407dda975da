"""The course of `router verify`: read the source, read the tables, and report."""

import os
import time
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.calls import boottime
from router.runtime.aws.connect import connect
from router.runtime.printable import printable
from router.runtime.program.load import load_any
from router.tools.check.analysis.config_names import names_of
from router.tools.cli.dlq_session import write_no_log
from router.tools.cli.json_output import print_json
from router.tools.cli.options import Repeated, parse_expression
from router.tools.cli.terminal import progress_bar
from router.tools.cli.verify_report import FateReport, print_report, report_as_json
from router.tools.control_plane.clients import connect_services
from router.tools.replay.source import Source, SourceOptions
from router.tools.verify.kept import KeptSource
from router.tools.verify.reading import ItemReader
from router.tools.verify.verify import Verifier

_CONNECTIONS = 4


class VerifyOptions(Struct, frozen=True):
    """The options of `router verify`."""

    config: Path
    sources: Repeated
    queue: str
    sent_at: str | None
    message_id: str | None
    complete: bool
    rate: float
    examples: int
    show_values: bool
    as_json: bool


def run_verify(options: VerifyOptions) -> int:
    """Verify the messages of sources; return the exit code. Raises RouterError."""
    loaded = load_any(options.config, os.environ)
    program = loaded.require()
    write_no_log()
    reading = SourceOptions(
        options.queue,
        parse_expression(options.sent_at, "--sent-at"),
        parse_expression(options.message_id, "--message-id"),
    )
    source = Source(program, options.sources, reading)
    aws = connect(_CONNECTIONS, fetches=program.fetches)
    dynamodb = connect_services(("dynamodb",))["dynamodb"]
    reader = ItemReader(dynamodb, options.rate, boottime, time.sleep)
    shown = ", ".join(map(printable, options.sources))
    with KeptSource() as kept:
        verifier = Verifier(program, aws, reader, kept, time.time, complete=options.complete)
        with progress_bar(f"reading {shown}", source.lines.size, of_bytes=True) as progress:
            count = verifier.take(source.messages(), lambda _: progress(source.lines.done))
        if not count:
            raise UsageError(f"there is no message in {shown}")
        with progress_bar("comparing items", kept.reads()) as progress:
            verifier.look(progress)
        report = FateReport(options.examples)
        with progress_bar("summing up messages", count) as progress:
            for decided in verifier.messages():
                report.add(decided)
                progress(decided.message.position)
    names = None
    if not options.show_values:
        names = frozenset(names_of(loaded, program, verifier.queues).names)
    if options.as_json:
        print_json(report_as_json(report, program, names))
    else:
        print_report(report, program, names, complete=options.complete)
    return int(report.lost > 0 or report.is_all_rejected)
