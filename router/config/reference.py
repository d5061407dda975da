"""Writes `docs/config.md` from the description of the config: `python -m router.config.reference > docs/config.md`."""

import json
import sys
from typing import Any

from msgspec import NODEFAULT, Struct, inspect

from router.config import spec
from router.config.kinds import bare, branches_of, fields_of
from router.config.wording import any_of

_STRUCTS: dict[Any, str] = {
    spec.Config: "The file",
    spec.Included: "Included files",
    spec.Ignore: "Ignored findings",
    spec.Queue: "Queues",
    spec.S3Pointer: "Large messages in S3",
    spec.Retry: "Back-off",
    spec.EventSourceMapping: "Event source mappings",
    spec.Table: "Tables",
    spec.Route: "Routes",
    spec.Attribute: "Attributes",
    spec.TtlAfter: "Time to live from a time in the message",
    spec.Write: "Writes",
    spec.Test: "Tests",
    spec.Function: "The function",
    spec.Worker: "The worker",
}

_INTRODUCTION = """\
# The config

Made from the code by `python -m router.config.reference`; edit `router/config/spec.py` instead of this page.

One file, `routes.yaml`, says which messages go where. The smallest one that works stores each message of a queue as
an item of a table:

```yaml
version: 1
tables:
  user-metadata: {key: {user_id: S}}
routes:
  user-metadata: {queue: user-metadata, table: user-metadata}
```

`router check` proves the file and shows each fault with its line; `router schema` prints its shape as a JSON Schema
for editors. A key without a value counts as a key that is not there, except where null is a value like any other
(`value`, `default`, `message`).
"""

_BEYOND = """\
## YAML

Files are UTF-8 and read by the core schema of YAML 1.2: `on`, `no`, `12:30:00` and dates are text, `010` is ten, and
fractions are exact decimals. Anchors, aliases and `<<` work, and top-level keys that begin with `x-` are a place for
what is shared:

```yaml
version: 1
x-item: &item
  user_id: user_id
  seen_at: {meta: sent_at}
tables:
  phones: {key: {user_id: S}}
  tablets: {key: {user_id: S}}
routes:
  phones:
    queue: devices
    table: phones
    when: type == 'phone'
    item: {<<: *item, number: number}
  tablets:
    queue: devices
    table: tablets
    when: type == 'tablet'
    item: *item
```

A duplicate key is a fault. So are more than a million keys and values with aliases written out, and more than 100
lists and maps inside each other.

## Environment variables

`${NAME}` in a text value is read from the environment when the router starts, and `${NAME:-default}` gives what to use
where the variable is not set or empty. What is put in stays text. Keys are never replaced, and `$${` is a literal `${`.

```yaml
version: 1
tables:
  user-metadata:
    name: ${STAGE:-dev}-user-metadata
    key: {user_id: S}
routes:
  user-metadata: {queue: "${STAGE:-dev}-user-metadata", table: user-metadata}
```

## Many files

`include` names more files, so that each team owns one. A file that is included has the same keys but `include`, and
`version` only if it wants to; all files together make one config, in which a name stands for one thing, whatever file
uses it:

```yaml title=routes.yaml
version: 1
include: flows/*.yaml
```

```yaml title=flows/devices.yaml
queues:
  devices: {dead_letter: devices-dlq}
tables:
  devices: {key: {id: S}}
routes:
  devices: {queue: devices, table: devices, schema: devices.json}
```

Patterns are as in a shell: `*` stands for a part of a name, `**` for any folders, and files whose names begin with a
dot are passed over. The routes of the file itself are matched first, then those of the included files in the order of
their names. A name of a file in an included file (`schema`, `plugins`, `file` of a test) is relative to the folder of
that included file; all of them stay inside the folder of `routes.yaml`. A plugin that two files load is loaded once.
`router schema routes.yaml --included` prints the JSON Schema of such files, for editors.

## What is known and accepted

A finding of `router check` is passed over where the config says so, with the reason:

```yaml
version: 1
ignore:
  - {code: RT203, reason: the queue's redrive policy is in another stack, at: queues.devices}
queues:
  devices: {}
tables:
  devices: {key: {id: S}}
routes:
  devices: {queue: devices, table: devices}
```

`at` is the way down to a part of the config. What stops the router from starting cannot be ignored, an `ignore` that
no finding needs any more is a warning, and `router check --show-ignored` shows what is passed over.

## Expressions and numbers

`when`, `for_each`, `from`, `hash`, the braces of `template` and a string under `item` are
[JMESPath](https://jmespath.org/specification.html). Text in an expression stands in single quotes: `type == 'phone'`.
Double quotes name a field, for names that are no plain word: `"device-id"`. Numbers stand in backticks:
``price > `9.99` ``. All numbers are exact, up to the 38 digits that DynamoDB has; one that does not fit is rejected,
never rounded.

```yaml
version: 1
tables:
  orders: {key: {order_id: S, line: N}, ttl: expires_at}
routes:
  large-lines:
    queue: orders
    table: orders
    when: total > `99.50`
    for_each: lines
    item:
      order_id: message.order_id
      line: element.number
      price: {from: element.price, type: N}
      label: {template: "{message.order_id}/{element.number}"}
      expires_at: {ttl: {from: message.ordered_at, after: 52w}}
```

## Durations

A whole number and a unit: `s` seconds, `m` minutes, `h` hours, `d` days, `w` weeks. `90d` is 90 days.
"""


def config_reference() -> str:
    """The page, in Markdown; the same for the same code."""
    sections = [_section(cls, title) for cls, title in _STRUCTS.items()]
    return "\n".join([_INTRODUCTION, *sections, _BEYOND])


def _section(cls: type[Struct], title: str) -> str:
    rows = ["| key | value | default | what it is |", "|---|---|---|---|"]
    rows += [_row(name, field) for name, field in fields_of(cls).items()]
    return "\n".join([f"## {title}", "", (cls.__doc__ or "").strip(), "", *rows, ""])


def _row(name: str, field: inspect.Field) -> str:
    about: dict[str, Any] = getattr(field.type, "extra_json_schema", None) or {}
    examples = ", ".join(_code(example) for example in about.get("examples", []))
    text = about["description"] + (f" Example: {examples}" if examples else "")
    cells = (f"`{name}`", _kind(field.type), _default(field), text)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: inspect.Field) -> str:
    if field.required:
        return "**required**"
    if field.default is NODEFAULT or field.default in ("", ()) or isinstance(field.default, Struct):
        return ""
    return _code(field.default)


def _code(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _kind(kind: Any) -> str:
    """What may stand there, with a link where it has a section of its own."""
    inside = bare(kind)
    if isinstance(inside, inspect.UnionType):
        return any_of(map(_kind, branches_of(kind)))
    if isinstance(inside, inspect.LiteralType):
        return any_of(map(_code, inside.values))
    if isinstance(inside, inspect.StructType):
        title = _STRUCTS[inside.cls]
        return f"[a map](#{title.lower().replace(' ', '-')})"
    if isinstance(inside, inspect.VarTupleType):
        return f"a list of {_kind(inside.item_type)}"
    if isinstance(inside, inspect.DictType):
        return f"a map of names to {_kind(inside.value_type)}"
    return _PLAIN[type(inside)]


_PLAIN: dict[type, str] = {
    inspect.AnyType: "anything",
    inspect.StrType: "text",
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
}


if __name__ == "__main__":
    sys.stdout.write(config_reference())
