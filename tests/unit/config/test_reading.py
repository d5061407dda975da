"""Places as numbers, and the garbage collector while a config is read."""

import gc
from typing import Any

import pytest

from router.config.reading import list_places, locate_by, without_garbage_collector
from router.config.source import parse_text


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: Any) -> None:
    """It is disabled inside, and enabled again only if it was enabled before."""
    (gc.enable if enabled else gc.disable)()
    try:
        with without_garbage_collector():
            inside = gc.isenabled()
        after = gc.isenabled()
    finally:
        gc.enable()

    assert (inside, after) == (False, enabled)


TEXT = """\
version: 1
anchors: &all {a: 1, "b c": [1, {d: null}, []]}
nothing:
merged:
  <<: *all
  a: [x,
    y]
again: *all
x-left-out: 1
"""
PATHS = [
    (),
    ("version",),
    ("anchors", "b c", 1, "d"),
    ("anchors", "b c", 2),
    ("nothing",),
    ("merged", "a", 1),
    ("merged", "b c", 0),
    ("again", "a"),
    ("again", "b c", 9),
    ("gone", "below"),
    ("version", "below"),
    ("anchors", "b c", "name"),
    ("anchors", 0),
]


def test_each_path() -> None:
    """Values and keys are found through anchors and merges; a path that does not exist has its parent's place."""
    source = parse_text(TEXT, shown="routes.yaml")
    locate = locate_by("routes.yaml", source.data, list_places(source.data, source.locate))

    found = {path: (locate(path, False), locate(path, True)) for path in PATHS}

    assert found == {path: (source.locate(path, False), source.locate(path, True)) for path in PATHS}
