"""For the tests of plugins and configs: records, AWS in memory, and the router between them.

::

    program = load_program(Path("routes.yaml"), {})
    run = deliver(program, "orders", [record({"id": "o-1"})])
    assert run.tables.items("orders") == [{"id": "o-1"}]
"""

from router.program.load import load_program
from router.testing.delivery import Run, deliver, record
from router.testing.memory import MemoryQueues, MemoryTables

__all__ = ["MemoryQueues", "MemoryTables", "Run", "deliver", "load_program", "record"]
