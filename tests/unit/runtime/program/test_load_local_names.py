"""The same program on an AWS of one account."""

from typing import Any

from router.runtime.program.load import with_bare_names

CONFIG = """
version: 1
queues:
  q: {name: 'arn:aws:sqs:eu-west-1:123456789012:orders', dead_letter: 'https://sqs.eu-west-1.amazonaws.com/1/letters'}
tables:
  t: {name: 'arn:aws:dynamodb:eu-west-1:123456789012:table/orders', key: {id: S}}
  m: {name: 'arn:aws:dynamodb:eu-west-1:123456789012:table/markers', key: {id: S}}
routes:
  plain: {queue: q, table: t}
  counted:
    queue: q
    table: t
    item: {id: id, n: n}
    write: {mode: update, add: [n], once: m}
"""


def test_names(load_text: Any) -> None:
    """Queues, dead-letter queues, tables and tables of idempotency keys go by their names alone; all else stays."""
    program = load_text(CONFIG).loaded.program
    bare = with_bare_names(program)
    queue = bare.engine.queues["q"]
    shapes = [route.write for route in queue.routes]
    assert (
        queue.reference,
        queue.dead_letter,
        [shape.table.name for shape in shapes],
        [shape.once and shape.once.table.name for shape in shapes],
        bare.config is program.config,
    ) == ("orders", "letters", ["orders", "orders"], [None, "markers"], True)
