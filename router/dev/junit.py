"""Formats results of tests as JUnit XML, for continuous integration servers.

There is no standard; these elements are common to all readers: https://github.com/testmoapp/junitxml
"""

import re
from collections.abc import Iterable
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from router.dev.run_tests import Verdict

Described = tuple[Verdict, float, str]
"""A verdict, its duration in seconds, and its differences as text."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets"""


def as_junit(described: Iterable[Described]) -> bytes:
    """Return the document, with a suite for each route in the order of the tests."""
    root = Element("testsuites", name="router test")
    for route, group in groupby(described, key=lambda each: each[0].route):
        _suite(root, route, list(group))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.6f}")
    indent(root)
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _suite(root: Element, route: str, described: list[Described]) -> None:
    failed = [verdict for verdict, _, _ in described if not verdict.passed]
    suite = SubElement(root, "testsuite", name=route, tests=str(len(described)), failures=str(len(failed)))
    suite.set("errors", "0")
    suite.set("skipped", "0")
    suite.set("time", f"{sum(seconds for _, seconds, _ in described):.6f}")
    for verdict, seconds, words in described:
        case = SubElement(suite, "testcase", classname=route, name=_clean(verdict.name), time=f"{seconds:.6f}")
        if not verdict.passed:
            count = len(verdict.differences)
            message = f"{count} difference{'s' * (count > 1)}: {', '.join(each.what for each in verdict.differences)}"
            SubElement(case, "failure", message=_clean(message), type="difference").text = _clean(words)


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
