"""Runs a program as hasty.py does, with a function that postpones each message that meets an outage, for seconds."""

import runpy
from pathlib import Path

from router.runtime.deliver import postponing

postponing.IN_FLIGHT_MOST = -1
postponing.SHORTEST_DELAY, postponing.LONGEST_DELAY = 1, 3

runpy.run_path(str(Path(__file__).with_name("hasty.py")), run_name="__main__")
