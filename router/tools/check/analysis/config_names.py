"""What a config itself names: property names, constants and numbers, which are no secrets of a
message.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, TypeGuard

from router.prover.expressions import valid_tree_of
from router.prover.predicates import BOUNDS
from router.runtime.config import spec
from router.runtime.program.expressions import Tree, nodes
from router.runtime.program.load import Loaded, Program
from router.runtime.program.redact_settings import read_redact
from router.runtime.program.route_expressions import expressions_of_route, metadata_of_route
from router.runtime.program.schemas.documents import subschemas
from router.runtime.program.schemas.reasons import declared_names

# Begins the names of metadata that is a message attribute.
_CARRIED = "attribute."


class ConfigNames:
    """What the schemas and expressions of some routes name.

    `numbers` are those of `enum`, `const`, bounds and literals; `factors` are those of
    `multipleOf`.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.constants: set[str] = set()
        self.numbers: set[int | Decimal] = set()
        self.factors: set[int | Decimal] = set()

    def add_schema(self, content: Any) -> None:
        """Add what a document names: property names, and the values of `enum`, `const` and of
        bounds.
        """
        self.names |= declared_names(content)
        for _, part in subschemas(content):
            self.add_constant([part.get("enum"), part.get("const")])
            self.numbers.update(filter(_is_number, map(part.get, BOUNDS)))
            self.factors.update(filter(_is_number, [part.get("multipleOf")]))

    def add_expression(self, tree: Tree) -> None:
        """Add the literals of an expression, and the names that it reads."""
        for node, _ in nodes(tree):
            if node["type"] == "literal":
                self.add_constant(node["value"])
            elif node["type"] == "field":
                self.names.add(node["value"])

    def add_constant(self, value: Any) -> None:
        """Add the texts and numbers in a value, and the names in its objects."""
        if isinstance(value, list):
            for each in value:
                self.add_constant(each)
        elif isinstance(value, dict):
            self.names.update(value)
            self.add_constant(list(value.values()))
        elif isinstance(value, str):
            self.constants.add(value)
        elif _is_number(value):
            self.numbers.add(value)

    def add_route(self, loaded: Loaded, program: Program, name: str) -> None:
        """Add what a route names: in its schema, its expressions, and of its items."""
        settings = program.config.routes[name]
        self.names.update(_stored_names(program, settings))
        validation = loaded.validation(name)
        for document in validation.documents.values() if validation else ():
            self.add_schema(document.content)
        for each in expressions_of_route(settings):
            self.add_expression(valid_tree_of(each.text))
        for read in metadata_of_route(settings).values():
            carried = (each for each in read if each.startswith(_CARRIED))
            self.names.update(each.removeprefix(_CARRIED) for each in carried)


def names_of(loaded: Loaded, program: Program, queues: Iterable[str]) -> ConfigNames:
    """Return what the routes of queues name, and the paths that the queues redact."""
    found = ConfigNames()
    for queue in queues:
        settings = program.config.queues.get(queue) or spec.Queue()
        redacted = read_redact(settings)
        found.names |= redacted.attributes
        for path in redacted.paths:
            found.names.update(step for step in path.steps if isinstance(step, str))
        for route in program.engine.queues[queue].routes:
            found.add_route(loaded, program, route.route.name)
    return found


def _is_number(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _stored_names(program: Program, route: spec.RouteSettings) -> Iterator[str]:
    """Yield the attributes of the items of a route that the config names."""
    table = program.config.tables[route.table]
    yield from table.key
    if table.ttl:
        yield table.ttl
    if route.item is not None:
        yield from route.item
    write = route.write
    if write.version is not None:
        yield write.version
    yield from (*write.add, *write.append, *write.keep_first)
