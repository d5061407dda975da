"""Shows the explanation of a message as a page to share: one HTML file that holds no script and
loads nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from router.runtime.config import spec
from router.runtime.printable import printable
from router.tools.dev.compare import to_json
from router.tools.dev.explain import Explanation, show_value
from router.tools.dev.graph import graph_of, select_queue
from router.tools.dev.graph_picture import draw
from router.tools.dev.stored_effect import show_stored

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 60rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
pre { padding: .75rem; overflow-x: auto; border: 1px solid #81818180; border-radius: 6px; font-size: 13px; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem .8rem .3rem 0; vertical-align: top; }
svg { max-width: 100%; height: auto; }
.good { color: light-dark(#1a7f37, #3fb950); } .bad { color: light-dark(#b1161f, #ff7b72); }
.micros { font-weight: normal; opacity: .75; }
"""
_ANSWERS = {True: "yes", False: "no", None: "not evaluated"}


def as_page(explained: Explanation, config: spec.Config, only: str | None) -> str:
    """Return the page of a message; `only` is the route to show, or None for all.

    Each text of the message and of the config is the text of an element, so that none of it is
    markup.
    """
    root = Element("html", lang="en")
    title = f"A message of queue {explained.queue}"
    _add_head(root, title)
    body = SubElement(root, "body")
    _add(body, "h1", title)
    _add_outcome(body, explained)
    body.append(draw(select_queue(graph_of(config), explained.queue)))
    rows = [
        (each.route, each.when or "always", _ANSWERS[each.result], each.why)
        for each in explained.conditions
        if only in (None, each.route)
    ]
    _add_table(body, "Routes", ("route", "when", "takes it", "why"), rows)
    for stage in explained.stages:
        if stage.stage == "when" or (stage.route and only not in (None, stage.route)):
            continue
        name = f"{stage.route}: {stage.stage}" if stage.route else stage.stage
        heading = _add(body, "h2", name)
        _add(heading, "span", f" {stage.micros:.1f} µs", "micros")
        _add_json(body, show_value(stage))
    for item in explained.stored.of_route(only) if explained.stored else ():
        title = (
            f"The item of table {item.table} {to_json(item.key)}, by {' and '.join(item.routes)}"
        )
        _add(body, "h2", title)
        changes = [
            (each.attribute, show_stored(each.before), show_stored(each.after))
            for each in item.changes
        ]
        whole = ("(all)", show_stored(item.before), show_stored(item.after))
        _add_table(body, "", ("attribute", "before", "after"), [*changes, whole])
    entries = [
        (each.route, each.table, each.in_words)
        for each in explained.indexes
        if only in (None, each.route)
    ]
    _add_table(body, "Indexes", ("route", "table", ""), entries)
    if explained.requests:
        _add(body, "h2", "Requests to DynamoDB")
    for request in explained.requests:
        _add_json(body, request)
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"


def _add_head(root: Element, title: str) -> None:
    head = SubElement(root, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", title)
    SubElement(head, "style").text = _STYLE


def _add(
    parent: Element,
    tag: str,
    text: str,
    kind: str = "",
) -> Element:
    element = SubElement(parent, tag, {"class": kind} if kind else {})
    element.text = printable(text)
    return element


def _add_json(parent: Element, value: Any) -> None:
    SubElement(parent, "pre").text = to_json(value, indent=2)


def _add_outcome(body: Element, explained: Explanation) -> None:
    outcome = explained.outcome
    kind = "good" if explained.is_acknowledged else "bad"
    _add(body, "p", f"Outcome: {outcome.kind}", kind)
    details = {
        "code": outcome.code,
        "reason": outcome.reason,
        "route": outcome.route,
        "stage": explained.failed_at,
        "place in the message": outcome.pointer,
    }
    _add_table(body, "", (), [each for each in details.items() if each[1]])
    faults = [
        (each.schema, each.keyword, each.at, each.pointer, each.sentence)
        for each in explained.faults
    ]
    columns = ("schema", "keyword", "at", "place in the message", "")
    _add_table(body, "Violations of the schema", columns, faults)


def _add_table(
    body: Element,
    heading: str,
    columns: Sequence[str],
    rows: Sequence[Iterable[str]],
) -> None:
    """Add a table with a heading; nothing if it has no rows."""
    if not rows:
        return
    if heading:
        _add(body, "h2", heading)
    table = SubElement(body, "table")
    if columns:
        head = SubElement(table, "tr")
        for column in columns:
            SubElement(head, "th", scope="col").text = column
    for row in rows:
        line = SubElement(table, "tr")
        for cell in row:
            _add(line, "td", cell)
