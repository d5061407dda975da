"""Formats the results of tests as JUnit XML.

There is no standard; these elements are common to all readers:
https://github.com/testmoapp/junitxml
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from router.tools.dev.run_tests import Verdict

Described = tuple[Verdict, float, str]
"""A verdict, its duration in seconds, and its differences as text."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets"""


def as_junit(described: Iterable[Described]) -> bytes:
    """Return results as JUnit XML, with a suite for each route in the order of the tests."""
    root = Element("testsuites", name="router test")
    suites = [
        _suite(route, list(group))
        for route, group in groupby(described, lambda each: each[0].route)
    ]
    root.extend(suites)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.attrib[name]) for suite in suites)))
    root.set("time", f"{sum(float(suite.attrib['time']) for suite in suites):.6f}")
    indent(root)
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _suite(route: str, described: Sequence[Described]) -> Element:
    failures = sum(not verdict.passed for verdict, _, _ in described)
    suite = Element(
        "testsuite",
        name=route,
        tests=str(len(described)),
        failures=str(failures),
        errors="0",
        skipped="0",
        time=f"{sum(seconds for _, seconds, _ in described):.6f}",
    )
    for verdict, seconds, words in described:
        name = _clean(verdict.name)
        case = SubElement(suite, "testcase", classname=route, name=name, time=f"{seconds:.6f}")
        if verdict.passed:
            continue
        count = len(verdict.differences)
        message = f"{count} difference{'s' * (count > 1)}: {verdict.subjects}"
        failure = SubElement(case, "failure", message=_clean(message), type="difference")
        failure.text = _clean(words)
    return suite


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
