"""Sends the messages of a file, for `router send`, and reports which were not."""

import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import click
from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.connect import connect
from router.runtime.aws.protocols import AwsFault, OutgoingMessage
from router.runtime.aws.references import queue_name
from router.runtime.config import spec
from router.runtime.printable import printable
from router.runtime.program.load import Program, load_program
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.options import Repeated, parse_expression
from router.tools.cli.terminal import progress_bar
from router.tools.dev.emulator import LocalAws
from router.tools.dev.send import (
    Wrapping,
    for_queue,
    make_messages,
    read_lines,
    require_document,
    send,
)

_SECONDS = 30.0
_LISTED = 10
"""The most failed lines that are printed."""


class SendOptions(Struct, frozen=True):
    """The options of the command."""

    config: Path
    attributes: Repeated
    group: str
    group_from: str | None
    detailed: bool
    raw: bool
    endpoint: str | None
    as_json: bool


def run_send(queue: str, file: TextIO, options: SendOptions) -> int:
    """Send the messages of a file; return whether some were not sent, or that is not known."""
    program = load_program(options.config, os.environ)
    reference = program.queue(queue).reference
    text = _read(file)
    lines = read_lines(text)
    if not options.raw:
        require_document(text)
    messages = make_messages(lines, _wrapping(program, queue, options), detailed=options.detailed)
    if not messages:
        raise UsageError("there is nothing to send: the file is empty")
    if options.endpoint:
        reference = _use(options.endpoint, reference)
    aws = connect(1)
    url = aws.queues.url(reference, _SECONDS)
    if isinstance(url, AwsFault):
        raise UsageError(f"the queue '{reference}' cannot be used: {url.cause}")
    failed: dict[str, AwsFault] = {}
    outgoing = for_queue(messages, reference, options.group)
    with progress_bar(f"sending to {queue}", len(outgoing)) as report:
        for done, faults in enumerate(send(aws.queues, url, outgoing), 1):
            failed |= faults
            report(min(done * 10, len(outgoing)))
    return _report(queue, url, outgoing, failed, options.as_json)


def _read(file: TextIO) -> str:
    try:
        return file.read()
    except UnicodeDecodeError:
        raise UsageError(f"'{file.name}' is not UTF-8 text") from None


def _wrapping(program: Program, queue: str, options: SendOptions) -> Wrapping:
    attributes = {}
    for text in options.attributes:
        name, sign, value = text.partition("=")
        if not (name and sign):
            raise UsageError(f"--attribute {name} must be NAME=TEXT")
        attributes[name] = value
    group = parse_expression(options.group_from, "--group-from")
    settings = program.config.queues.get(queue) or spec.Queue()
    return Wrapping(settings, program.plugins.envelopes, options.raw, attributes, group)


def _use(endpoint: str, reference: str) -> str:
    """Call an endpoint from now on, and return the reference of a queue there.

    A local AWS has one account and needs no credentials, so that the name of the queue is enough.
    """
    if urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1"):
        env = LocalAws(endpoint.rstrip("/")).environment()
        os.environ.clear()
        os.environ.update(env)
        return queue_name(reference)
    os.environ["AWS_ENDPOINT_URL_SQS"] = endpoint
    return reference


def _report(
    queue: str, url: str, sent: list[OutgoingMessage], failed: Mapping[str, AwsFault], as_json: bool
) -> int:
    count = len(sent) - len(failed)
    if as_json:
        lines = [{"line": int(id_), "code": fault.code} for id_, fault in failed.items()]
        print_json({"queue": queue, "url": url, "sent": count, "failed": lines})
    else:
        click.echo(f"sent {count} of {len(sent)} messages to {queue} ({printable(url)})")
        for id_, fault in islice(failed.items(), _LISTED):
            unknown = " (it may have been sent)" if fault.kind == "retry" else ""
            tell(f"line {id_}: {printable(fault.cause)}{unknown}")
        if len(failed) > _LISTED:
            tell(f"and {len(failed) - _LISTED} more; --json lists them")
    return int(bool(failed))
