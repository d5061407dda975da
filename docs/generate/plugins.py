"""The pages `docs/transforms.md` and `docs/plugins.md`, made from the built-in transforms, envelopes and hooks."""

import ast
import doctest
import inspect
from collections.abc import Callable
from typing import Any

from router.runtime.envelopes import ENVELOPES
from router.runtime.program.hooks import specs
from router.runtime.transforms import TRANSFORMS
from router.runtime.transforms.transform import Transform

_TRANSFORMS_INTRO = """\
# Transforms

A transform changes a value before it is stored in an attribute. `transform:` of an attribute takes one transform, or a
list that is applied in order. A transform is its name; one with arguments is a map of its name to its argument, to a
list of arguments, or to a map of arguments by name.

```yaml
version: 1
queues:
  readings: {dead_letter: readings-dlq}
tables:
  readings: {key: {id: S}}
routes:
  readings:
    queue: readings
    table: readings
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 80}}}
    item:
      id: {from: id, transform: [lower, {prefix: "SENSOR#"}]}
      celsius: {from: celsius, transform: [to_number, {round: {digits: 1, mode: half_up}}]}
      price: {from: cents, transform: {scale: 0.01}}
      file: {from: s3.object.key, transform: url_decode}
    tests:
      - message: {id: A1, celsius: "21.25", cents: 1999, s3: {object: {key: a+b%2F%C3%A9.jpg}}}
        item: {id: "SENSOR#a1", celsius: 21.3, price: 19.99, file: a b/é.jpg}
```

Numbers are exact: integers and decimals, never floating point; true and false are not numbers. A number of more than 38
digits, or out of DynamoDB's range, is rejected when it is stored, so that `round` can follow `scale`. If a transform
cannot accept a value, the message is rejected. Plugins can add transforms: see [Plugins](plugins.md).

| transform | result | example |
|---|---|---|
"""

_PLUGINS_INTRO = """\
# Plugins

A plugin is a Python file, or an installed module, with functions marked `@hookimpl`. The configuration lists plugins in
the order in which they run. The name of a plugin is that of the file without `.py`, or that of the module.

```yaml
version: 1
plugins:
  - plugins/devices.py
queues:
  visits: {dead_letter: visits-dlq}
tables:
  visits: {key: {id: S}}
routes:
  visits:
    queue: visits
    table: visits
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 80}}}
    plugins: [devices]                    # whose transform hooks run, in this order; default: all
    options: {devices: {unknown: other}}  # the plugin reads them from route.options
    item: {id: id, device: device}
```

A complete plugin:

```python
from router import Drop, Item, Message, hookimpl


def initials(value):
    return "".join(word[0] for word in value.split())


@hookimpl
def router_register_transforms(register):
    register("initials", initials)


@hookimpl
def router_transform_message(message: Message) -> None:
    if message.attributes.get("origin") == "test":
        raise Drop("a test message")


@hookimpl
def router_transform_item(item: Item, message: Message) -> Item:
    return {**item, "queue": message.queue}
```

- A hook declares the arguments that it needs, by name, in any order and without defaults.
- Hooks of all plugins run in the order of the configuration. They are plain functions: no wrappers, no `tryfirst`, no
  `async`. A plugin implements each hook once at most.
- A transform hook returns the new value, or None to keep the value. It should return a new value instead of changing
  the old one in place, because other routes receive the same message.
- To decide about a message, raise `Drop(reason)` if this route does not need it; `Reject(reason)` if it can never
  succeed, which sends it to the dead-letter queue; or `Retry(reason, delay)` to retry it after `delay` seconds (in
  Lambda only with [`retry: {lambda: true}`](config.md#back-off) of the queue). A reason is text that contains no value
  of the message. After any other exception the message stays on its queue; the log names the plugin, the hook, the type
  of the exception and the line, without its text. `router test`, `router explain`, `router demo` and pytest show the
  traceback.
- A transform receives the value and then the arguments of the configuration. It raises ValueError or TypeError for a
  value that it cannot accept.
- The same message must produce the same item at each delivery: use no clock and no random numbers.
- A file is loaded under a private name: it can import installed packages, but not the files beside it.

`router new --plugin NAME` makes a plugin to start from: a hook with an option, a test of it, and its entry in
`routes.yaml`. The types of `router` pass `mypy --strict`; what does not change from one version to the next is on the
page [Stability](stability.md).

An error in a plugin is a finding of `router check`, with the file and line of the function. Test a plugin by calling
its functions, as `tests/unit/plugins/test_devices.py` does, with [`router.testing`](testing.md#tests-of-a-plugin), and
with the `tests:` of the routes that use it.
"""


def transforms_page() -> str:
    """Return the page of the built-in transforms, with a row for each."""
    return _TRANSFORMS_INTRO + "".join(map(_transform_row, TRANSFORMS.values()))


def plugins_page() -> str:
    """Return the page about plugins: how to write one, every hook, and the built-in envelopes."""
    hooks = [
        f"### {node.name}\n\n```python\n{_signature(node)}\n```\n\n{_paragraphs(node.name)}\n"
        for node in ast.parse(inspect.getsource(specs)).body
        if isinstance(node, ast.FunctionDef)
    ]
    envelopes = [f"### {name}\n\n{inspect.getdoc(envelope.unwrap)}\n" for name, envelope in ENVELOPES.items()]
    return "\n".join([_PLUGINS_INTRO, "## Hooks\n", *hooks, "## Built-in envelopes\n", *envelopes])


def _transform_row(transform: Transform) -> str:
    text = inspect.getdoc(transform.apply) or ""
    example = doctest.DocTestParser().get_examples(text)[0]
    cells = (
        f"`{transform.name}{_arguments(transform.apply)}`",
        text.partition("\n\n")[0].replace("\n", " "),
        f"`{example.source.strip()}` → `{example.want.strip()}`",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _arguments(function: Callable[..., Any]) -> str:
    """Return the arguments that a config can pass, as in a call; empty if the transform takes only the value."""
    _, *parameters = inspect.signature(function).parameters.values()
    plain = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(plain)) if plain else ""


def _signature(node: ast.FunctionDef) -> str:
    assert node.returns is not None
    return f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}"


def _paragraphs(hook: str) -> str:
    return inspect.getdoc(getattr(specs, hook)) or ""
