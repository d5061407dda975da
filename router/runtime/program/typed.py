"""Decodes, validates and maps messages in one step.

msgspec fills a struct from the text of a message, and checks types, lengths, bounds and choices while it does. What is
left the library checks, value by value. The text of the item is written from the struct. A message that is refused
is planned in the general way, which decides about it.

Why: docs/decisions/mechanisms-that-hold-a-floor.md
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from router.errors import Rejection
from router.model import KeyType
from router.runtime.engine.attributes import MAX_INTEGER, MAX_ITEM_BYTES
from router.runtime.engine.decode import MAX_NESTING, SHORT, bound_nesting, bound_skipped
from router.runtime.engine.engine import PlanTyped
from router.runtime.engine.item_text import SCALARS, unescaped_texts
from router.runtime.engine.writes import Write, WriteConfig
from router.runtime.program.attribute import Getter
from router.runtime.program.mapping import follow
from router.runtime.program.put_text import END, KEY_LIMITS, START, head_of
from router.runtime.program.typed_lines import compile_source, indented, together
from router.runtime.program.typed_schema import (
    Check,
    Tails,
    TypedField,
    TypedSchema,
    TypedValue,
    tails_below,
    typed_schema,
)

_ENCODER = msgspec.json.Encoder()
_ARRAY, _NUMBER, _OBJECT, _STRING = (
    frozenset((kind,)) for kind in ("array", "number", "object", "string")
)
_NOTHING_BUT_OBJECTS = _OBJECT | {"null"}
_PLAIN = {_STRING: "S", frozenset(("integer",)): "N"}
"""The types of DynamoDB of values whose text needs no function."""


MAX_PARTS = 5000
"""A schema of more parts is left to the general way, each counted as often as it is referred to."""


class _TooManyPartsError(Exception):
    """A schema is too large."""


def plan_typed(
    getters: Sequence[Getter], config: WriteConfig, content: Any
) -> tuple[PlanTyped, ...]:
    """Return what plans the put of a message from its text: the fastest first, what takes more messages later.

    None does if the schema has no struct, or if an attribute needs more of the data than the values at a path. Members
    that the schema does not declare are left out by the second one, which looks through the whole text before.
    """
    plans = []
    for source in sources(getters, config, content):
        functions = source.functions
        lines = [*source.validation, *source.writing, f"return {source.write}"]
        functions.add("plan_put(config, body, message)", lines)
        plan_put: PlanTyped = functions.compile("plan_put")
        plans.append(plan_put)
    return tuple(plans)


class TypedSource(Struct, frozen=True):
    """The lines that make valid `data` of a `body`, and those before the expression of its write."""

    functions: "TypedFunctions"
    validation: Sequence[str]
    places: Sequence["TypedPlace"]
    writing: Sequence[str]
    write: str


def sources(
    getters: Sequence[Getter], config: WriteConfig, content: Any, *, in_steps: bool = False
) -> Iterator[TypedSource]:
    """Yield the source of the fastest functions first."""
    paths = [getter.path for getter in getters if getter.path]
    for skips in (False, True):
        schema = typed_schema(content, paths, skips=skips)
        if schema is None:
            return
        functions = TypedFunctions(schema, in_steps=in_steps)
        source = _source(functions, schema, getters, config, skips=skips)
        if source is None:
            return
        yield source
        if not schema.open:
            return


class TypedFunctions:
    """The functions for a schema, and their variables.

    They are compiled from source: with closures in loops instead, a small message would take 2.8 µs, not 2.3. As in
    dataclasses, no text of a config or message is part of the source: names, bounds and callables are its variables.
    """

    def __init__(self, schema: TypedSchema, *, in_steps: bool) -> None:
        self._in_steps = in_steps
        self.variables: dict[str, Any] = {
            "Decimal": Decimal,
            "NUMBERS": {int: SCALARS[int], Decimal: SCALARS[Decimal]},
            "Raw": Raw,
            "SCALARS": SCALARS,
            "UNSET": UNSET,
            "Write": Write,
            "bound_nesting": bound_nesting,
            "bound_skipped": bound_skipped,
            "decode": schema.decode,
            "follow": follow,
            "list_of": _list_of,
            "list_of_strings": _list_of_strings,
        }
        self._numbers = count()
        self._lines: list[str] = []
        self._checks: dict[int, str] = {}
        self._parts = 0
        self._texts: dict[type[Struct], str] = {}
        """The names of the functions that write objects."""
        self._written: set[type[Struct]] = set()

    def variable(self, value: Any) -> str:
        """Return the name of a new variable."""
        name = self.name("c")
        self.variables[name] = value
        return name

    def name(self, prefix: str) -> str:
        """Return a name that nothing has yet."""
        return f"{prefix}{next(self._numbers)}"

    def add(self, head: str, lines: Iterable[str]) -> None:
        """Add a function."""
        self._lines += [f"def {head}:", *indented(lines)]

    def compile(self, name: str) -> Any:
        """Return the function of a name."""
        exec(compile_source("\n".join(self._lines)), self.variables)  # noqa: S102 — made of numbers only
        structs = {struct: self.variables[self._texts[struct]] for struct in self._written}
        self.variables["TEXTS"] = unescaped_texts(structs)
        return self.variables[name]

    def checks(
        self, name: str, value: TypedValue, tails: Tails, *, is_written: bool = False
    ) -> list[str]:
        """Return the lines that check what the type of a value does not say.

        A number that is a part of an object that `is_written` as a whole is checked there, if that is no later step.
        """
        self._count(value)
        lines = []
        is_whole = () in tails
        if value.kinds == _NUMBER and (self._in_steps or not is_written):
            lines.append(f"if not ({self._is_number(name, value)}): raise ValueError")
        if value.check is not None:
            lines.append(f"if not {self._check(value.check)}([{name}]): raise ValueError")
        if value.elements is not None:
            elements, found = self.name("n"), name
            if "array" not in value.kinds:
                found = f"[*{name}.values()]"
            inner = self._checks_of_all(elements, value.elements, is_whole=is_whole)
            if inner:
                class_ = "list" if "array" in value.kinds else "dict"
                inner = [f"{elements} = {found}", *inner]
                lines += [f"if {name}.__class__ is {class_}:", *indented(inner)]
        if value.struct is None:
            return lines
        if is_whole:
            self._write_struct(value.struct, value)
        inner = []
        for field in value.fields:
            part = self.name("p")
            below = tails_below(tails, field.name)
            checks = self.checks(part, field.value, below, is_written=is_whole)
            if checks and field.optional:
                checks = [f"if {part} is not UNSET:", *indented(checks)]
            if checks:
                inner += [f"{part} = {name}.{field.key}", *checks]
        if not inner or value.kinds == _OBJECT:
            return lines + inner
        return [*lines, f"if {name}.__class__ is {self.variable(value.struct)}:", *indented(inner)]

    def _checks_of_all(
        self, name: str, value: TypedValue, *, is_whole: bool, is_written: bool = False
    ) -> list[str]:
        """Return the lines that check all values in a list, as `checks` does one: the library takes them at once."""
        self._count(value)
        lines = []
        if value.kinds == _NUMBER and (self._in_steps or not is_written):
            condition = self._is_number("each", value)
            lines += [f"for each in {name}:", f"  if not ({condition}): raise ValueError"]
        if value.check is not None:
            lines.append(f"if not {self._check(value.check)}({name}): raise ValueError")
        if value.elements is not None:
            elements = self.name("n")
            class_, each = (
                ("list", "inner") if "array" in value.kinds else ("dict", "inner.values()")
            )
            found = f"[each for inner in {name} if inner.__class__ is {class_} for each in {each}]"
            inner = self._checks_of_all(elements, value.elements, is_whole=is_whole)
            lines += [f"{elements} = {found}", *inner] if inner else []
        if value.struct is None:
            return lines
        if is_whole:
            self._write_struct(value.struct, value)
        objects, inner = self.name("n"), []
        for field in value.fields:
            parts = self.name("n")
            checks = self._checks_of_all(parts, field.value, is_whole=is_whole, is_written=is_whole)
            if checks:
                found = f"each.{field.key} for each in {objects}"
                found += f" if each.{field.key} is not UNSET" if field.optional else ""
                inner += [f"{parts} = [{found}]", *checks]
        struct = self.variable(value.struct)
        found = f"[each for each in {name} if each.__class__ is {struct}]"
        if value.kinds == _OBJECT:
            found = name
        return [*lines, f"{objects} = {found}", *inner] if inner else lines

    def _count(self, value: TypedValue) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _TooManyPartsError

    def _check(self, check: Check) -> str:
        """Return the variable of a check."""
        return self._checks.get(id(check)) or self._checks.setdefault(
            id(check), self.variable(check)
        )

    def _is_number(self, name: str, value: TypedValue) -> str:
        if value.bounds is None:
            return f"{name}.__class__ is int or {name}.__class__ is Decimal"
        # Decimals are compared with Decimals in half the time.
        low, high = (self.variable(Decimal(bound)) for bound in value.bounds)
        is_decimal = f"{name}.__class__ is Decimal and {low} <= {name} <= {high}"
        return f"{name}.__class__ is int and {self._is_within(name, value)} or {is_decimal}"

    def _is_within(self, name: str, value: TypedValue) -> str:
        assert value.bounds is not None
        low, high = map(self.variable, value.bounds)
        return f"{low} <= {name} <= {high}"

    def _write_struct(self, struct: type[Struct], value: TypedValue) -> None:
        """Add the function that checks an object and writes its text."""
        if struct in self._written:
            return
        self._written.add(struct)
        lines, text, before = ["depth += 1"], "", '{"M":{'
        required = [field for field in value.fields if not field.optional]
        for field in required:
            name = self.name("p")
            head, found, after = self._text(name, field)
            lines += self._part_lines(name, field)
            text += f"{{{self.variable(before + head)}}}{found}"
            before = f"{after},"
        # All but the first have a comma before them: a required one, or else the first that is not absent.
        text += f"{{{self.variable(before.removesuffix(','))}}}" if required else ""
        for field in value.fields:
            if field.optional:
                name, part = self.name("p"), self.name("t")
                head, found, after = self._text(name, field)
                given = f"{{{self.variable(f',{head}')}}}{found}"
                given += f"{{{self.variable(after)}}}" if after else ""
                lines += self._part_lines(name, field)
                lines.append(f"{part} = '' if {name} is UNSET else f'{given}'")
                text += f"{{{part}}}"
        end = self.variable("}}")
        if required:
            lines.append(f"return f'{text}{{{end}}}'")
        else:
            lines += [f"text = f'{text}'", f"return {self.variable(before)} + text[1:] + {end}"]
        self.add(f"{self._text_function(struct)}(value, depth)", lines)

    def _text_function(self, struct: type[Struct]) -> str:
        return self._texts.get(struct) or self._texts.setdefault(struct, self.name("text"))

    def text_of(self, name: str, value: TypedValue, depth: str) -> str:
        """Return the expression of the text of a value that `checks` takes as a whole."""
        if value.kinds == _OBJECT and value.struct is not None:
            return f"{self._text_function(value.struct)}({name}, {depth})"
        elements = value.elements
        if value.kinds == _ARRAY and elements is not None:
            # Without a function that is found by the class of each element.
            if elements.kinds == _STRING:
                return f"list_of_strings({name})"
            if elements.kinds == _OBJECT and elements.struct is not None:
                each = f"{self._text_function(elements.struct)}(each, {depth} + 1)"
                return f"list_of([{each} for each in {name}])"
        # Nothing else has checked that it is a number.
        texts = "NUMBERS" if value.kinds == _NUMBER else "TEXTS"
        return f"{texts}[{name}.__class__]({name}, {depth})"

    def _part_lines(self, name: str, field: TypedField) -> list[str]:
        lines = [f"{name} = value.{field.key}"]
        if field.value.bounds is not None:
            absent = f"{name} is UNSET or " if field.optional else ""
            condition = self._is_within(name, field.value)
            lines.append(f"if not ({absent}{condition}): raise ValueError")
        return lines

    def _text(self, name: str, field: TypedField) -> tuple[str, str, str]:
        """Return what is before the text of a member, its text in an f-string, and what is after it."""
        head = _ENCODER.encode(field.name).decode() + ":"
        kind = _PLAIN.get(field.value.kinds)
        if kind:
            return f'{head}{{"{kind}":"', f"{{{name}}}", '"}'
        return head, f"{{{self.text_of(name, field.value, 'depth')}}}", ""


def _list_of(texts: Iterable[str]) -> str:
    return f'{{"L":[{",".join(texts)}]}}'


def _list_of_strings(values: Sequence[str]) -> str:
    if not values:
        return '{"L":[]}'
    strings = '"},{"S":"'.join(values)
    return f'{{"L":[{{"S":"{strings}"}}]}}'


class TypedPlace(Struct, frozen=True):
    """Where the value of an attribute is, and whether it may be UNSET or None there.

    Behind a value of any type, None stands for both.
    """

    expression: str
    value: TypedValue = TypedValue(Any)
    absent: bool = False
    null: bool = True
    followed: bool = False


def _place(
    functions: TypedFunctions, root: TypedValue, getter: Getter, name: str
) -> TypedPlace | None:
    """Return where the value of an attribute is; None if it is not in the struct."""
    if not getter.path:
        get = functions.variable(getter.get)
        return None if getter.reads_data else TypedPlace(f"{get}(None, message)", followed=True)
    value, expression, absent, null = root, "data", False, False
    for level, step in enumerate(getter.path):
        # Another value that is false would be taken for nothing; and `follow` knows no structs, which a map may have.
        if not value.kinds <= _NOTHING_BUT_OBJECTS or value.elements is not None:
            return None
        if value.struct is None:
            rest = functions.variable(getter.path[level:])
            return TypedPlace(f"follow({expression}, {rest})", followed=True)
        field = next((each for each in value.fields if each.name == step), None)
        if field is None:
            return None
        # What is in nothing is the same nothing.
        is_there = not (absent or null)
        expression = (
            f"{expression}.{field.key}"
            if is_there
            else f"({name} := {expression}) and {name}.{field.key}"
        )
        value = field.value
        absent = absent or field.optional
        null = null or not value.kinds or "null" in value.kinds
    return TypedPlace(expression, value, absent, null)


def _bound_lines(schema: TypedSchema, *, skips: bool) -> list[str]:
    """Return the lines that refuse a text which may nest deeper than the stack of a thread takes."""
    # The bytes are made once, for the bound and for the decoder.
    bound = ["body = body.encode()", f"bound_{'skipped' if skips else 'nesting'}(body)"]
    if skips or not schema.nests:
        return bound if skips else []
    # Most texts have one brace, at the beginning: to look for another bracket takes less time than to count them.
    is_flat = "'[' not in body and body.rfind('{') <= 0"
    # For short texts as in `decode_plain`.
    is_short = f"len(body) <= {SHORT} and body.count('{{') + body.count('[') <= {MAX_NESTING}"
    return [f"if not ({is_flat} or {is_short}):", *indented(bound)]


def _source(
    functions: TypedFunctions,
    schema: TypedSchema,
    getters: Sequence[Getter],
    config: WriteConfig,
    *,
    skips: bool,
) -> TypedSource | None:
    """Return the source for a schema; None if an attribute needs more of the data."""
    validation = [*_bound_lines(schema, skips=skips), "data = decode(body)"]
    tails = frozenset(getter.path for getter in getters if getter.path)
    try:
        validation += together(functions.checks("data", schema.root, tails))
    except _TooManyPartsError:
        return None
    lines: list[str] = []
    places: list[TypedPlace] = []
    text, quote = "", ""
    for number, getter in enumerate(getters):
        name = f"v{number}"
        place = _place(functions, schema.root, getter, name)
        if place is None:
            return None
        places.append(place)
        lines.append(f"{name} = {place.expression}")
        # A name begins with what the value before it lacks.
        head = quote + ("," if number else START) + head_of(getter.name)
        kind = None if place.absent or place.null else _PLAIN.get(place.value.kinds)
        if kind:
            quote = '"}'
            variable = functions.variable(f'{head}{{"{kind}":"')
            text += f"{{{variable}}}{{{name}}}"
        else:
            lines += _text_lines(functions, number, getter, place, head, quote)
            text += f"{{t{number}}}"
            quote = ""
    text += f"{{{functions.variable(quote + END)}}}"
    names = [getter.name for getter in getters]
    writing, write = _put(text, [(names.index(name), kind) for name, kind in config.table.key])
    return TypedSource(functions, validation, places, [*lines, *writing], write)


def _text_lines(
    functions: TypedFunctions, number: int, getter: Getter, place: TypedPlace, head: str, quote: str
) -> list[str]:
    """Return the lines that write the value of an attribute."""
    name = f"v{number}"
    before, text = head, f"SCALARS[{name}.__class__]({name}, 1)"
    if getter.path:
        text = functions.text_of(name, place.value, "1")
    elif getter.plain:
        before, end = f'{head}{{"S":"', functions.variable('"}')
        text = f"{name} + {end}"
    found = f"{functions.variable(before)} + {text}"
    lines = []
    for word, value in missing(getter, place):
        # The next attribute begins with a comma, the first one does not.
        if value is Rejection or (value is UNSET and START in head):
            lines.append(f"if {name} is {word}: raise ValueError")
        else:
            given = head + SCALARS[type(None)](None, 1) if value is None else quote
            found = f"{functions.variable(given)} if {name} is {word} else {found}"
    return [*lines, f"t{number} = {found}"]


def missing(getter: Getter, place: TypedPlace) -> list[tuple[str, Any]]:
    """Return by `UNSET` and `None`, as far as they are possible as its value, what an attribute is for it.

    That is None, or UNSET if it is left out, or Rejection if the message is left to the general way.
    """
    nothing: Any = None
    for step in reversed(getter.path):
        nothing = {step: nothing}
    absent, null = _absent(getter, {}), _absent(getter, nothing)
    if place.followed and absent is not null:
        null = Rejection
    found = [("UNSET", absent)] if place.absent else []
    return [*found, ("None", null)] if place.null else found


def _absent(getter: Getter, data: Any) -> Any:
    try:
        return None if getter.absent(data) is None else UNSET
    except Rejection:
        return Rejection


def _put(text: str, keys: Sequence[tuple[int, KeyType]]) -> tuple[list[str], str]:
    """Return the lines that make the text of the put, and the expression of its write."""
    lines = []
    identity = "config.table.name"
    for (number, kind), limit in zip(keys, KEY_LIMITS, strict=False):
        value = f"v{number}"
        if kind == "S":
            condition = f"{value}.__class__ is str and 0 < len({value}) <= {limit}"
            identity += f", {value}"
        else:
            condition = f"{value}.__class__ is int and {-MAX_INTEGER} < {value} < {MAX_INTEGER}"
            identity += f", str({value})"
        lines.append(f"if not ({condition}): raise ValueError")
    too_long = f"size > {MAX_ITEM_BYTES // 4} and len(text.encode()) > {MAX_ITEM_BYTES}"
    place = f"config.route, config.table, config.mode, ({identity})"
    lines += [f"text = f'{text}'", "size = len(text)", f"if {too_long}: raise ValueError"]
    return lines, f"Write({place}, None, size, None, '', None, (), None, Raw(text))"
