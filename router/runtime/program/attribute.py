"""Compiles an attribute of `item` to a callable: source, transforms, default, type,
missing.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from types import FunctionType
from typing import Any

from msgspec import UNSET, Struct

from router.codes import BAD_KEY, UNMAPPABLE, declare
from router.errors import Rejection, Signal, TransformError
from router.model import REMOVE, Code, Message, Path, TransformFunction
from router.runtime.config import spec
from router.runtime.config.findings import Findings, did_you_mean
from router.runtime.conversions import UnfitValueError
from router.runtime.engine.convert import CONVERTERS
from router.runtime.engine.writes import Mode
from router.runtime.program.context import CompileContext
from router.runtime.program.hooks import Plugins
from router.runtime.sources import CompiledExpression, GetValue, source_of

CONSTANT_TYPE = declare(
    "RT406",
    "a constant is not of the attribute's type",
    "A `value` or `default` is converted to `type` once, at load; one that cannot be "
    "would fail on each message.",
)
MISSING_POLICY = declare(
    "RT407",
    "`missing` or `null` does not fit the attribute",
    "A key attribute can never be left out or NULL, and `remove` has a meaning for updates only.",
)
NULL_POLICY = declare(
    "RT428",
    "`null` cannot be told from no value",
    "`null` needs a value that is absent in some messages and null in others: a path. "
    "The results of other expressions "
    "and sources are null in both cases, and a `default` stands for both.",
)

_EMPTY_SET: frozenset[Any] = frozenset()


UNKNOWN_TRANSFORM = declare(
    "RT403",
    "unknown transform",
    "No loaded plugin registers a transform of that name; check the spelling.",
)
TRANSFORM_ARGUMENTS = declare(
    "RT404",
    "arguments that the transform does not take",
    "A transform takes the value, then the arguments of its signature; wrong ones "
    "would fail on each message.",
)

Step = Callable[[Any], Any]
"""Takes a value and returns the next.

Raises ValueError for a value that it cannot take.
"""


class Getter(Struct, frozen=True):
    """A compiled attribute.

    `get` returns its value or None, and raises as a source does. For None, `absent` is
    called with the data: it returns UNSET to leave the attribute out, or raises
    Rejection.

    `pointer` is a path source's. `path` are the names on the way to a value of the
    message that `get` returns unchanged, or empty. Without `reads_data`, `get` is the
    same for any data. If it is `plain`, it is None, or a text that JSON writes without
    escapes.
    """

    name: str
    get: GetValue
    absent: Callable[[Any], Any]
    pointer: str
    path: tuple[str, ...]
    reads_data: bool = True
    plain: bool = False


class AttributeContext(Struct, frozen=True):
    """What the source of an attribute is compiled with.

    `type` is the attribute's type, or "".
    `config` is what all attributes share.
    """

    name: str
    path: Path
    route: str
    mode: Mode
    is_key: bool
    type: str
    config: CompileContext

    def expression(self, text: str, place: Path) -> CompiledExpression | None:
        """Compile an expression at a place of the attribute; None after a finding."""
        return self.config.expression(text, (*self.path, *place))

    def reject(self, code: Code, sentence: str, place: Path, suggestion: str) -> None:
        """Add a finding at a place of the attribute."""
        where = (*self.path, *place)
        self.config.findings.add(code, sentence, where, suggestion=suggestion)


def compile_attribute(context: AttributeContext, attribute: spec.Attribute) -> Getter | None:
    """Return the getter of one attribute, or None after a finding."""
    path = context.path
    findings = context.config.findings
    kind, given = source_of(attribute)
    source = kind.compile(given, context)
    steps = compile_transforms(
        attribute.transform,
        context.config.plugins,
        findings,
        (*path, "transform"),
    )
    type_ = attribute.type
    convert = None if type_ is None else CONVERTERS[type_]
    constants = {}
    if source is not None and not attribute.transform:
        constants[kind.key] = source.constant
    default = _compile_default(attribute, constants, convert, findings, path)
    fits = _policies_fit(context, attribute)
    if source is None or steps is None or default is None or not fits:
        return None
    absent = _policy(attribute.missing, context, source.pointer, "missing")
    if attribute.null is not None:
        if not _null_differs(context, attribute, source.pointer):
            return None
        on_null = _policy(attribute.null, context, source.pointer, "null")
        absent = _null_or_missing(source.pointer, on_null, absent)
    get = _compose(source.get, steps, convert, default)
    return Getter(
        name=context.name,
        get=get,
        absent=absent,
        pointer=source.pointer,
        # A value that a step or a type changes is another one than that at the path.
        path=source.path if get is source.get else (),
        reads_data=source.reads_data,
        plain=source.plain and get is source.get,
    )


def _compile_default(
    attribute: spec.Attribute,
    constants: Mapping[str, Any],
    convert: Callable[[Any], Any] | None,
    findings: Findings,
    path: Path,
) -> Callable[[], Any] | None:
    """Return a callable for the default, converted to its type; None if it has faults."""
    value = attribute.default
    if convert is None and (value is UNSET or value is None):  # as for most
        return _return_none
    is_faulty = False
    # A constant is checked at load, because it fails on each message or on none.
    for field, constant in {**constants, "default": value}.items():
        if convert is None or constant is UNSET or constant is None:
            continue
        try:
            convert(constant)
        except ValueError as error:
            sentence = f"'{field}' {error}, as 'type: {attribute.type}' asks"
            findings.add(CONSTANT_TYPE, sentence, (*path, field))
            is_faulty = True
    if is_faulty:
        return None
    if value is UNSET or value is None:
        return _return_none
    if convert:
        value = convert(value)
    if isinstance(value, list | dict | set):
        # A copy for each item, because a plugin may change it in place.
        return lambda: deepcopy(value)
    return lambda: value


def _compose(
    get: GetValue,
    steps: tuple[Step, ...],
    convert: Callable[[Any], Any] | None,
    default: Callable[[], Any],
) -> GetValue:
    """Compose source, transforms, default and type.

    A source alone is returned as it is.
    """
    if not steps and convert is None and default is _return_none:
        return get

    def get_value(data: Any, message: Message) -> Any:
        value = get(data, message)
        for step in steps:
            if value is None:
                break
            value = step(value)
        if value is None:
            return default()
        if steps and value == _EMPTY_SET:
            return None
        return value if convert is None else convert(value)

    return get_value


def _policies_fit(context: AttributeContext, attribute: spec.Attribute) -> bool:
    """Whether `missing` and `null` fit the attribute and the mode; if not, after findings."""
    if not context.is_key and "remove" not in (attribute.missing, attribute.null):
        return True
    fits = True
    advice = "write 'error'" if context.is_key else "write 'omit', 'null' or 'error'"
    for key, policy in (
        ("missing", attribute.missing),
        ("null", attribute.null),
    ):
        leaves_key_out = context.is_key and policy in ("omit", "null", "remove")
        # Only a mode that stores attributes one by one can remove one.
        removes_none = policy == "remove" and context.mode.stores != "attributes"
        if leaves_key_out or removes_none:
            sentence = f"'{key}: {policy}' does not fit attribute '{context.name}'"
            where = (*context.path, key)
            context.config.findings.add(MISSING_POLICY, sentence, where, suggestion=advice)
            fits = False
    return fits


def _null_differs(context: AttributeContext, attribute: spec.Attribute, pointer: str) -> bool:
    """Whether a null of the attribute differs from no value; if not, after a finding."""
    if not pointer:
        sentence = (
            f"'null' of attribute '{context.name}' needs a 'from' that is names with dots between"
        )
        advice = "other values cannot be absent in one way and null in another"
    elif attribute.default is not UNSET:
        sentence = f"'null' and 'default' of attribute '{context.name}' contradict each other"
        advice = "leave one out: the default stands for a null, too"
    else:
        return True
    where = (*context.path, "null")
    context.config.findings.add(NULL_POLICY, sentence, where, key=True, suggestion=advice)
    return False


def _policy(
    policy: str | None, context: AttributeContext, pointer: str, what: str
) -> Callable[[Any], Any]:
    """Return a callable that does what `missing` or `null` says.

    `what` is why, for a reason.
    """
    if policy == "error" or context.is_key:
        subject = "attribute"
        code = UNMAPPABLE
        if context.is_key:
            subject = "key attribute"
            code = BAD_KEY
        reason = f"{subject} '{context.name}' is {what}"

        def refuse(data: Any) -> Any:
            raise Rejection(code, reason, pointer)

        return refuse
    result: Any = UNSET
    if policy == "null":
        result = None
    elif policy == "remove":
        result = REMOVE
    return lambda data: result


def _null_or_missing(
    pointer: str,
    on_null: Callable[[Any], Any],
    on_missing: Callable[[Any], Any],
) -> Callable[[Any], Any]:
    names = pointer.split("/")[1:]

    def absent(data: Any) -> Any:
        value = data
        for name in names:
            if not isinstance(value, dict) or name not in value:
                return on_missing(data)
            value = value[name]
            # A null that the path leads through makes all that is in it null.
            if value is None:
                return on_null(data)
        return on_missing(data)

    return absent


def _return_none() -> Any:
    return None


def compile_transforms(
    given: Sequence[spec.Transforms],
    plugins: Plugins,
    findings: Findings,
    path: Path,
) -> tuple[Step, ...] | None:
    """Return the steps in their order, or None if one has a fault."""
    steps = []
    for index, entry in enumerate(given):
        for name, argument in entry.items():
            steps.append(
                _compile_step(name, argument, plugins.transforms, findings, (*path, index))
            )
    return None if None in steps else tuple(step for step in steps if step is not None)


def _compile_step(
    name: str,
    argument: Any,
    transforms: Mapping[str, TransformFunction],
    findings: Findings,
    path: Path,
) -> Step | None:
    """Return a step.

    A list of arguments is several, a map is by name, any other value is one.
    """
    function = transforms.get(name)
    if function is None:
        hint = did_you_mean(name, transforms, f"there are {', '.join(sorted(transforms))}")
        findings.add(
            UNKNOWN_TRANSFORM,
            f"unknown transform '{name}'",
            path,
            suggestion=hint,
        )
        return None
    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    match argument:
        case dict():
            keywords = argument
        case list():
            arguments = argument
        case _:
            arguments = [argument]
    if not _takes(function, len(arguments), keywords):
        fault = _argument_fault(name, function, arguments, keywords)
        if fault:
            findings.add(
                TRANSFORM_ARGUMENTS,
                f"transform '{name}': {fault[0]}",
                path,
                suggestion=fault[1],
            )
            return None
    # Whoever names a transform has loaded them.
    from router.runtime.transforms import TRANSFORMS, is_built_in

    is_foreign = not is_built_in(name, function)
    if not is_foreign and not TRANSFORMS[name].takes_arguments(arguments, keywords):
        return partial(_refuse, name)
    return _bind(name, function, arguments, keywords, is_foreign=is_foreign)


def _refuse(name: str, value: Any) -> Any:
    raise _untaken(name)


def _untaken(name: str, why: str = "") -> ValueError:
    more = f": {why}" if why else ""
    return ValueError(f"has a value that transform '{name}' does not take{more}")


def _takes(function: TransformFunction, count: int, keywords: Mapping[str, Any]) -> bool:
    """Return whether a function is known to take the value, `count` more arguments, and
    the keywords.
    """
    if type(function) is not FunctionType:
        return False
    code = function.__code__
    names = code.co_varnames[code.co_posonlyargcount : code.co_argcount]
    given = {*code.co_varnames[: count + 1], *keywords}
    needed = code.co_varnames[: code.co_argcount - len(function.__defaults__ or ())]
    # A keyword must not name an argument that is given by position.
    fits = (
        code.co_argcount > count
        and given.issuperset(needed)
        and len(given) == count + 1 + len(keywords)
    )
    return fits and code.co_kwonlyargcount == 0 and set(names).issuperset(keywords)


def _argument_fault(
    name: str,
    function: TransformFunction,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
) -> tuple[str, str] | None:
    """Return why a function does not take the arguments, and its signature.

    None if it takes them.
    """
    # Most transforms are plain functions with the right arguments: start-up does
    # without the module.
    import inspect

    try:
        signature = inspect.signature(function)
        signature.bind(None, *arguments, **keywords)
    except TypeError as error:
        return str(error), f"it takes {name}{signature}"
    except ValueError:
        # Some functions written in C have no signature; their arguments are not
        # checked.
        pass
    return None


def _bind(
    name: str,
    function: TransformFunction,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    *,
    is_foreign: bool,
) -> Step:
    # A transform may return an argument, which a plugin may then change in place.
    lends = any(isinstance(argument, list | dict) for argument in (*arguments, *keywords.values()))

    def step(value: Any) -> Any:
        if is_foreign and isinstance(value, list | dict):
            # A plugin may change it in place, and other attributes and routes must not
            # see that.
            value = deepcopy(value)
        try:
            changed = function(value, *arguments, **keywords)
            return deepcopy(changed) if lends and isinstance(changed, list | dict) else changed
        except UnfitValueError as error:
            why = str(error)
            raise _untaken(name, why if why.startswith("it") else f"it {why}") from None
        except (ValueError, TypeError):
            # The text of another error may hold the value.
            raise _untaken(name) from None
        except Signal:
            raise
        except Exception as error:  # a plugin may raise anything
            raise TransformError(name, error) from error

    return step
