"""Compiles `redact` of a queue: its key, its paths and its message attributes."""

import re

import msgspec
from msgspec import structs

from router.codes import declare
from router.model import Path, Severity
from router.runtime.config import spec
from router.runtime.config.environment import REDACT_KEY, RT005
from router.runtime.config.findings import Findings
from router.runtime.envelopes import ENVELOPES, EnvelopeFormat
from router.runtime.program.context import Environment
from router.runtime.program.redaction import (
    EACH,
    EVERY,
    MIN_KEY,
    Redacted,
    RedactedPath,
    Redaction,
    ValueRedactor,
)

BAD_REDACTION = declare(
    "RT236",
    "`redact` that cannot be applied",
    "A value that cannot be found, or an envelope that cannot be put together again, "
    "could reach a dead letter as it is; with a short key, the values could be found from "
    "what replaces them.",
)

_STEP = re.compile(
    r"(?P<each>\[\*\])"
    r"|(?:^|\.)(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)+")'
    r"|(?P<every>\*))"
)


def parse_path(text: str) -> RedactedPath | None:
    """Return a path of names with dots between; None if the text is none.

    `[*]` stands for each element of a list, `*` for each value of an object.
    """
    steps: list[str | int] = []
    end = 0
    while end < len(text) and text != "@":
        match = _STEP.match(text, end)
        if match is None:
            return None
        end = match.end()
        if match["each"]:
            steps.append(EACH)
        elif match["every"]:
            steps.append(EVERY)
        elif match["name"]:
            steps.append(match["name"])
        else:
            try:
                steps.append(msgspec.json.decode(match["quoted"], type=str))
            except msgspec.MsgspecError:
                return None
    return RedactedPath(text, tuple(steps))


def read_redact(settings: spec.Queue) -> Redacted:
    """Return what the `redact` of a queue names, without what is no path."""
    paths: list[RedactedPath] = []
    attributes: set[str] = set()
    for given in settings.redact:
        if not isinstance(given, str):
            attributes.add(given.meta.removeprefix("attribute."))
        elif path := parse_path(given):
            paths.append(path)
    return Redacted(tuple(paths), frozenset(attributes))


def compile_redaction(
    settings: spec.Queue,
    layers: tuple[EnvelopeFormat, ...],
    fetch_at: int | None,
    environment: Environment,
    findings: Findings,
    path: Path,
) -> Redaction:
    """Return the redaction of a queue; its faults are added to the findings."""
    where = (*path, "redact")
    secret = environment.variables.get(REDACT_KEY, "")
    _check_secret(secret, environment.unset, findings, where)
    for index, given in enumerate(settings.redact):
        if isinstance(given, str) and parse_path(given) is None:
            findings.add(
                BAD_REDACTION,
                f"'{given}' is no path of names",
                (*where, index),
                suggestion="write names with dots between, [*] for each element of a list, and * "
                "for each value of an object",
            )
    for layer in layers:
        if layer.replace is None and layer.wrap is None:
            findings.add(
                BAD_REDACTION,
                f"the envelope '{layer.name}' has no inverse, so that nothing inside "
                "of it can be redacted",
                where,
                key=True,
                suggestion="register the envelope with 'wrap', or send the dead letters "
                "elsewhere without 'redact'",
            )
    return Redaction(
        values=ValueRedactor(secret.encode(errors="surrogateescape")),
        redacted=read_redact(settings),
        layers=layers,
        encoding=settings.encoding,
        fetch_at=fetch_at,
        own_reasons=any(layer.name not in ENVELOPES for layer in layers),
    )


def _check_secret(secret: str, unset: Severity, findings: Findings, path: Path) -> None:
    """Add a finding if the key is missing or too short."""
    if len(secret) >= MIN_KEY:
        return
    if secret:
        code = BAD_REDACTION
        sentence = f"the value of '{REDACT_KEY}' has fewer than {MIN_KEY} characters"
        advice = "use a random one, as of openssl rand -hex 32"
    else:
        code = structs.replace(RT005, severity=unset)
        sentence = f"environment variable '{REDACT_KEY}' is not set"
        advice = f"set it to {MIN_KEY} characters or more, the same wherever hashes are compared"
    findings.add(code, sentence, path, key=True, suggestion=advice)
