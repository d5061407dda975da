"""Which config runs where, by its hash: in the function of a stack, and in a worker by its page `/healthz`."""

import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from http.client import HTTPException
from urllib.error import HTTPError

from msgspec import Struct

from router.change.versions import STACK, open_stack
from router.errors import ConfigError, RouterError, UsageError

_SECONDS = 5.0
_MOST_BYTES = 64 * 1024
_WORDS = ("config ", "paused ")
"""How the lines of a page begin that name a config, and a queue."""


class RunningConfig(Struct, frozen=True):
    """The hashes of the config that runs somewhere; with none, `unknown` says why. `healthy` is false for a bad page.

    `paused` are the queues that a worker does not poll for now, because nothing of them can be written.

    Several processes of a worker may run several configs while they reload it.
    """

    where: str
    hashes: tuple[str, ...] = ()
    unknown: str = ""
    healthy: bool = True
    paused: tuple[str, ...] = ()


def of_functions(names: Iterable[str]) -> Iterator[RunningConfig]:
    """Yield what functions run; the names may have an alias. Only those of the router's stacks can be read."""
    for name in dict.fromkeys(each.partition(":")[0] for each in names):
        with ExitStack() as stack:
            try:
                # A function has the name of its stack.
                hashes = (open_stack(f"{STACK}{name}", stack).program.hash,)
            except ConfigError as error:
                yield RunningConfig(f"function {name}", unknown=str(error.findings[0]))
            except RouterError as error:
                yield RunningConfig(f"function {name}", unknown=str(error))
            else:
                yield RunningConfig(f"function {name}", hashes)


def of_worker(url: str) -> RunningConfig:
    """Return what a worker runs, by the URL of its page `/healthz`; raises UsageError for what is no URL."""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--healthz takes a URL such as http://127.0.0.1:9090/healthz, not '{url}'")
    try:
        try:
            with urllib.request.urlopen(url, timeout=_SECONDS) as page:  # noqa: S310 — http and https only
                text, healthy = page.read(_MOST_BYTES).decode(errors="replace"), True
        except HTTPError as error:
            with error:  # a response, too, which is to be closed
                text, healthy = error.read(_MOST_BYTES).decode(errors="replace"), False
    except (OSError, HTTPException, ValueError) as error:
        return RunningConfig(f"worker {url}", unknown=f"no answer: {error}", healthy=False)
    hashes, paused = (
        tuple(line.removeprefix(word) for line in text.splitlines() if line.startswith(word)) for word in _WORDS
    )
    known = tuple(hash_ for line in hashes for hash_ in line.split(","))
    return RunningConfig(f"worker {url}", known, "" if known else "the page names no config", healthy, paused)
