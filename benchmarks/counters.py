"""Counts what Python does in units that are equal on every machine: instructions, calls, objects in cycles."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


def count_instructions(act: Callable[[], Any]) -> int:
    """Return the number of instructions of bytecode, without those of the import system.

    How many it needs to find a file depends on the entries of `sys.path`, on other distributions beside the imported
    one, and on the bytecode that is cached, which differ between two environments of one version of Python.
    """
    counted = 0

    def trace(frame: FrameType, what: str, argument: Any) -> Any:
        nonlocal counted
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counted += what == "opcode"
        return trace

    with _tracing(sys.settrace, trace):
        act()
    return counted


def count_calls(act: Callable[[], Any]) -> int:
    """Return the number of calls of functions, those of libraries in C too."""
    counted = 0

    def note(frame: FrameType, what: str, argument: Any) -> None:
        nonlocal counted
        counted += what in ("call", "c_call")

    with _tracing(sys.setprofile, note):
        act()
    return counted


def count_garbage(act: Callable[[], Any]) -> int:
    """Return the number of objects that only the garbage collector can free: those of cycles."""
    gc.collect()
    gc.disable()
    try:
        act()
        return gc.collect()
    finally:
        gc.enable()


@contextmanager
def _tracing(switch: Callable[[Any], None], note: Any) -> Iterator[None]:
    switch(note)
    try:
        yield
    finally:
        switch(None)
