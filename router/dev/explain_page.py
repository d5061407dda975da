"""An explanation as a page to share: one HTML file that holds no script and loads nothing."""

from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from router.config import spec
from router.dev.compare import to_json
from router.dev.explain import Explanation, show_value
from router.dev.graph.model import graph_of, select_queue
from router.dev.graph.picture import draw
from router.printable import printable

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

    Each text of the message and of the config is the text of an element, so that none of it is markup.
    """
    root = Element("html", lang="en")
    head, body = SubElement(root, "head"), SubElement(root, "body")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    title = f"A message of queue {printable(explained.queue)}"
    SubElement(head, "title").text = title
    SubElement(head, "style").text = _STYLE
    SubElement(body, "h1").text = title
    _outcome(body, explained)
    body.append(draw(select_queue(graph_of(config), explained.queue)))
    shown = [each for each in explained.conditions if only in (None, each.route)]
    rows = [[each.route, each.when or "always", _ANSWERS[each.result], each.why] for each in shown]
    _table(body, "Routes", ["route", "when", "takes it", "why"], rows)
    for stage in explained.stages:
        if stage.stage != "when" and (only in (None, stage.route) or not stage.route):
            heading = SubElement(body, "h2")
            heading.text = printable(f"{stage.route}: {stage.stage}" if stage.route else stage.stage)
            SubElement(heading, "span", {"class": "micros"}).text = f" {stage.micros:.1f} µs"
            SubElement(body, "pre").text = to_json(show_value(stage), indent=2)
    if explained.requests:
        SubElement(body, "h2").text = "Requests to DynamoDB"
        for request in explained.requests:
            SubElement(body, "pre").text = to_json(request, indent=2)
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"


def _outcome(body: Element, explained: Explanation) -> None:
    outcome = explained.outcome
    good = outcome.kind in ("written", "dropped")
    SubElement(body, "p", {"class": "good" if good else "bad"}).text = f"Outcome: {outcome.kind}"
    details = [("code", outcome.code), ("reason", outcome.reason), ("route", outcome.route)]
    details += [("stage", explained.failed_at), ("place in the message", outcome.pointer)]
    rows = [[label, text] for label, text in details if text]
    _table(body, "", [], rows)
    faults = [[each.schema, each.keyword, each.at, each.pointer, each.sentence] for each in explained.faults]
    _table(body, "Violations of the schema", ["schema", "keyword", "at", "place in the message", ""], faults)


def _table(body: Element, heading: str, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Add a table with a heading; nothing if it has no rows."""
    listed = list(rows)
    if not listed:
        return
    if heading:
        SubElement(body, "h2").text = heading
    table = SubElement(body, "table")
    if columns:
        head = SubElement(table, "tr")
        for column in columns:
            SubElement(head, "th", scope="col").text = column
    for row in listed:
        line = SubElement(table, "tr")
        for cell in row:
            SubElement(line, "td").text = printable(cell)
