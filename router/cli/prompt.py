"""Asks before something is done that cannot be undone."""

import sys

import click

from router.errors import UsageError


def confirmed(question: str) -> bool:
    """Whether a person says yes; raises UsageError where nobody can be asked."""
    _need_somebody()
    return click.confirm(question, err=True)


def typed(what: str, sentence: str) -> bool:
    """Whether a person types exactly that; raises UsageError where nobody can be asked."""
    _need_somebody()
    return bool(click.prompt(f"{sentence} Type '{what}' to go on", err=True) == what)


def _need_somebody() -> None:
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask: this is no terminal; --yes goes on without asking")
